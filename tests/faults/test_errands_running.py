"""Errands on a whole instance: from the header of a message to the screen, and with Redis gone."""

import json
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psycopg
import pytest
from redis import Redis

from sipgateway.simulator.transport import Target
from tests.support.caller import Caller
from tests.support.eventually import eventually
from tests.support.https import HttpServer, by_method, https_server, respond
from tests.support.instance import Instance, running_instance
from tests.support.live_console import LiveConsole, log_in
from tests.support.pki import Authority
from tests.support.rawsip import RawSip

AUTHORITY = Authority()
PRESENCE = b"""<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="pres:a">
<tuple id="a"><status><geopriv xmlns="urn:ietf:params:xml:ns:pidf:geopriv10"><location-info>
<Point xmlns="http://www.opengis.net/gml"><pos>48.2 16.37</pos></Point>
</location-info></geopriv></status></tuple></presence>"""
SUBSCRIBER = b"""<sub:EmergencyCallData.SubscriberInfo
  xmlns:sub="urn:ietf:params:xml:ns:EmergencyCallData:SubscriberInfo"
  xmlns:xc="urn:ietf:params:xml:ns:vcard-4.0"><sub:SubscriberData>
  <xc:vcard><xc:fn><xc:text>Anna Berg</xc:text></xc:fn></xc:vcard>
  </sub:SubscriberData></sub:EmergencyCallData.SubscriberInfo>"""
# The worker looks by itself every five seconds.
WITHOUT_REDIS = 12.0
HELD = 15.0


@pytest.fixture(scope="module")
def whole() -> Iterator[Instance]:
    with running_instance() as instance:
        yield instance


@pytest.fixture(scope="module")
def server(whole: Instance) -> Iterator[HttpServer]:
    """A listed server that gives positions to who posts, and subscribers to who gets."""
    position = respond(200, PRESENCE, content_type="application/pidf+xml")
    subscriber = respond(
        200, SUBSCRIBER, content_type="application/EmergencyCallData.SubscriberInfo+xml"
    )
    with https_server(
        AUTHORITY.issue("127.0.0.1"), by_method(POST=position, GET=subscriber)
    ) as server:
        whole.execute(
            "WITH a AS (INSERT INTO psap_certificateauthority (name, certificates, revocation_list)"
            " VALUES ('test', %s, '') RETURNING id),"
            " s AS (INSERT INTO psap_locationserver (host, may_be_private) VALUES (%s, true)"
            " RETURNING id)"
            " INSERT INTO psap_locationserver_authorities"
            " (locationserver_id, certificateauthority_id) SELECT s.id, a.id FROM s, a",
            [AUTHORITY.certificate, f"127.0.0.1:{server.port}"],
        )
        yield server


@pytest.mark.conformance("5.4-3", "6.1.2.7-1", "6.1.2.7-3")
async def test_what_a_message_names_by_url_is_on_the_screen_soon(
    whole: Instance, server: HttpServer
):
    caller = Caller()
    async with (
        RawSip(Target("tcp", "127.0.0.1", whole.sip_port)) as app,
        LiveConsole(whole, log_in(whole, "calltaker")) as desk,
    ):
        subscriber = f"<{server.url('/sub')}>; purpose=EmergencyCallData.SubscriberInfo"
        start = caller.start(
            call_info=(*caller.info(257, 1), subscriber),
            headers=(("Geolocation", f"<{server.url('/loc')}>"),),
        )
        assert (await app.exchange(start)).status == 200
        fetched = await desk.until(lambda frame: frame.get("ev") == "location-fetched")
        assert [(fix["lat"], fix["lon"]) for fix in fetched["fixes"]] == [(48.2, 16.37)]
        data = await desk.until(lambda frame: frame.get("ev") == "data-fetched")
        assert [block["name"] for block in data["additionalData"]] == ["Anna Berg"]
        opened = await desk.until(lambda frame: frame.get("ev") == "message-received")
        assert {one["kind"] for one in opened["references"]} == {"location", "additional-data"}
    whole.manage("verifychat", fetched["chat"])


