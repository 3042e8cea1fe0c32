"""A peer that sends too much, too slowly or too often is told so, and delays nobody else."""

import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from psap.models import Peer
from psap.peer_tokens import digest_of
from tests.support.instance import wait_until
from tests.support.peerapi import (
    HOST,
    PeerApiProcess,
    PeerConnection,
    anonymous,
    execution,
    negotiation,
    seconds_of,
)
from tests.support.record import Record
from tests.support.tls import Pki
from transfer_api.connections import MOST_OF_AN_ADDRESS

ELSEWHERE = negotiation("slow:large") | {"TransferTo": "sip:other@example.org"}
MIB = 1024 * 1024
# What anybody else may notice of one that misbehaves, on a machine that is busy with tests.
UNNOTICED = 5.0
OTHER_TOKEN = "Qy9-somebody-elses-token-98765432109876"
HEAD = (
    b"POST /transfer/v1/negotiation HTTP/1.1\r\nHost: psap.example.org\r\n"
    b"Content-Type: application/json\r\n"
)


@pytest.fixture
def peer(api: PeerApiProcess, pki: Pki) -> Iterator[PeerConnection]:
    with api.connect(pki.context()) as connection:
        yield connection


@pytest.fixture
def other(record: Record, neighbour: int) -> Iterator[None]:
    """A second peer, with a token."""
    made = record.run(
        Peer.objects.create,
        name="Third",
        uris="sip:psap@third.example.org",
        token_sha256=digest_of(OTHER_TOKEN),
    )
    yield
    record.run(made.delete)


def others_are_served(api: PeerApiProcess, pki: Pki) -> bool:
    """Whether the other peer gets its answer at once, on a connection of its own."""
    asked = {"TransferTo": "x", "TransferFrom": "sip:psap@third.example.org", "CallId": "o:o"}

    def ask() -> None:
        answer = api.ask(
            anonymous(pki), "negotiation", asked, authorization=f"Bearer {OTHER_TOKEN}"
        )
        assert answer.status == 200, answer

    return seconds_of(ask) < UNNOTICED


def rest_of(connection: PeerConnection, patience: float = 20.0) -> bytes:
    """Read what comes until the other side closes."""
    connection.sock.settimeout(patience)
    got = b""
    try:
        while data := connection.sock.recv(65536):
            got += data
    except (ConnectionResetError, ssl.SSLError):
        pass
    return got


def test_a_body_over_the_limit_is_refused_before_it_is_sent(peer: PeerConnection):
    length = b"Content-Length: %d\r\nExpect: 100-continue\r\n\r\n" % (20 * MIB + 1)
    peer.sock.sendall(HEAD + length)
    got = rest_of(peer)
    assert got.startswith(b"HTTP/1.1 413 ")
    assert b"application/problem+json" in got
    assert b"connection: close" in got.lower()


def test_who_sends_it_all_the_same_gets_the_answer_too(api: PeerApiProcess, pki: Pki):
    memory = resident(api)
    for _ in range(3):
        with api.connect(pki.context()) as peer:
            peer.sock.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % (100 * MIB))
            try:
                while True:
                    peer.sock.sendall(b" " * 65536)
            except OSError:
                pass
            assert rest_of(peer).startswith(b"HTTP/1.1 413 ")
    assert resident(api) - memory < 30 * MIB


def test_chunks_are_counted(peer: PeerConnection):
    peer.sock.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
    chunk = b"100000\r\n" + b" " * MIB + b"\r\n"
    sent = 0
    try:
        while sent < 200:
            peer.sock.sendall(chunk)
            sent += 1
    except OSError:
        pass
    assert rest_of(peer).startswith(b"HTTP/1.1 413 ")
    assert 20 <= sent < 200


def test_the_largest_body_is_read_and_the_limit_follows_the_admin(
    api: PeerApiProcess, peer: PeerConnection, pki: Pki, record: Record
):
    body = json.dumps(execution("largest:body")).encode()
    assert peer.post("execution", body.ljust(20 * MIB)).status == 403  # there is no negotiation
    record.configure(largest_transfer=1)
    try:
        wait_until(
            lambda: api.ask(pki.context(), "execution", body.ljust(2 * MIB)).status == 413,
            3,
            "the limit is lower",
        )
    finally:
        record.configure(largest_transfer=20)
    wait_until(
        lambda: api.ask(pki.context(), "execution", body.ljust(2 * MIB)).status == 403,
        15,
        "the limit is as before",
    )


def test_a_body_with_more_values_than_any_chat_is_refused(peer: PeerConnection):
    answer = peer.post("negotiation", b"[" + b"[]," * 500_000 + b"[]]")
    assert answer.status == 413


@pytest.mark.usefixtures("other")
def test_a_body_that_drips_ends_in_time_and_delays_nobody(api: PeerApiProcess, pki: Pki):
    with ExitStack() as stack:
        dripping = [stack.enter_context(api.connect(pki.context())) for _ in range(20)]
        for number, one in enumerate(dripping):
            framing = b"Content-Length: 1000\r\n\r\n" if number % 2 else CHUNKED
            one.sock.sendall(HEAD + framing)
        done = threading.Event()
        drip = threading.Thread(target=_drip, args=(dripping, done))
        drip.start()
        begun = time.monotonic()
        try:
            assert others_are_served(api, pki)
            with ThreadPoolExecutor(20) as pool:
                answers = list(pool.map(rest_of, dripping))
        finally:
            done.set()
            drip.join(20)
        # Bodies of unknown length wait for their turn among the peer's own first.
        assert {answer[:13] for answer in answers[1::2]} == {b"HTTP/1.1 408 "}
        assert {answer[:13] for answer in answers[::2]} <= {b"HTTP/1.1 408 ", b"HTTP/1.1 429 "}
        assert time.monotonic() - begun < 40


CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"


def _drip(connections: list[PeerConnection], done: threading.Event) -> None:
    while not done.wait(0.5):
        for number, one in enumerate(connections):
            try:
                one.sock.sendall(b" " if number % 2 else b"1\r\n \r\n")
            except OSError:
                pass


@pytest.mark.usefixtures("other")
def test_heads_that_drip_and_connections_that_say_nothing_end_in_time(
    api: PeerApiProcess, pki: Pki
):
    with ExitStack() as stack:
        silent = [stack.enter_context(api.connect(pki.context())) for _ in range(10)]
        dripping = [stack.enter_context(api.connect(pki.context())) for _ in range(10)]
        bare = [stack.enter_context(socket.create_connection((HOST, api.port))) for _ in range(10)]
        for one in dripping:
            one.sock.sendall(HEAD)
        done = threading.Event()
        drip = threading.Thread(target=_drip_heads, args=(dripping, done))
        drip.start()
        try:
            assert others_are_served(api, pki)
            with ThreadPoolExecutor(30) as pool:
                answers = list(pool.map(rest_of, [*dripping, *silent]))
                ended = list(pool.map(_ends, bare))
        finally:
            done.set()
            drip.join(20)
        assert [answer[:13] for answer in answers] == [b"HTTP/1.1 408 "] * 10 + [b""] * 10
        assert all(ended)


def _drip_heads(connections: list[PeerConnection], done: threading.Event) -> None:
    number = 0
    while not done.wait(0.5):
        number += 1
        for one in connections:
            try:
                one.sock.sendall(b"X-Drip-%d: 1\r\n" % number)
            except OSError:
                pass


def _ends(bare: socket.socket) -> bool:
    bare.settimeout(20)
    try:
        return bare.recv(10) == b""
    except ConnectionResetError:
        return True


@pytest.mark.parametrize(
    "head",
    [
        b"GET /transfer/ HTTP/1.1\r\nX: " + b"x" * 40_000 + b"\r\n\r\n",
        b"GET /transfer/ HTTP/1.1\r\n" + b"X: y\r\n" * 20_000 + b"\r\n",
        b"GET /" + b"x" * 40_000 + b" HTTP/1.1\r\n\r\n",
        b"GET /transfer/ HTTP/1.1\r\nX: " + b"x" * 1_000_000,
    ],
)
def test_a_head_that_is_too_large_gets_431(peer: PeerConnection, head: bytes):
    try:
        peer.sock.sendall(head)
    except OSError:
        pass
    assert rest_of(peer).startswith(b"HTTP/1.1 431 ")


@pytest.mark.parametrize(
    "lines",
    [
        b"\x16\x03\x01\x00\x00\r\n\r\n",
        b"MESSAGE sip:psap@psap.example.org SIP/2.0\r\n\r\n",
        b"POST /transfer/v1/negotiation HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST /transfer/v1/negotiation HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked, identity\r\n\r\n",
        b"GET \xff\xfe HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nX\x00: y\r\n\r\n",
    ],
)
def test_what_is_no_http_gets_400_and_an_end(peer: PeerConnection, lines: bytes):
    peer.sock.sendall(lines)
    got = rest_of(peer)
    assert got.startswith(b"HTTP/1.1 400 ")
    assert b"application/problem+json" in got


@pytest.mark.usefixtures("other")
def test_of_one_address_the_oldest_idle_connection_makes_room(api: PeerApiProcess, pki: Pki):
    context = pki.context()
    with ExitStack() as stack:
        opened = []
        for _ in range(MOST_OF_AN_ADDRESS + 20):
            opened.append(stack.enter_context(api.connect(context)))
            answer = opened[-1].ask("GET", "/transfer/v1/nothing")
            assert answer.status == 404, answer
        wait_until(lambda: all(map(_is_closed, opened[:20])), 5, "the oldest are closed")
        assert opened[-1].ask("GET", "/transfer/v1/nothing").status == 404
        assert others_are_served(api, pki)


def _is_closed(connection: PeerConnection) -> bool:
    connection.sock.settimeout(0.05)
    try:
        return connection.sock.recv(1) == b""
    except TimeoutError:
        return False
    except OSError:
        return True


@pytest.mark.usefixtures("other")
def test_a_peer_that_does_not_read_its_answers_delays_nobody(api: PeerApiProcess, pki: Pki):
    with ExitStack() as stack:
        for _ in range(5):
            deaf = stack.enter_context(api.connect(pki.context()))
            deaf.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            deaf.sock.sendall(b"GET /transfer/openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 20)
        assert others_are_served(api, pki)


def resident(api: PeerApiProcess) -> int:
    """Return the memory of the process in bytes."""
    with open(f"/proc/{api.pid}/status") as status:
        (line,) = [line for line in status if line.startswith("VmRSS")]
    return int(line.split()[1]) * 1024
