"""Signs of life both ways, their absence, and what comes after the end (clauses 6.2.4, 6.2.5)."""

import pytest

from sipgateway.simulator import lmpe
from tests.support.caller import Caller, kind_of
from tests.support.eventually import eventually
from tests.support.rawsip import RawSip

LOST_AFTER = 3


@pytest.fixture(scope="module", autouse=True)
def quick_heartbeats(record):
    record.configure(heartbeat_interval=1)


@pytest.fixture
def quickly_lost(record):
    record.configure(lost_after=LOST_AFTER)
    yield
    record.configure(lost_after=45)


def state(record, chat):
    export = record.export(chat)
    return export["session"], export["liveness"]


async def started(app, caller, record):
    await app.exchange(caller.start())
    await app.until(lambda: bool(app.requests))
    return record.chat_id(caller.call_id)


@pytest.mark.conformance("6.2.5-2")
async def test_our_heartbeats_go_on_in_an_open_chat_without_msg_id_and_rows(gateway, record):
    caller = Caller()
    async with RawSip(gateway.target()) as app:
        chat = await started(app, caller, record)
        await app.until(lambda: len(app.requests) == 4, within=15)
        assert [kind_of(request) for request in app.requests[1:]] == [lmpe.HEARTBEAT] * 3
        assert {lmpe.identify(request).msg_id for request in app.requests[1:]} == {None}
        assert {request.body for request in app.requests[1:]} == {b""}
        assert len({request.branch for request in app.requests}) == 4
    assert [m["type"] for m in record.export(chat)["messages"]] == [257, 257]


async def test_our_heartbeats_end_when_a_call_taker_closes_the_chat(gateway, record):
    """Red when only what arrives ends a chat in memory: they went on until the next restart."""
    closed, witness = Caller(), Caller()
    target = gateway.target()
    async with RawSip(target) as app, RawSip(target) as other:
        chat = await started(app, closed, record)
        await started(other, witness, record)
        record.claim(chat)
        record.close_chat(chat)
        await app.until(lambda: lmpe.STOP in map(kind_of, app.requests))
        beats, seen = len(other.requests), len(app.requests)
        await other.until(lambda: len(other.requests) == beats + 3, within=15)
        seen = len(app.requests)  # what was on its way is; from here on there is nothing
        await other.until(lambda: len(other.requests) == beats + 6, within=15)
        assert len(app.requests) == seen


async def test_an_app_that_has_not_acknowledged_the_greeting_gets_no_heartbeat(gateway, record):
    silent, witness = Caller(), Caller()
    target = gateway.target()
    async with RawSip(target, answer_requests=False) as deaf, RawSip(target) as app:
        await started(deaf, silent, record)
        await started(app, witness, record)
        await app.until(lambda: len(app.requests) == 3, within=15)
        assert [kind_of(request) for request in deaf.requests] == [lmpe.START]


@pytest.mark.conformance("6.2.5-1")
async def test_empty_heartbeats_keep_a_chat_alive_without_a_row_each(gateway, record, quickly_lost):
    """Red without Presence.absorbs, or without the flush of what it absorbed."""
    caller = Caller()
    async with RawSip(gateway.target()) as app:
        chat = await started(app, caller, record)
        seen = heard = last_sign(record, chat)
        while (seen - heard).total_seconds() < LOST_AFTER + 1:
            assert (await app.exchange(caller.heartbeat())).status == 200
            seen = await eventually(
                lambda since=seen: later_sign(record, chat, since), "the sign is written"
            )
        assert state(record, chat) == ("open", "alive")
    assert len(record.texts_in(caller.call_id)) == 1


def last_sign(record, chat):
    return record.value("SELECT last_sign_of_life FROM chats_chat WHERE id = %s", chat)


def later_sign(record, chat, since):
    now = last_sign(record, chat)
    return now if now > since else None


async def test_silence_makes_a_chat_lost_and_a_heartbeat_brings_it_back(
    gateway, record, quickly_lost
):
    caller = Caller()
    async with RawSip(gateway.target()) as app:
        chat = await started(app, caller, record)
        await eventually(
            lambda: state(record, chat) == ("open", "lost"), "it is lost, not closed", 20
        )
        assert record.value("SELECT ringing_since FROM chats_chat WHERE id = %s", chat)
        await app.exchange(caller.heartbeat())
        await eventually(lambda: state(record, chat) == ("open", "alive"), "it is alive")
    events = [e["kind"] for e in record.export(chat)["events"]]
    assert events.count("liveness-changed") == 2
    record.verify(chat)


@pytest.mark.conformance("6.2.5-3")
async def test_an_app_in_the_background_is_told_apart(gateway, record):
    caller = Caller()
    async with RawSip(gateway.target()) as app:
        chat = await started(app, caller, record)
        await app.exchange(caller.heartbeat(inactive=True))
        await eventually(lambda: state(record, chat) == ("open", "background"), "in background")
        await app.exchange(caller.say("wieder vorn"))
        await eventually(lambda: state(record, chat) == ("open", "alive"), "alive")


@pytest.mark.conformance("6.2.4-1", "6.2.4-2")
async def test_a_stop_ends_the_session_and_our_heartbeats(gateway, record):
    ended, witness = Caller(), Caller()
    target = gateway.target()
    async with RawSip(target) as app, RawSip(target) as other:
        chat = await started(app, ended, record)
        await app.exchange(ended.stop())
        await eventually(lambda: state(record, chat) == ("stopped", "alive"), "stopped")
        sent = len(app.requests)
        await started(other, witness, record)
        await other.until(lambda: len(other.requests) == 4, within=15)
        assert len(app.requests) == sent
    assert record.export(chat)["endedBy"] == "caller"


async def test_a_late_text_after_a_stop_reopens_the_session(gateway, record):
    caller = Caller()
    async with RawSip(gateway.target()) as app:
        chat = await started(app, caller, record)
        await app.exchange(caller.stop())
        await eventually(lambda: state(record, chat)[0] == "stopped", "stopped")
        await app.exchange(caller.say("Es brennt wieder!"))
        await eventually(lambda: state(record, chat) == ("open", "alive"), "open again")
    export = record.export(chat)
    assert (export["endedBy"], export["endedAt"]) == (None, None)
    assert "session-reopened" in [event["kind"] for event in export["events"]]


async def test_a_late_text_to_a_closed_chat_rings_again(gateway, record):
    caller = Caller()
    async with RawSip(gateway.target()) as app:
        chat = await started(app, caller, record)
        record.claim(chat)
        record.close_chat(chat, "Alles Gute")
        await app.until(lambda: kind_of(app.requests[-1]) == lmpe.STOP)
        await app.exchange(caller.say("Hilfe, doch nicht!"))
        await eventually(lambda: state(record, chat)[0] == "open", "open again")
    export = record.export(chat)
    assert (export["disposition"], export["owner"]) == (None, None)
    assert record.value("SELECT ringing_since FROM chats_chat WHERE id = %s", chat)
    record.verify(chat)
