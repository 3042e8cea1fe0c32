"""Errands on a whole instance: from the header of a message to the screen, and with Redis gone."""

from collections.abc import Iterator

import pytest

from sipgateway.simulator.transport import Target
from tests.support.caller import Caller
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
