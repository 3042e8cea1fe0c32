"""What a gateway that died finds again when it comes back."""

from sipgateway.simulator import lmpe
from tests.support.caller import Caller, kind_of, texts_of
from tests.support.eventually import eventually
from tests.support.gateway import options_status
from tests.support.rawsip import RawSip, make_message
from tests.support.record import GREETING


async def answered(app, caller, record):
    await app.exchange(caller.start())
    await app.until(lambda: bool(app.requests))
    chat = record.chat_id(caller.call_id)
    record.claim(chat)
    return chat


async def test_queued_answers_leave_after_a_restart_in_their_order(gateway, record):
    """Red without the outbox as rows, or without taking back what a crash left leased."""
    caller = Caller("UDP")
    async with RawSip(gateway.target("udp")) as app:
        chat = await answered(app, caller, record)
        app.answer_status = None
        record.send(chat, "eins")
        await app.until(lambda: texts_of(app.requests) == ["eins"])
        gateway.kill()
        record.send(chat, "zwei")
        record.send(chat, "drei")
        app.answer_status = 200
        gateway.start()
        await app.until(lambda: texts_of(app.requests)[-2:] == ["zwei", "drei"])
        statuses = [status for _, status in record.outgoing(chat)]
        await eventually(
            lambda: {s for _, s in record.outgoing(chat)} == {"delivered"}, f"{statuses}"
        )

    first = [raw for raw in app.raw_requests if raw.endswith(b"eins")]
    assert len(first) >= 2 and len(set(first)) == 1  # what was under way comes as it was
    record.verify(chat)


async def test_a_retransmission_after_a_restart_is_answered_and_not_stored_again(gateway, record):
    """Red without ON CONFLICT on the journal's request_key: transactions died with the process."""
    caller = Caller("UDP")
    start, text = caller.start(), caller.say("nur einmal")
    async with RawSip(gateway.target("udp")) as app:
        for data in (start, text):
            await app.exchange(data)
        await eventually(lambda: len(record.texts_in(caller.call_id)) == 2, "both are there")
        gateway.restart()
        for data in (text, start, text):
            assert (await app.exchange(data)).status == 200
        assert (await app.exchange(caller.say("danach"))).status == 200
        await eventually(lambda: "danach" in record.texts_in(caller.call_id), "the next is there")
    assert record.texts_in(caller.call_id) == ["Hilfe!", "nur einmal", "danach"]
    greetings = {raw for raw in app.raw_requests if b":msgtype:257:" in raw}
    assert len(greetings) == 1  # at most repeated, never another


async def test_a_retransmission_within_the_transaction_gets_the_same_answer(gateway, record):
    caller = Caller("UDP")
    data = caller.start()
    async with RawSip(gateway.target("udp")) as app:
        answers = [await app.exchange(data) for _ in range(3)]
        assert answers[0] == answers[1] == answers[2]  # the tag in To included
        await app.until(lambda: bool(app.requests))
    assert record.texts_in(caller.call_id) == ["Hilfe!"]


async def test_heartbeats_go_on_in_chats_from_before_a_restart(gateway, record):
    record.configure(heartbeat_interval=1)
    caller = Caller("UDP")
    async with RawSip(gateway.target("udp")) as app:
        await answered(app, caller, record)
        gateway.restart()
        before = len(app.requests)
        await app.until(lambda: lmpe.HEARTBEAT in map(kind_of, app.requests[before:]), within=10)


async def test_an_orderly_end_says_0(gateway):
    assert gateway.stop() == 0
    gateway.start()


async def test_what_comes_before_the_configuration_was_read_is_understood_by_it(gateway, record):
    """Red when callers are identified on arrival, with nobody trusted yet (RFC 3325)."""
    caller = Caller("UDP")
    gateway.stop()
    with record.session() as holding:
        holding.execute("LOCK TABLE psap_trunk")
        gateway.launch()
        await eventually(lambda: options_status(gateway.port, 0.2), "it listens", 20)
        async with RawSip(gateway.target("udp")) as app:
            asserted = ("P-Asserted-Identity", "<sip:anna.known@example.org>")
            app.send(caller.start(headers=(asserted,)))
            await app.exchange(make_message(method="OPTIONS", body=b""))  # both have arrived
            holding.rollback()
            await app.until(lambda: len(app.responses) == 2 and bool(app.requests), 10)
    export = record.export(record.chat_id(caller.call_id))
    assert export["caller"]["uri"] == "sip:anna.known@example.org"
    assert app.requests[0].body.decode() == GREETING
