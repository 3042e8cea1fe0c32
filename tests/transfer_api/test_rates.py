"""How often somebody may ask, by a clock that stands still."""

import asyncio
from collections.abc import Iterator, MutableMapping
from typing import Any

import pytest

from psap.models import Peer
from psap.peer_tokens import digest_of
from tests.support.chats import make_psap
from transfer_api.configuration import Configuration
from transfer_api.gate import PEERS_AT_ONCE, PEERS_PER_SECOND, STRANGERS_AT_ONCE, Gate
from transfer_api.rates import MOST_BUCKETS, Rates, network_of
from transfer_api.work import Work

TOKENS = ("Zx3-one-token-0123456789abcdefghijklmn", "Qy9-another-token-9876543210zyxwvuts")


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_bucket_gives_its_burst_and_then_its_rate():
    clock = Clock()
    rates = Rates(per_second=2, burst=3, clock=clock)
    assert [rates.take("a") for _ in range(4)] == [0, 0, 0, 0.5]
    assert rates.take("b") == 0
    clock.now += 0.4
    assert rates.take("a") == pytest.approx(0.1)
    clock.now += 0.1
    assert (rates.take("a"), rates.take("a")) == (0, 0.5)
    clock.now += 3600
    assert [rates.take("a") for _ in range(4)] == [0, 0, 0, 0.5]


def test_memory_is_bounded_and_who_asks_most_is_remembered():
    rates = Rates(per_second=1, burst=1, clock=Clock())
    for number in range(2 * MOST_BUCKETS):
        rates.take("busy")
        rates.take(number)
    assert len(rates._buckets) == MOST_BUCKETS
    assert rates.take("busy") > 0


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("proxy", "proxy"),
    ],
)
def test_of_ipv6_a_link_counts_as_one(address: str, network: str):
    assert network_of(address) == network


class Asking:
    """A gate before an application that answers 204, asked without sockets."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.work = Work()
        self._gate = Gate(
            self._serve, work=self.work, configuration=Configuration, vet=lambda _: None,
            clock=self.clock,
        )  # fmt: skip

    def statuses(self, count: int, *, token: str = "", address: str = "192.0.2.1") -> list[int]:
        """Ask so many times; returns the statuses."""

        async def ask() -> list[int]:
            return [await self._ask(token, address) for _ in range(count)]

        return asyncio.run(ask())

    async def _serve(self, _scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def _ask(self, token: str, address: str) -> int:
        sent: list[MutableMapping[str, Any]] = []

        async def send(message: MutableMapping[str, Any]) -> None:
            sent.append(message)

        async def receive() -> MutableMapping[str, Any]:
            return {"type": "http.request", "body": b"", "more_body": False}

        headers = [(b"authorization", f"Bearer {token}".encode())] if token else []
        scope = {
            "type": "http", "method": "GET", "path": "/transfer/v1/x", "headers": headers,
            "extensions": {}, "client": (address, 1), "state": {},
        }  # fmt: skip
        await self._gate(scope, receive, send)
        retry = dict(sent[0]["headers"]).get(b"retry-after")
        assert (retry is not None) == (sent[0]["status"] == 429)
        return sent[0]["status"]


@pytest.fixture
def asking(transactional_db: None) -> Iterator[Asking]:
    make_psap()
    for number, token in enumerate(TOKENS):
        Peer.objects.create(
            name=f"peer {number}", uris=f"sip:psap@{number}", token_sha256=digest_of(token)
        )
    asking = Asking()
    yield asking
    asking.work.close()


def test_a_peer_that_asks_too_often_gets_429_and_no_other(asking: Asking):
    burst = int(PEERS_AT_ONCE)
    assert asking.statuses(burst + 2, token=TOKENS[0]) == [204] * burst + [429] * 2
    assert asking.statuses(5, token=TOKENS[1]) == [204] * 5
    asking.clock.now += 1
    again = int(PEERS_PER_SECOND)
    assert asking.statuses(again + 1, token=TOKENS[0]) == [204] * again + [429]


def test_strangers_wear_out_their_own_address_and_no_peer_of_the_same(asking: Asking):
    burst = int(STRANGERS_AT_ONCE)
    assert asking.statuses(burst + 2) == [401] * burst + [429] * 2
    assert asking.statuses(2, token="wrong-token-wrong-token-wrong-token") == [429] * 2
    assert asking.statuses(2, address="192.0.2.2") == [401] * 2
    assert asking.statuses(5, token=TOKENS[0]) == [204] * 5
