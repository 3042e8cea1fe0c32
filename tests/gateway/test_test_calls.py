"""Test calls (clause 6.1.2.10): answered by a machine, heard by nobody, bounded."""

import secrets
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.test import Client

from chats.models import Chat
from chats.services.incoming import IncomingFix
from chats.services.references import claim_references, record_location
from sipgateway.simulator import lmpe
from tests.gateway.test_bad_input import multipart
from tests.support.caller import Caller, kind_of, texts_of
from tests.support.eventually import eventually
from tests.support.rawsip import RawSip
from tests.support.record import GREETING, PUBLIC_URI

CIRCLE = (Path(__file__).parents[1] / "data/pidflo/circle.xml").read_bytes()
IN_WORDS = "42.54630 N, 73.25120 W, within 850.2 m"
NAME = "Leitstelle Test"
TEST = "urn:service:sos.test"


@pytest.fixture(scope="module", autouse=True)
def limits(record):
    """Configured before the module's gateway starts."""
    record.configure(name=NAME, test_interval=120, test_limit=1000)


def a_caller() -> Caller:
    """Somebody who has never tested before."""
    return Caller(uri=f"sip:{secrets.token_hex(6)}@127.0.0.1:9")


def row(record, caller, *columns):
    names = ", ".join(columns)
    found = record.rows(
        f"SELECT {names} FROM chats_chat WHERE call_id = %s",  # noqa: S608
        caller.call_id,
    )
    return found[0] if found else None


async def answer_to(app, caller, uri=TEST, **parts):
    """Test, and return the answer; nothing else may have come."""
    before = len(app.requests)
    response = await app.exchange(caller.start(uri=uri, **parts))
    assert response.status == 200
    await app.until(lambda: len(app.requests) > before, within=10)
    return app.requests[before]


async def refused(app, caller, uri=TEST):
    return (await app.exchange(caller.start(uri=uri))).status == 486


@pytest.mark.conformance(
    "6.1.2.10-1", "6.1.2.10-3", "6.1.2.10-4", "6.1.2.10-5", "6.1.2.10-8", "6.1.2.10-10"
)
@pytest.mark.parametrize(
    "uri",
    [TEST, "urn:service:sos.fire.test", "urn:service:test.sos", "urn:service:test.sos.fire"],
)
async def test_a_test_is_closed_at_once_with_three_lines(gateway, record, uri):
    caller = a_caller()
    located = multipart(("application/pdf", b"%PDF"), ("application/pidf+xml", CIRCLE))
    async with RawSip(gateway.target()) as app:
        answer = await answer_to(app, caller, uri, **located)
        await eventually(
            lambda: record.outgoing(record.chat_id(caller.call_id))[0][1] == "delivered",
            "delivered",
        )
    assert [kind_of(request) for request in app.requests] == [lmpe.STOP]
    assert answer.body.decode() == f"{NAME}\r\n{uri}\r\n{IN_WORDS}"
    assert answer.header("content-type") == "text/plain;charset=utf-8"
    assert lmpe.identify(answer).call_id == caller.call_id
    assert lmpe.identify(answer).msg_id == 1
    assert answer.header("reply-to") == PUBLIC_URI
    record.verify(record.chat_id(caller.call_id))


async def test_a_test_does_not_ring_and_stands_in_a_list_of_its_own(gateway, record):
    """Red when a test opens as any other chat, also one with an introduction as a real start."""
    caller = a_caller()
    async with RawSip(gateway.target()) as app:
        await answer_to(app, caller, body=b"Anna Berg, 1980, allergisch gegen Nuesse")
    found = row(record, caller, "test", "ringing_since", "disposition", "session", "ended_by")
    assert found == (True, None, "test", "stopped", "system")
    chat = record.chat_id(caller.call_id)
    events = [event["kind"] for event in record.export(chat)["events"]]
    assert events[:4] == ["chat-opened", "message-received", "session-stopped", "chat-closed"]
    assert "test-answered" in events
    listed = record.run(list_of_tests)
    assert listed[0]["chat"] == str(chat) and listed[0]["test"]


def list_of_tests():
    client = Client(headers={"host": "localhost"})
    assert client.get("/chats/tests/").status_code == 401
    client.login(username="cora", password="secret")
    return client.get("/chats/tests/").json()["chats"]


async def test_without_a_location_the_answer_says_so(gateway):
    async with RawSip(gateway.target()) as app:
        answer = await answer_to(app, a_caller())
    assert answer.body.decode().split("\r\n")[2] == "No location came with the test."


async def test_the_dialect_asks_for_a_test_in_a_header_field(gateway, record):
    caller = a_caller()
    async with RawSip(gateway.target()) as app:
        answer = await answer_to(
            app, caller, "sip:112@example.org", headers=(("X-Dec112-Test", "True"),)
        )
    assert kind_of(answer) == lmpe.STOP
    assert row(record, caller, "disposition") == ("test",)


BY_REFERENCE = (("Geolocation", "<https://lis.example.org/held/1>"),)


@pytest.mark.conformance("6.1.2.10-11")
async def test_a_location_by_reference_is_waited_for(gateway, record):
    """Red when the answer leaves at once."""
    caller = a_caller()
    async with RawSip(gateway.target()) as app:
        await app.exchange(caller.start(uri=TEST, headers=BY_REFERENCE))
        chat = await eventually(lambda: record.chat_id(caller.call_id), "it is on the record")
        due = row(record, caller, "session_due")[0]
        assert due and app.requests == []
        record.run(fetch, chat)
        await app.until(lambda: bool(app.requests))
        assert datetime.now(UTC) < due, "before its deadline, once the location is there"
    assert app.requests[0].body.decode() == f"{NAME}\r\n{TEST}\r\n48.20849 N, 16.37208 E"
    record.verify(chat)


