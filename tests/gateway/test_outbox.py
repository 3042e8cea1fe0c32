"""A call-taker's texts on their way out: in order, one at a time, each to its end."""

from contextlib import asynccontextmanager

import pytest

from sipgateway.simulator import lmpe
from tests.support.caller import Caller, texts_of
from tests.support.eventually import eventually
from tests.support.rawsip import RawSip
from tests.support.record import GREETING


@asynccontextmanager
async def answered_chat(gateway, record, transport="TCP"):
    """Yield an app's socket, its caller and the id of its chat, which `cora` has answered."""
    caller = Caller(transport)
    async with RawSip(gateway.target(transport.lower())) as app:
        await app.exchange(caller.start())
        await app.until(lambda: bool(app.requests))
        chat = record.chat_id(caller.call_id)
        record.claim(chat)
        await until_status(record, chat, "delivered")
        yield app, caller, chat


async def until_status(record, chat, *statuses, within=5.0):
    """Wait until our messages have these statuses; the last ones count."""
    await eventually(
        lambda: tuple(s for _, s in record.outgoing(chat))[-len(statuses) :] == statuses,
        f"{statuses}",
        within,
    )


def arrivals(app, text):
    return [r for r in app.requests if r.body.decode() == text]


@pytest.mark.conformance("6.1.2.7-7", "6.1.2.7-8", "6.1.2.7-9", "6.2.3-1", "6.2.3-4")
async def test_texts_arrive_in_order_with_rising_msg_ids(gateway, record):
    async with answered_chat(gateway, record) as (app, _, chat):
        for number in range(10):
            record.send(chat, f"Text {number}")
        await app.until(lambda: len(texts_of(app.requests)) == 10)
        await until_status(record, chat, *["delivered"] * 10)

    assert texts_of(app.requests) == [f"Text {number}" for number in range(10)]
    assert [lmpe.identify(r).msg_id for r in app.requests] == list(range(1, 12))
    assert len({r.header("call-id") for r in app.requests}) == 11
    record.verify(chat)


async def test_the_second_text_waits_until_the_first_is_answered(gateway, record):
    """Red without the `NOT EXISTS` of the outbox's claim: RFC 3428 8."""
    async with (
        answered_chat(gateway, record) as (app, _, chat),
        answered_chat(gateway, record) as (witness, _, other),
    ):
        app.answer_status = None
        record.send(chat, "eins")
        record.send(chat, "zwei")
        record.send(other, "anderswo")
        await app.until(lambda: texts_of(app.requests) == ["eins"])
        await until_status(record, other, "delivered")
        record.send(other, "noch einmal")
        await until_status(record, other, "delivered", "delivered")
        assert texts_of(app.requests) == ["eins"]
        app.answer(app.requests[-1])
        await app.until(lambda: texts_of(app.requests) == ["eins", "zwei"])


@pytest.mark.parametrize("status", [404, 480])
async def test_an_app_that_is_away_gets_its_texts_in_order_when_it_shows_itself(
    gateway, record, status
):
    async with answered_chat(gateway, record) as (app, caller, chat):
        app.answer_status = status
        record.send(chat, "eins")
        record.send(chat, "zwei")
        await until_status(record, chat, "deferred", "queued")
        refused = app.requests[-1]
        app.answer_status = 200
        await app.exchange(caller.heartbeat())
        await until_status(record, chat, "delivered", "delivered")

    assert [t for t in texts_of(app.requests) if t == "zwei"] == ["zwei"]
    assert texts_of(app.requests)[-2:] == ["eins", "zwei"]
    again = arrivals(app, "eins")[-1]
    assert lmpe.identify(again).msg_id == lmpe.identify(refused).msg_id
    assert again.branch != refused.branch  # a new request, since the old has its final answer


