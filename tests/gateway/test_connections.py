"""One connection is reused for all messages of a chat in both directions (clause 6.1.1)."""

import asyncio
import socket
import struct

import pytest

from sipgateway.simulator import lmpe
from tests.support.caller import Caller, texts_of
from tests.support.eventually import eventually
from tests.support.rawsip import RawSip, make_message

BOTH = pytest.mark.parametrize("transport", ["udp", "tcp"])


async def answered(app, caller, record):
    """Start a chat, wait for its greeting and have a call-taker answer it; returns its id."""
    await app.exchange(caller.start())
    await app.until(lambda: bool(app.requests))
    chat = record.chat_id(caller.call_id)
    record.claim(chat)
    return chat


@pytest.mark.conformance("6.2.3-1")
@BOTH
async def test_answers_and_later_messages_return_on_the_way_that_the_chat_came(
    gateway, record, transport
):
    caller, other = Caller(transport.upper()), Caller(transport.upper())
    target = gateway.target(transport)
    async with RawSip(target) as app, RawSip(target) as stranger:
        chat = await answered(app, caller, record)
        await stranger.exchange(other.start())
        record.send(chat, "Wo sind Sie?")
        await app.until(lambda: texts_of(app.requests) == ["Wo sind Sie?"])
        await stranger.until(lambda: bool(stranger.requests))
    assert texts_of(stranger.requests) == []
    assert len(app.responses) == 1


@BOTH
async def test_a_text_goes_to_the_port_from_which_the_app_wrote_last(gateway, record, transport):
    caller = Caller(transport.upper())
    target = gateway.target(transport)
    async with RawSip(target) as app:
        chat = await answered(app, caller, record)
    async with RawSip(target) as app:
        await app.exchange(caller.say("Neues Netz"))
        await eventually(
            lambda: "Neues Netz" in record.texts_in(caller.call_id), "it is on its chat"
        )
        record.send(chat, "Ich sehe Sie")
        await app.until(lambda: texts_of(app.requests) == ["Ich sehe Sie"])


@BOTH
async def test_an_empty_heartbeat_from_another_port_moves_the_way_too(gateway, record, transport):
    caller = Caller(transport.upper())
    target = gateway.target(transport)
    async with RawSip(target) as app:
        chat = await answered(app, caller, record)
    async with RawSip(target) as app:
        await app.exchange(caller.heartbeat())
        record.send(chat, "Sind Sie noch da?")
        await app.until(lambda: texts_of(app.requests) == ["Sind Sie noch da?"])


async def test_a_text_under_way_on_a_connection_that_broke_comes_on_the_next(gateway, record):
    """Red as long as only Timer F (32 s) ends a transaction whose connection is gone."""
    caller = Caller()
    async with RawSip(gateway.target()) as app:
        chat = await answered(app, caller, record)
        app.answer_status = None
        record.send(chat, "Bleiben Sie dran")
        await app.until(lambda: texts_of(app.requests) == ["Bleiben Sie dran"])
        unanswered = app.raw_requests[-1]
    async with RawSip(gateway.target()) as app:
        await app.exchange(caller.say("Wieder da"))
        await app.until(lambda: texts_of(app.requests) == ["Bleiben Sie dran"], within=6)
        assert app.raw_requests[-1] == unanswered


async def test_messages_arrive_one_byte_at_a_time_and_fifty_in_a_segment(gateway, record):
    slow, quick = Caller(), Caller()
    async with RawSip(gateway.target()) as trickle, RawSip(gateway.target()) as burst:
        for byte in slow.start("Buchstabe für Buchstabe"):
            trickle.send(bytes([byte]))
        burst.send(b"".join([quick.start("0"), *(quick.say(str(n)) for n in range(1, 50))]))
        await burst.until(lambda: len(burst.responses) == 50)
        await trickle.until(lambda: len(trickle.responses) == 1)
        assert {r.status for r in burst.responses + trickle.responses} == {200}
        await eventually(
            lambda: record.texts_in(quick.call_id) == [str(n) for n in range(50)],
            "all, in order",
        )
        await eventually(
            lambda: record.texts_in(slow.call_id) == ["Buchstabe für Buchstabe"],
            "the slow one too",
        )


async def test_an_app_that_ends_its_half_of_the_connection_still_gets_its_answers(gateway, record):
    """As netcat and socat do after their input; red while the first end closes both ways."""
    caller = Caller()
    reader, writer = await asyncio.open_connection(gateway.target().host, gateway.target().port)
    writer.write(caller.start() + caller.say("zwei") + caller.stop())
    writer.write_eof()
    async with asyncio.timeout(10):
        answers = await reader.read()
    assert answers.count(b"SIP/2.0 200 OK\r\n") == 3
    assert b"MESSAGE sip:" not in answers  # it could not answer
    writer.close()
    await eventually(lambda: len(record.texts_in(caller.call_id)) == 3, "all three are there")


async def test_connections_that_are_reset_at_once_leave_no_error(gateway):
    """As a port scan does; red while the name of the peer is taken for granted."""
    target = gateway.target()
    for _ in range(50):
        with socket.create_connection((target.host, target.port)) as scan:
            scan.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    async with RawSip(target) as app:
        assert (await app.exchange(Caller().start())).status == 200
    assert "Traceback" not in gateway.log()


async def test_connections_that_say_half_a_message_keep_nobody_waiting(gateway):
    half = make_message()[:-3]
    idle = [await RawSip(gateway.target()).__aenter__() for _ in range(200)]
    try:
        for connection in idle:
            connection.send(half)
        async with RawSip(gateway.target()) as app, asyncio.timeout(2):
            assert (await app.exchange(Caller().start())).status == 200
    finally:
        for connection in idle:
            connection.close()


async def test_an_answer_finds_its_way_by_rport_else_by_the_sent_by_port(gateway):
    """RFC 3581, RFC 3261 18.2.2; red without `way_back`."""
    async with RawSip(gateway.target("udp")) as sender, RawSip(gateway.target("udp")) as named:
        via = f"127.0.0.1:{named.local[1]}".encode()
        asks = make_message(branch="z9hG4bKasks").replace(b"client.invalid:5060", via)
        plain = make_message(branch="z9hG4bKplain").replace(b"client.invalid:5060", via)
        sender.send(asks)
        sender.send(plain.replace(b";rport", b""))
        await sender.until(lambda: bool(sender.responses))
        await named.until(lambda: bool(named.responses))
    assert [r.branch for r in sender.responses] == ["z9hG4bKasks"]
    assert [r.branch for r in named.responses] == ["z9hG4bKplain"]
    stamped = sender.responses[0].header("via")
    assert f"rport={sender.local[1]}" in stamped and "received=127.0.0.1" in stamped


async def test_each_message_is_acknowledged_while_the_app_answers_nothing(gateway, record):
    caller = Caller()
    async with RawSip(gateway.target(), answer_requests=False) as app:
        for text in ("eins", "zwei", "drei"):
            assert (await app.exchange(caller.message(lmpe.IN_CHAT, text))).status == 200
    await eventually(lambda: len(record.texts_in(caller.call_id)) == 3, "all three are there")