def fetch(chat):
    """Put on the record what the worker fetches."""
    now = datetime.now(UTC)
    (due,) = claim_references(now=now, most=10, per_host=10, busy={})
    assert due.chat_id == chat and due.test
    fix = IncomingFix("Point", 48.20849, 16.37208, None, "", None)
    record_location(due=due, fixes=[fix], http_status=200, now=now)


async def test_a_location_that_does_not_come_is_not_waited_for_long(gateway, record):
    caller = a_caller()
    async with RawSip(gateway.target()) as app:
        answer = await answer_to(app, caller, headers=BY_REFERENCE)
    assert answer.body.decode().split("\r\n")[2] == "The location could not be fetched."
    assert row(record, caller, "session_due") == (None,)


@pytest.mark.conformance("6.1.2.10-6", "6.1.2.10-7", "6.1.2.10-12")
async def test_the_same_source_may_not_test_twice_in_two_minutes(gateway, record):
    caller, other = a_caller(), a_caller()
    async with RawSip(gateway.target()) as app:
        await answer_to(app, caller)
        again = Caller(uri=caller.uri.replace("127.0.0.1:9", "127.0.0.1:10"))
        assert await refused(app, again), "another call, another port, the same source"
        assert row(record, again, "id") is None, "it costs no row"
        await answer_to(app, other)


async def test_a_restart_does_not_forget_who_has_tested(gateway, record):
    """Red without the seed at the start."""
    caller = a_caller()
    async with RawSip(gateway.target()) as app:
        sent = caller.start(uri=TEST)
        await app.exchange(sent)
        await app.until(lambda: bool(app.requests))
    gateway.restart()
    async with RawSip(gateway.target()) as app:
        assert await refused(app, Caller(uri=caller.uri))
        assert (await app.exchange(sent)).status == 200, "a repetition of what was taken is"
    assert len(record.texts_in(caller.call_id)) == 1


async def until_taken(app):
    """Test from ever new sources until the gateway takes one."""
    while await refused(app, a_caller()):
        pass


async def until_refused(app):
    while not await refused(app, a_caller()):
        pass


@pytest.mark.conformance("6.1.2.10-9", "6.1.2.10-7")
async def test_tests_can_be_switched_off(gateway, record, limits_restored):
    record.configure(test_calls=False)
    async with RawSip(gateway.target()) as app:
        await until_refused(app)
        assert await refused(app, a_caller())
        real = a_caller()
        assert (await app.exchange(real.start())).status == 200
        await app.until(lambda: GREETING in texts_of(app.requests, lmpe.START))


@pytest.mark.conformance("6.1.2.10-6", "6.1.2.10-7")
async def test_no_more_tests_are_taken_than_the_limit_of_a_minute(gateway, record, limits_restored):
    record.configure(test_limit=3)
    async with RawSip(gateway.target()) as app:
        await until_refused(app)
        assert await refused(app, a_caller())


@pytest.fixture
async def limits_restored(gateway, record):
    yield
    record.configure(test_calls=True, test_limit=1000)
    async with RawSip(gateway.target()) as app:
        await until_taken(app)


async def test_signs_of_life_in_a_test_do_not_ring(gateway, record):
    caller = a_caller()
    async with RawSip(gateway.target()) as app:
        await answer_to(app, caller)
        await app.exchange(caller.heartbeat())
        await app.exchange(caller.stop("Test beendet"))
        chat = record.chat_id(caller.call_id)
        await eventually(lambda: len(record.texts_in(caller.call_id)) == 3, "both are there")
    found = row(record, caller, "session", "disposition", "ringing_since")
    assert found == ("stopped", "test", None)
    record.verify(chat)


async def test_a_human_who_writes_in_a_test_rings(gateway, record):
    """Red when a test stays a test whatever is written in it."""
    caller = a_caller()
    async with RawSip(gateway.target()) as app:
        await answer_to(app, caller)
        await app.exchange(caller.say("Hilfe, es brennt wirklich!", uri=TEST))
        await app.until(lambda: GREETING in texts_of(app.requests, lmpe.START))
        chat = record.chat_id(caller.call_id)
    session, disposition, ringing, test = row(
        record, caller, "session", "disposition", "ringing_since", "test"
    )
    assert (session, disposition, test) == ("open", None, True) and ringing
    record.verify(chat)
    assert record.run(lambda: Chat.objects.get(pk=chat).owner) is None


async def test_a_human_whose_test_was_refused_rings(gateway, record):
    caller = a_caller()
    async with RawSip(gateway.target()) as app:
        await answer_to(app, Caller(uri=caller.uri))
        assert await refused(app, caller)
        await app.exchange(caller.heartbeat())
        await app.exchange(caller.say("Ist da jemand?", uri=TEST))
        await app.until(lambda: GREETING in texts_of(app.requests, lmpe.START))
    assert row(record, caller, "ringing_since")[0]


async def test_a_real_start_in_the_chat_of_a_test_rings(gateway, record):
    caller = a_caller()
    async with RawSip(gateway.target()) as app:
        await answer_to(app, caller)
        await app.exchange(caller.start("Jetzt wirklich"))
        await app.until(lambda: GREETING in texts_of(app.requests, lmpe.START))
    assert row(record, caller, "session", "disposition", "test") == ("open", None, True)