async def test_without_redis_it_only_takes_longer(whole: Instance, server: HttpServer):
    """Red when Celery's queue or the wake-up alone begins an errand."""
    caller = Caller()
    before = len(server.requests)
    async with (
        RawSip(Target("tcp", "127.0.0.1", whole.sip_port)) as app,
        LiveConsole(whole, log_in(whole, "calltaker")) as desk,
    ):
        with whole.hung("redis"):
            start = caller.start(headers=(("Geolocation", f"<{server.url('/later')}>"),))
            assert (await app.exchange(start)).status == 200
            await desk.until(
                lambda frame: (
                    frame.get("ev") == "location-fetched"
                    and frame["card"]["callId"] == caller.call_id
                ),
                WITHOUT_REDIS,
            )
    assert len(server.requests) == before + 1


@contextmanager
def held_server(whole):
    """A listed server that answers nothing until `let_go` is set."""
    let_go = threading.Event()
    position = respond(200, PRESENCE, content_type="application/pidf+xml")

    def answer(server, connection, request):
        let_go.wait(HELD)
        position(server, connection, request)

    with https_server(AUTHORITY.issue("127.0.0.1"), answer) as server:
        whole.execute(
            "WITH s AS (INSERT INTO psap_locationserver (host, may_be_private) VALUES (%s, true)"
            " RETURNING id) INSERT INTO psap_locationserver_authorities"
            " (locationserver_id, certificateauthority_id)"
            " SELECT s.id, a.id FROM s, psap_certificateauthority a WHERE a.name = 'test'",
            [f"127.0.0.1:{server.port}"],
        )
        try:
            yield server, let_go
        finally:
            let_go.set()


@pytest.mark.parametrize("fault", ["worker", "postgres"])
async def test_a_fetch_that_dies_half_way_is_made_again_and_stands_on_the_record_once(
    whole: Instance, server: HttpServer, fault: str
):
    """Red when a claim ends the errand, or when a result counts although its attempt is old."""
    caller = Caller()
    async with RawSip(Target("tcp", "127.0.0.1", whole.sip_port)) as app:
        with held_server(whole) as (slow, let_go):
            start = caller.start(headers=(("Geolocation", f"<{slow.url('/loc')}>"),))
            assert (await app.exchange(start)).status == 200
            await eventually(lambda: len(slow.requests) == 1, "it is being fetched", 15)
            old = whole.kill(fault)
            whole.wait_until_restarted(fault, old)
            redis = whole.environment.redis_url
            Redis.from_url(redis).flushall()
            let_go.set()
            await eventually(lambda: run_out(whole, caller), "its lease has run out", 15)
            await eventually(lambda: len(slow.requests) == 2, "it is fetched again", 15)
            await eventually(lambda: facts(whole, caller)[0] == "fetched", "it is there", 15)
            fetched = len(slow.requests)
    status, attempts, fixes, told = facts(whole, caller)
    assert (status, fixes, told, fetched) == ("fetched", 1, 1, 2)
    assert attempts == 2
    chat = whole.rows("SELECT id FROM chats_chat WHERE call_id = %s", caller.call_id)[0][0]
    (shown,) = references_shown(whole, chat)
    assert shown["status"] == "fetched"
    whole.manage("verifychat", str(chat))


def run_out(whole, caller):
    """Have 30 s pass for the lease of a caller's errand, once PostgreSQL is there."""
    with suppress(psycopg.OperationalError):
        return whole.rows(
            "UPDATE chats_reference SET lease_until = now() - interval '1 second' WHERE chat_id ="
            " (SELECT id FROM chats_chat WHERE call_id = %s) RETURNING id",
            caller.call_id,
        )
    return []


def facts(whole, caller):
    """Status and attempts of a caller's reference, how many fixes came of it, how often told."""
    return whole.rows(
        "SELECT r.status, r.attempts,"
        " (SELECT count(*) FROM chats_locationfix f WHERE f.reference_id = r.id),"
        " (SELECT count(*) FROM chats_chatevent e WHERE e.chat_id = r.chat_id"
        "  AND e.kind = 'location-fetched')"
        " FROM chats_reference r JOIN chats_chat c ON c.id = r.chat_id WHERE c.call_id = %s",
        caller.call_id,
    )[0]


def references_shown(whole, chat):
    """Return what a conversation's page says of references."""
    asked = urllib.request.Request(  # noqa: S310
        f"{whole.url}chats/{chat}/conversation/", headers={"Cookie": log_in(whole, "calltaker")}
    )
    with urllib.request.urlopen(asked, timeout=10) as reply:  # noqa: S310
        return json.load(reply)["references"]