async def test_a_text_for_an_app_that_stays_away_is_not_tried_again(gateway, record):
    """Red when a deferred text is requeued by a sign of life from before it was sent."""
    async with (
        answered_chat(gateway, record) as (app, _, chat),
        answered_chat(gateway, record) as (_, busy, other),
    ):
        app.answer_status = 480
        record.send(chat, "eins")
        await until_status(record, chat, "deferred")
        seen = record.value("SELECT last_sign_of_life FROM chats_chat WHERE id = %s", other)
        # Two flushes of signs of life, of somebody else's app:
        for _ in range(2):
            async with RawSip(gateway.target()) as elsewhere:
                await elsewhere.exchange(busy.heartbeat())
            seen = await eventually(
                lambda since=seen: newer_sign(record, other, since), "a sign of life is written"
            )
        assert texts_of(app.requests) == ["eins"]
        await until_status(record, chat, "deferred")


def newer_sign(record, chat, since):
    now = record.value("SELECT last_sign_of_life FROM chats_chat WHERE id = %s", chat)
    return now if now > since else None


async def test_a_busy_app_is_tried_again_with_a_new_request(gateway, record):
    async with answered_chat(gateway, record) as (app, _, chat):
        app.answer_status = 503
        record.send(chat, "noch einmal")
        await app.until(lambda: len(arrivals(app, "noch einmal")) == 1)
        app.answer_status = 200
        await until_status(record, chat, "delivered")

    first, second = arrivals(app, "noch einmal")
    assert first.branch != second.branch
    assert lmpe.identify(first) == lmpe.identify(second)


@pytest.mark.parametrize("status", [403, 415, 603])
async def test_a_refused_text_fails_with_its_cause_and_the_next_goes_on(gateway, record, status):
    async with answered_chat(gateway, record) as (app, _, chat):
        app.answer_status = status
        message = record.send(chat, "nein")
        await until_status(record, chat, "failed")
        app.answer_status = 200
        record.send(chat, "doch")
        await until_status(record, chat, "failed", "delivered")

    cause = record.value("SELECT cause FROM chats_outboxentry WHERE message_id = %s", message)
    assert cause.startswith(str(status))
    assert record.export(chat)["messages"][-2]["sipStatus"] == status


async def test_a_lost_datagram_is_repeated_with_identical_bytes(gateway, record):
    """Timer E, RFC 3261 17.1.2.2."""
    async with answered_chat(gateway, record, "UDP") as (app, _, chat):
        app.answer_status = None
        record.send(chat, "hören Sie mich?")
        await app.until(lambda: len(arrivals(app, "hören Sie mich?")) == 3)
        app.answer_status = 200
        await until_status(record, chat, "delivered")

    repeats = [raw for raw in app.raw_requests if "hören Sie mich?".encode() in raw]
    assert len(set(repeats)) == 1


@pytest.mark.conformance("6.2.4-1", "6.2.4-4", "6.2.4-5")
async def test_closing_sends_a_stop_with_the_text_after_all_texts_before_it(gateway, record):
    async with answered_chat(gateway, record) as (app, _, chat):
        record.send(chat, "Die Feuerwehr kommt")
        record.close_chat(chat, "Alles Gute")
        await app.until(lambda: bool(texts_of(app.requests, lmpe.STOP)))
        await until_status(record, chat, "delivered", "delivered")

    assert [r.body.decode() for r in app.requests] == [
        GREETING,
        "Die Feuerwehr kommt",
        "Alles Gute",
    ]
    export = record.export(chat)
    assert (export["session"], export["endedBy"], export["disposition"]) == (
        *("stopped", "calltaker"),
        "resolved",
    )
    record.verify(chat)


@pytest.mark.conformance("6.1.2.2-3")
async def test_a_stand_alone_message_is_answered_without_call_info(gateway, record):
    caller = Caller()
    text = f"Ohne Kennung {caller.unique_part}"
    async with RawSip(gateway.target()) as app:
        await app.exchange(caller.message(lmpe.IN_CHAT, text, call_info=()))
        chat = await eventually(
            lambda: record.value("SELECT chat_id FROM chats_message WHERE text = %s", text),
            "the chat is there",
        )
        record.claim(chat)
        record.send(chat, "Wer schreibt?")
        await app.until(lambda: bool(app.requests))
    assert app.requests[0].body.decode() == "Wer schreibt?"
    assert not app.requests[0].has("call-info")
