"""Addresses that lead nowhere or somewhere else: nobody else's answers may suffer from them."""

import asyncio
import socket

import pytest

from sipgateway import resolve as resolving
from sipgateway.resolve import Resolver, Target, UnresolvableUri, resolve
from tests.support.caller import Caller
from tests.support.eventually import eventually
from tests.support.rawsip import RawSip


@pytest.mark.parametrize("port", ["²", "٣", "99999", "0"])
async def test_an_odd_port_in_via_costs_nobody_an_answer(gateway, record, port):
    """Red when any digit of Unicode counts as one: the journal's writer died of it."""
    odd, witness = Caller("UDP"), Caller("UDP")
    request = odd.start().replace(b"client.invalid:5060;rport", f"192.0.2.1:{port}".encode())
    async with RawSip(gateway.target("udp")) as app:
        app.send(request)
        assert (await app.exchange(witness.start())).status == 200
    await eventually(lambda: record.texts_in(odd.call_id) == ["Hilfe!"], "it is on its chat")
    assert gateway.is_running()


@pytest.mark.parametrize(
    "uri",
    ["sip:x@127.0.0.1:99999", "sip:x@127.0.0.1:²", "sip:x@a..b", f"sip:x@{'a' * 70}.invalid"],
    ids=["port", "digit", "empty-label", "long-label"],
)
async def test_a_caller_who_left_an_odd_address_is_told_as_unreachable(gateway, record, uri):
    """Red when such an address raises while it is sent to: the gateway ended, again and again."""
    caller, starts = Caller(uri=uri), gateway.starts
    async with RawSip(gateway.target("tcp"), answer_requests=False) as app:
        await app.exchange(caller.start())
    cause = (
        "SELECT o.cause FROM chats_outboxentry o JOIN chats_message m ON m.id = o.message_id"
        " JOIN chats_chat c ON c.id = m.chat_id WHERE c.call_id = %s"
    )
    await eventually(
        lambda: (
            (found := record.value(cause, caller.call_id) or "").endswith("is no port")
            or found.endswith("does not resolve")
        ),
        "the record says why",
        10.0,
    )
    async with RawSip(gateway.target("tcp")) as app:
        witness = Caller()
        await app.exchange(witness.start())
        await app.until(lambda: bool(app.requests))
    assert gateway.is_running() and gateway.starts == starts


@pytest.mark.parametrize("uri", ["sip:x@127.0.0.1:99999", "sip:x@127.0.0.1:²", "sip:x@a..b"])
async def test_an_address_that_cannot_be_is_unresolvable(uri):
    with pytest.raises(UnresolvableUri):
        await resolve(uri)


async def test_what_is_remembered_of_one_uri_is_never_anothers_way(monkeypatch):
    """Red when the key is cut at another place than the host: headers may hold an @ too."""
    seen = []

    async def fake(uri: str, over: str = "") -> Target:
        seen.append(uri)
        return Target("udp", "192.0.2.66", 5060)

    monkeypatch.setattr(resolving, "resolve", fake)
    resolver = Resolver(asyncio.get_running_loop().time)
    await resolver.resolve("sip:mallory@evil.example?x=@provider.example")
    await resolver.resolve("sip:anna@provider.example")
    await resolver.resolve("sip:bert@provider.example")
    assert seen == [
        "sip:mallory@evil.example?x=@provider.example",
        "sip:anna@provider.example",
    ]


async def test_a_datagram_that_cannot_be_sent_is_dropped_and_the_next_one_goes():
    from sipgateway.udp import UdpListener

    listener = UdpListener("127.0.0.1", 0, lambda data, flow: None)
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
            peer.bind(("127.0.0.1", 0))
            peer.settimeout(2)
            listener.send(b"nowhere", ("127.0.0.1", 99999))
            listener.send(b"here", peer.getsockname())
            assert peer.recv(100) == b"here"
    finally:
        listener.close()
