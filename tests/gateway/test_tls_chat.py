"""A chat over TLS: one connection for everything, both ways (clause 6.1.1)."""

import asyncio
import ssl

import pytest

from sipgateway.simulator import lmpe
from sipgateway.tcp import IDLE_TIMEOUT
from tests.support.caller import Caller, kind_of, texts_of
from tests.support.eventually import eventually
from tests.support.rawsip import RawSip
from tests.support.tls import TRUNK, TlsPeer, listening


@pytest.fixture
async def target(gateway, pki):
    await listening(gateway.sips_port)
    return gateway.tls_target()


@pytest.mark.conformance("5.4-1", "6.1.1-1", "6.1.1-2")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_whole_chat_takes_one_connection_both_ways(target, pki, record, version):
    caller = Caller("TLS")
    context = pki.context(minimum_version=version, maximum_version=version)
    async with TlsPeer(target, context) as peer:
        assert peer.session.version() == version.name.replace("v1_", "v1.")
        assert (await peer.exchange(caller.start())).status == 200
        await peer.until(lambda: bool(peer.requests))
        assert kind_of(peer.requests[0]) == lmpe.START
        assert peer.requests[0].header("via").startswith("SIP/2.0/TLS ")
        chat = record.chat_id(caller.call_id)
        record.claim(chat)
        record.send(chat, "Wo sind Sie?")
        await peer.until(lambda: texts_of(peer.requests) == ["Wo sind Sie?"])
        assert (await peer.exchange(caller.say("Am Bahnhof"))).status == 200
        assert (await peer.exchange(caller.heartbeat())).status == 200
        record.close_chat(chat, "Danke")
        await peer.until(lambda: kind_of(peer.requests[-1]) == lmpe.STOP)
    found = record.rows("SELECT trunk, transport, unprotected FROM chats_chat WHERE id = %s", chat)
    assert found == [(TRUNK, "tls", False)]
    journaled = record.rows(
        "SELECT DISTINCT trunk, transport, trusted FROM chats_journal WHERE call_id = %s",
        caller.call_id,
    )
    assert journaled == [(TRUNK, "tls", True)]


async def test_messages_come_in_any_pieces_and_sizes(target, pki, record):
    small, large = Caller("TLS"), Caller("TLS")
    text = "Feuer! " * 40_000
    async with TlsPeer(target, pki.context()) as peer:
        for byte in small.start("Stück für Stück"):
            peer.send(bytes([byte]))
        await peer.until(lambda: len(peer.responses) == 1)
        many = b"".join(small.say(str(number)) for number in range(50))
        peer.send(many)
        await peer.until(lambda: len(peer.responses) == 51)
        assert (await peer.exchange(large.start(text))).status == 200
    await eventually(lambda: len(record.texts_in(small.call_id)) == 51, "all in order")
    assert record.texts_in(small.call_id)[1:] == [str(number) for number in range(50)]


async def test_our_long_texts_arrive_whole(target, pki, record):
    """More than the 16 KiB of one record."""
    caller = Caller("TLS")
    async with TlsPeer(target, pki.context()) as peer:
        await peer.exchange(caller.start())
        await peer.until(lambda: bool(peer.requests))
        chat = record.chat_id(caller.call_id)
        record.claim(chat)
        record.send(chat, "🚒" * 9000)  # 36 kB
        await peer.until(lambda: texts_of(peer.requests) == ["🚒" * 9000])


@pytest.mark.conformance("6.1.1-2", "6.1.1-8")
async def test_a_double_crlf_keeps_the_connection_alive(target, pki):
    pings = asyncio.get_running_loop().create_future()

    class Pinger(asyncio.Protocol):
        def connection_made(self, transport):
            transport.write(b"\r\n\r\n")

        def data_received(self, data):
            pings.set_result(data)

    transport, _ = await asyncio.get_running_loop().create_connection(
        Pinger, target.host, target.port, ssl=pki.context(), server_hostname="psap.example.org"
    )
    async with asyncio.timeout(5):
        assert await pings == b"\r\n"
    transport.close()
    assert IDLE_TIMEOUT >= 180


async def test_a_chat_goes_on_over_the_connection_that_its_app_comes_back_on(target, pki, record):
    caller = Caller("TLS")
    async with TlsPeer(target, pki.context()) as first:
        await first.exchange(caller.start())
        await first.until(lambda: bool(first.requests))
    chat = record.chat_id(caller.call_id)
    record.claim(chat)
    async with TlsPeer(target, pki.context()) as second:
        await second.exchange(caller.heartbeat())
        record.send(chat, "Sind Sie noch da?")
        await second.until(lambda: texts_of(second.requests) == ["Sind Sie noch da?"])


@pytest.mark.conformance("6.1.1-6")
@pytest.mark.parametrize("kind", ["text", "heartbeat"])
async def test_a_chat_that_leaves_tls_is_marked_as_unprotected(target, pki, gateway, record, kind):
    caller = Caller("TLS")
    async with TlsPeer(target, pki.context()) as peer:
        await peer.exchange(caller.start())
        await peer.until(lambda: bool(peer.requests))
        chat = record.chat_id(caller.call_id)
        assert not record.value("SELECT unprotected FROM chats_chat WHERE id = %s", chat)
    async with RawSip(gateway.target()) as peer:
        for _ in range(2):
            await peer.exchange(caller.say("Nun so") if kind == "text" else caller.heartbeat())
        await eventually(
            lambda: record.value("SELECT unprotected FROM chats_chat WHERE id = %s", chat),
            "it is marked",
        )
    events = record.rows(
        "SELECT data FROM chats_chatevent WHERE chat_id = %s AND kind = 'chat-unprotected'", chat
    )
    assert events == [({"transport": "tcp"},)]
    record.verify(chat)


async def test_plain_text_on_the_tls_port_is_refused_and_harms_nobody(target, pki, gateway):
    async with RawSip(gateway.target()) as other:
        _, writer = await asyncio.open_connection(target.host, target.port)
        writer.write(Caller().start())
        writer.close()
        await eventually(lambda: "TLS: handshake failed" in gateway.log(), "it is told")
        assert (await other.exchange(Caller().start())).status == 200
    async with TlsPeer(target, pki.context()) as peer:
        assert (await peer.exchange(Caller("TLS").start())).status == 200
