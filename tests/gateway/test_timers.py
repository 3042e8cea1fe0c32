"""What happens when transactions have timed out, on a copy whose T1 is ten times shorter.

Timers F and J are 64 * T1: 3.2 s here instead of 32 s. Nothing else differs from the project.
"""

import pytest

from sipgateway.simulator import lmpe
from tests.support.caller import Caller, texts_of
from tests.support.copies import altered_copy
from tests.support.eventually import eventually
from tests.support.gateway import running_gateway
from tests.support.rawsip import RawSip

TIMER_F = TIMER_J = 64 * 0.05
# A row that the journal has already draws a key all the same.
DRAWN = "SELECT last_value FROM chats_journal_id_seq"
BOTH = pytest.mark.parametrize("transport", ["udp", "tcp"])


@pytest.fixture(scope="module")
def gateway(record, tmp_path_factory):
    directory = tmp_path_factory.mktemp("hasty")
    root = altered_copy(
        directory, {"sipgateway/protocol/timers.py": ("\nT1 = 0.5\n", "\nT1 = 0.05\n")}
    )
    with running_gateway(record.database_url, directory, root=root) as running:
        yield running


async def answered(app, caller, record):
    await app.exchange(caller.start())
    await app.until(lambda: bool(app.requests))
    chat = record.chat_id(caller.call_id)
    record.claim(chat)
    return chat


@BOTH
async def test_a_text_without_any_answer_is_repeated_with_identical_bytes_after_timer_f(
    gateway, record, transport
):
    """Red when silence makes a new request: an app that had it would show it twice."""
    caller = Caller(transport.upper())
    async with RawSip(gateway.target(transport)) as app:
        chat = await answered(app, caller, record)
        app.answer_status = None
        message = record.send(chat, "Hören Sie mich?")
        await app.until(lambda: bool(texts_of(app.requests)))
        await eventually(
            lambda: (
                record.value(
                    "SELECT attempts FROM chats_outboxentry WHERE message_id = %s", message
                )
                == 2
            ),
            "a second attempt",
            4 * TIMER_F,
        )
        app.answer_status = 200
        await eventually(
            lambda: record.outgoing(chat)[-1][1] == "delivered", "delivered", 4 * TIMER_F
        )

    sent = [raw for raw in app.raw_requests if raw.endswith("Hören Sie mich?".encode())]
    assert len(sent) > 1
    assert len(set(sent)) == 1


@BOTH
async def test_texts_for_a_lost_app_wait_and_leave_in_order_when_it_is_heard_again(
    gateway, record, transport
):
    """Clause 6.2.5: nothing is tried for ever at an app that is lost."""
    record.configure(lost_after=2)
    caller = Caller(transport.upper())
    async with RawSip(gateway.target(transport)) as app:
        chat = await answered(app, caller, record)
        app.answer_status = None
        record.send(chat, "eins")
        record.send(chat, "zwei")
        await eventually(
            lambda: [s for _, s in record.outgoing(chat)[1:]] == ["deferred", "queued"],
            "deferred, since the app is lost",
            6 * TIMER_F,
        )
        app.answer_status = 200
        seen = len(app.requests)
        await app.exchange(caller.heartbeat())
        await app.until(lambda: texts_of(app.requests[seen:]) == ["eins", "zwei"])
    record.verify(chat)


async def test_a_retransmission_after_timer_j_is_answered_and_stored_once(gateway, record):
    """As after 40 s; red without the unique request_key of the journal."""
    caller = Caller("UDP")
    data = caller.start("nur einmal")
    async with RawSip(gateway.target("udp")) as app:
        await app.exchange(data)
        await app.until(lambda: bool(app.requests))
        drawn = record.value(DRAWN)

        def reaches_the_journal_again():
            app.send(data)
            return record.value(DRAWN) > drawn

        await eventually(reaches_the_journal_again, "Timer J fires", 4 * TIMER_J)
        answers = len(app.responses)
        await app.until(lambda: len(app.responses) > answers)
        assert {response.status for response in app.responses} == {200}
        assert (await app.exchange(caller.say("danach"))).status == 200
        await eventually(lambda: "danach" in record.texts_in(caller.call_id), "the next is there")
    assert record.texts_in(caller.call_id) == ["nur einmal", "danach"]
    assert len(texts_of(app.requests, lmpe.START)) == 1
