"""What is no MESSAGE: OPTIONS, other methods, keep-alives and noise."""

import socket

import pytest

from tests.support.caller import Caller
from tests.support.eventually import eventually
from tests.support.gateway import options_status
from tests.support.outage import database_out_of_reach
from tests.support.rawsip import RawSip, make_message

BOTH = pytest.mark.parametrize("transport", ["udp", "tcp"])


def is_allowed(response):
    return {method.strip() for method in response.header("allow").split(",")}


@BOTH
async def test_options_is_answered_200_with_allow_and_accept(gateway, transport):
    async with RawSip(gateway.target(transport)) as peer:
        answer = await peer.exchange(make_message(method="OPTIONS", body=b""))
    assert (answer.status, is_allowed(answer)) == (200, {"MESSAGE", "OPTIONS"})
    assert "text/plain" in answer.header("accept")


@BOTH
@pytest.mark.parametrize("method", ["INVITE", "REGISTER", "SUBSCRIBE", "BYE"])
async def test_another_method_is_answered_405_with_allow(gateway, transport, method):
    async with RawSip(gateway.target(transport)) as peer:
        answer = await peer.exchange(make_message(method=method, body=b""))
    assert (answer.status, is_allowed(answer)) == (405, {"MESSAGE", "OPTIONS"})


async def test_a_method_that_nobody_knows_is_answered_501(gateway):
    async with RawSip(gateway.target("udp")) as peer:
        answer = await peer.exchange(make_message(method="SING", body=b""))
    assert (answer.status, is_allowed(answer)) == (501, {"MESSAGE", "OPTIONS"})


@BOTH
@pytest.mark.conformance("6.1.2.2-2")
async def test_a_message_within_a_dialog_of_another_request_is_taken(gateway, record, transport):
    caller = Caller(transport.upper())
    in_dialog = caller.start().replace(b"\r\nFrom:", b";tag=dialog\r\nFrom:", 1)
    async with RawSip(gateway.target(transport)) as app:
        answer = await app.exchange(in_dialog)
    assert (answer.status, answer.header("to").count("tag=")) == (200, 1)
    await eventually(lambda: record.texts_in(caller.call_id) == ["Hilfe!"], "it is stored")


@pytest.mark.conformance("6.1.1-3", "6.1.1-4")
async def test_a_datagram_that_the_network_has_fragmented_is_taken_whole(gateway, record):
    """60 kB need 40 fragments on an Ethernet, and one even on loopback."""
    caller, text = Caller("UDP"), "Hilfe! " * 8500
    async with RawSip(gateway.target("udp")) as app:
        answer = await app.exchange(caller.start(text))
    assert answer.status == 200
    await eventually(lambda: record.texts_in(caller.call_id) == [text], "it is stored whole")


@BOTH
async def test_an_ack_is_never_answered(gateway, transport):
    async with RawSip(gateway.target(transport)) as peer:
        peer.send(make_message(method="ACK", body=b""))
        await peer.exchange(make_message(method="OPTIONS", body=b""))
    assert len(peer.responses) == 1


@pytest.mark.parametrize(
    "noise",
    [
        b"\x00" * 400,
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"MESSAGE",
        b"\r\n\r\n",
        bytes(range(256)) * 20,
        b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP x;branch=z9hG4bKstray\r\nCSeq: 1 MESSAGE\r\n\r\n",
    ],
    ids=["zeros", "http", "one-word", "blank", "binary", "stray-response"],
)
async def test_a_datagram_of_noise_gets_nothing_and_harms_nobody(gateway, record, noise):
    caller = Caller("UDP")
    async with RawSip(gateway.target("udp")) as peer, RawSip(gateway.target("udp")) as app:
        peer.send(noise)
        answer = await app.exchange(caller.start())
        await peer.exchange(make_message(method="OPTIONS", body=b""))
    assert answer.status == 200
    assert len(peer.responses) == 1
    await eventually(lambda: record.chat_id(caller.call_id), "the other's chat is there")


@pytest.mark.parametrize(
    ("size", "status"),
    [("-1", 400), ("9223372036854775808", 413), ("x", 400), ("5\r\nContent-Length: 8", 400)],
)
async def test_a_datagram_with_an_impossible_content_length_is_refused(gateway, size, status):
    data = make_message().replace(b"Content-Length: 5", f"Content-Length: {size}".encode())
    async with RawSip(gateway.target("udp")) as peer:
        assert (await peer.exchange(data)).status == status


async def test_a_stream_of_noise_is_closed_and_the_next_connection_served(gateway):
    async with RawSip(gateway.target("tcp")) as peer:
        peer.send(b"\x00\xff" * 40_000)
        await peer.closed()
    async with RawSip(gateway.target("tcp")) as peer:
        assert (await peer.exchange(make_message(method="OPTIONS", body=b""))).status == 200


def test_a_keep_alive_on_a_connection_is_answered_with_crlf(gateway):
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=5) as connection:
        connection.sendall(b"\r\n\r\n")
        assert connection.recv(10) == b"\r\n"


def test_a_flood_of_noise_costs_one_line_a_second_in_the_log(gateway):
    """Red without the second's pause in RefusalLog.note."""
    before = gateway.log().count("refused from")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as noisy:
        noisy.connect(("127.0.0.1", gateway.port))
        for _ in range(500):
            noisy.send(b"MESSAGE\r\n\r\n")
    assert options_status(gateway.port) == 200
    assert gateway.log().count("refused from") - before <= 3


async def test_options_is_503_and_no_message_gets_200_while_nothing_can_be_committed(
    gateway, record
):
    """Red when `acknowledge` is called before the insert is committed."""
    caller = Caller()
    async with RawSip(gateway.target()) as app:
        await app.exchange(caller.start())
        with database_out_of_reach(record):
            app.send(caller.say("trotzdem"))
            await eventually(lambda: options_status(gateway.port) == 503, "OPTIONS is 503", 6)
            assert len(app.responses) == 1
        await app.until(lambda: len(app.responses) == 2)
        await eventually(lambda: options_status(gateway.port) == 200, "OPTIONS is 200")
    assert app.responses[1].status == 200
    await eventually(
        lambda: record.texts_in(caller.call_id)[1:] == ["trotzdem"], "it is on its chat"
    )
