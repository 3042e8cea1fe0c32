"""Session mode in detail (clauses 6.2.2 to 6.2.5): MsgIds, stops from both ends, what they undo."""

from contextlib import asynccontextmanager

import pytest

from sipgateway.simulator import lmpe
from tests.gateway.test_outbox import answered_chat
from tests.support.caller import Caller, kind_of, texts_of
from tests.support.eventually import eventually
from tests.support.rawsip import RawSip

PICTURE = {"content_type": "image/png", "body": b"\x89PNG\r\n"}


@pytest.fixture(scope="module", autouse=True)
def quick_heartbeats(record):
    """Configured before the module's gateway starts."""
    record.configure(heartbeat_interval=1)


def flags_of(record, caller):
    """The flags of each message of the caller that say something of its MsgId, by MsgId."""
    rows = record.rows(
        "SELECT m.msg_id, m.flags FROM chats_message m JOIN chats_chat c ON c.id = m.chat_id"
        " WHERE c.call_id = %s AND m.direction = 'in' ORDER BY m.id",
        caller.call_id,
    )
    known = {"msg-id-gap", "out-of-order", "msg-id-repeated"}
    return [(msg_id, flag) for msg_id, flags in rows for flag in flags if flag in known]


async def received(record, caller, count):
    await eventually(lambda: len(record.texts_in(caller.call_id)) == count, f"{count} messages")


@pytest.mark.conformance("6.2.3-2")
async def test_a_gap_that_nothing_explains_is_noted_quietly(gateway, record):
    caller = Caller()
    async with RawSip(gateway.target()) as app:
        await app.exchange(caller.start())
        await app.exchange(caller.say("eins"))
        caller.msg_id += 1  # lost on its way
        await app.exchange(caller.say("drei"))
        await app.exchange(caller.say("vier"))
        await received(record, caller, 4)
    assert flags_of(record, caller) == [(4, "msg-id-gap")]


async def test_a_gap_that_heartbeats_have_made_is_none(gateway, record):
    """Red when heartbeats that were answered from memory don't count: real clients number them."""
    caller = Caller()
    async with RawSip(gateway.target()) as app:
        await app.exchange(caller.start())
        await received(record, caller, 1)
        for _ in range(3):
            await app.exchange(caller.heartbeat())
        await app.exchange(caller.say("fünf"))
        await received(record, caller, 2)
        await app.exchange(caller.heartbeat())
        caller.msg_id += 1
        await app.exchange(caller.say("acht"))
        await received(record, caller, 3)
    assert flags_of(record, caller) == [(8, "msg-id-gap")]


async def test_after_a_restart_of_ours_no_gap_is_made_out_of_forgotten_heartbeats(gateway, record):
    caller = Caller()
    async with RawSip(gateway.target()) as app:
        await app.exchange(caller.start())
        await received(record, caller, 1)
        for _ in range(3):
            await app.exchange(caller.heartbeat())
    gateway.restart()
    async with RawSip(gateway.target()) as app:
        await app.exchange(caller.say("noch da"))
        await received(record, caller, 2)
        caller.msg_id += 1
        await app.exchange(caller.say("und weiter"))
        await received(record, caller, 3)
    assert flags_of(record, caller) == [(7, "msg-id-gap")]


async def test_an_app_that_begins_anew_counts_anew(gateway, record):
    """Red when only the highest MsgId is kept: each message after a restart was out of order."""
    caller = Caller()
    async with RawSip(gateway.target()) as app:
        await app.exchange(caller.start())
        for text in ("eins", "zwei", "drei"):
            await app.exchange(caller.say(text))
        caller.msg_id = 0
        await app.exchange(caller.start("noch einmal"))
        await app.exchange(caller.say("weiter"))
        await received(record, caller, 6)
        assert flags_of(record, caller) == []
        caller.msg_id = 0
        await app.exchange(caller.say("alt"))
        await app.exchange(caller.say("doppelt"))
        await received(record, caller, 8)
    assert flags_of(record, caller) == [(1, "out-of-order"), (2, "msg-id-repeated")]


def statuses(record, chat):
    return [status for _, status in record.outgoing(chat)]


@asynccontextmanager
async def text_under_way(gateway, record):
    """A chat whose app has got our text "eins" and has not answered it."""
    async with answered_chat(gateway, record) as (app, caller, chat):
        app.answer_status = None
        record.send(chat, "eins")
        await app.until(lambda: texts_of(app.requests) == ["eins"])
        yield app, caller, chat


def answer_text(app, status=200):
    """Let the app answer that text, and from then on everything."""
    app.answer_status = status
    app.answer(next(r for r in app.requests if r.body == b"eins"), status)


@pytest.mark.conformance("6.2.4-1", "6.2.4-2")
async def test_a_stop_of_the_app_cancels_what_we_have_not_sent(gateway, record):
    """Red without the cancelling: the texts went to an app that had ended the chat."""
    async with text_under_way(gateway, record) as (app, caller, chat):
        record.send(chat, "zwei")
        await app.exchange(caller.stop())
        await eventually(lambda: "cancelled" in statuses(record, chat), "the second is cancelled")
        answer_text(app)
        await eventually(
            lambda: statuses(record, chat) == ["delivered", "delivered", "cancelled"], "settled"
        )
    assert texts_of(app.requests) == ["eins"]
    changed = [e for e in record.export(chat)["events"] if e["kind"] == "delivery-changed"]
    assert len(changed) == 3
    record.verify(chat)


