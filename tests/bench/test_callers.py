"""The apps of `bench screen` against a gateway of the test's own."""

import asyncio

import pytest

from bench.callers import HOST, IN_CHAT, Caller, Callers


class Echo(asyncio.DatagramProtocol):
    """Answers each request as told and keeps what it got."""

    def __init__(self, status: bytes) -> None:
        self.status = status
        self.got: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.got.append(data)
        via = next(line for line in data.split(b"\r\n") if line.startswith(b"Via:"))
        answer = b"SIP/2.0 " + self.status + b"\r\n" + via + b"\r\nContent-Length: 0\r\n\r\n"
        self.transport.sendto(answer, addr)  # type: ignore[attr-defined]


async def listening(status: bytes = b"200 OK") -> tuple[Echo, int]:
    loop = asyncio.get_running_loop()
    transport, echo = await loop.create_datagram_endpoint(
        lambda: Echo(status), local_addr=(HOST, 0)
    )
    return echo, transport.get_extra_info("sockname")[1]


async def test_callers_write_in_turn_and_count_the_answers() -> None:
    echo, port = await listening()
    callers = await Callers.connect(port, 3)
    try:
        sent = await callers.write(callers.everyone, rate=1000, seconds=0.01)
    finally:
        callers.close()
    assert [len(stamps) for stamps in sent] == [4, 3, 3]
    assert b"bench " + sent[1][0].encode() in echo.got[1]
    assert callers.answered == 10
    assert len(echo.got) == 10


async def test_a_refusal_is_kept() -> None:
    _echo, port = await listening(b"503 Service Unavailable")
    callers = await Callers.connect(port, 1)
    try:
        await callers.open_chats()
    finally:
        callers.close()
    assert callers.answered == 0
    assert callers.refused == [503]


@pytest.mark.parametrize("number", range(1, 6))
def test_the_length_of_a_message_is_right_with_and_without_a_position(number: int) -> None:
    caller = Caller(1)
    for _ in range(number):
        message = caller.message(IN_CHAT, "bench 1 ü", branch="z9hG4bKa", port=5, target=6)
    head, _, body = message.partition(b"\r\n\r\n")
    assert b"Content-Length: %d" % len(body) in head
    assert (b"gs:Circle" in body) == (number == 5)