@pytest.mark.parametrize("status", [404, 480, 503])
async def test_what_was_under_way_when_the_app_stopped_is_not_tried_again(gateway, record, status):
    """Red without the moot check: it stayed *deferred* for ever, or was sent five times more."""
    async with text_under_way(gateway, record) as (app, caller, chat):
        await app.exchange(caller.stop())
        await eventually(lambda: record.export(chat)["session"] == "stopped", "stopped")
        answer_text(app, status)
        await eventually(lambda: statuses(record, chat)[-1] == "cancelled", "it is given up")
    record.verify(chat)


@pytest.mark.conformance("6.2.4-1", "6.2.4-4")
@pytest.mark.parametrize("status", [200, 404, 481, 503])
async def test_stops_that_cross_leave_no_ghost(gateway, record, status):
    """Ours is on its way when theirs arrives: whatever they answer, all is settled."""
    async with answered_chat(gateway, record) as (app, caller, chat):
        app.answer_status = None
        record.close_chat(chat, "Alles Gute")
        await app.until(lambda: bool(texts_of(app.requests, lmpe.STOP)))
        await app.exchange(caller.stop("Danke"))
        await received(record, caller, 2)
        app.answer(next(r for r in app.requests if kind_of(r) == lmpe.STOP), status)
        expected = {200: "delivered", 481: "failed"}.get(status, "cancelled")
        await eventually(lambda: statuses(record, chat)[-1] == expected, expected)
    export = record.export(chat)
    assert (export["session"], export["endedBy"], export["disposition"]) == (
        *("stopped", "calltaker"),
        "resolved",
    )
    record.verify(chat)


async def test_our_stop_that_still_waits_is_cancelled_by_theirs(gateway, record):
    async with text_under_way(gateway, record) as (app, caller, chat):
        record.close_chat(chat, "Alles Gute")
        await app.exchange(caller.stop())
        await eventually(lambda: statuses(record, chat)[-1] == "cancelled", "it is cancelled")
        answer_text(app)
        await eventually(lambda: statuses(record, chat)[1] == "delivered", "the text is settled")
    assert lmpe.STOP not in map(kind_of, app.requests)
    record.verify(chat)


async def test_our_stop_does_not_end_a_chat_that_was_opened_again_meanwhile(gateway, record):
    """Red without CANCEL on REOPEN: the app ended a chat that was open and rang here."""
    async with text_under_way(gateway, record) as (app, caller, chat):
        record.close_chat(chat, "Alles Gute")
        await app.exchange(caller.say("Halt, doch nicht!"))
        await eventually(lambda: record.export(chat)["session"] == "open", "open again")
        assert statuses(record, chat) == ["delivered", "sending", "cancelled"]
        answer_text(app)
        await eventually(lambda: statuses(record, chat)[1] == "delivered", "the text is settled")
    assert lmpe.STOP not in map(kind_of, app.requests)
    record.verify(chat)


async def test_a_farewell_reaches_an_app_that_was_away_when_it_shows_itself(gateway, record):
    """Red when signs of life count for open chats alone: the app believed in the chat for ever."""
    async with answered_chat(gateway, record) as (app, caller, chat):
        app.answer_status = 480
        record.close_chat(chat, "Alles Gute")
        await eventually(lambda: statuses(record, chat)[-1] == "deferred", "it is away")
        app.answer_status = 200
        await app.exchange(caller.heartbeat())
        await eventually(lambda: statuses(record, chat)[-1] == "delivered", "it is told")
    assert record.export(chat)["session"] == "stopped"


@pytest.mark.conformance("A.5-2")
@pytest.mark.parametrize("msg_type", [259, 265, 300])
async def test_a_late_text_of_whatever_type_opens_the_chat_again(gateway, record, msg_type):
    caller = Caller()
    async with RawSip(gateway.target()) as app:
        await app.exchange(caller.start())
        await app.exchange(caller.stop())
        await app.exchange(caller.message(msg_type, "Es brennt wieder!"))
        await received(record, caller, 3)
    chat = record.chat_id(caller.call_id)
    assert record.export(chat)["session"] == "open"
    assert record.value("SELECT recovered FROM chats_chat WHERE id = %s", chat)
    record.verify(chat)


async def test_a_late_picture_opens_the_chat_again(gateway, record):
    """Red when only texts count as said: a human had chosen it, and nobody would have seen it."""
    caller = Caller()
    async with RawSip(gateway.target()) as app:
        await app.exchange(caller.start())
        await app.exchange(caller.stop())
        await app.exchange(caller.message(259, **PICTURE))
        await received(record, caller, 3)
    assert record.export(record.chat_id(caller.call_id))["session"] == "open"
