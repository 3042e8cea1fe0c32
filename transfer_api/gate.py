"""The gate before Django: who asks, how often and how much, settled before a body is read.

Pure ASGI. What gets through has its Peer and its Body in `scope["state"]`. Documentation and
/healthz are for everybody, at the rate of strangers.
"""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from psap.certificates import Identity
from psap.models import Peer
from psap.tls import NotAdmitted
from transfer_api.bodies import Bodies, Body, Gone, Receive
from transfer_api.callers import PROXIED, find_peer, read_shown
from transfer_api.configuration import Configuration
from transfer_api.problems import CONTENT_TYPE, Problem, too_often, unknown_caller
from transfer_api.protocol import REFUSED
from transfer_api.rates import Rates, network_of
from transfer_api.work import Work

logger = logging.getLogger("transfer_api.requests")

FOR_PEERS = "/transfer/v1/"
PEERS_PER_SECOND, PEERS_AT_ONCE = 50.0, 200.0
STRANGERS_PER_SECOND, STRANGERS_AT_ONCE = 5.0, 30.0
MOST_UNDER_WAY = 200  # requests of one peer
SEND_PATIENCE = 30.0
# So long whoever was refused may go on sending, to see our answer behind it: peers, strangers.
LINGER_SECONDS = 2.0
LINGER_BYTES, STRANGERS_LINGER_BYTES = 64 * 1024 * 1024, 64 * 1024
LONGEST_PATH = 200
_ALWAYS = {b"cache-control": b"no-store", b"x-content-type-options": b"nosniff"}

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


class Gate:
    """ASGI application around Django's; `vet` looks at a certificate by what the admin says now."""

    def __init__(
        self,
        application: Application,
        *,
        work: Work,
        configuration: Callable[[], Configuration],
        vet: Callable[[Identity], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._application = application
        self._work = work
        self._configuration = configuration
        self._vet = vet
        self._bodies = Bodies()
        self._peers = Rates(per_second=PEERS_PER_SECOND, burst=PEERS_AT_ONCE, clock=clock)
        self._strangers = Rates(
            per_second=STRANGERS_PER_SECOND, burst=STRANGERS_AT_ONCE, clock=clock
        )
        self._under_way: Counter[int] = Counter()
        self.answers: Counter[int] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = _Exchange(scope, send)
        try:
            try:
                await self._serve(scope, receive, exchange)
            except Problem as problem:
                await _refuse(problem, scope, receive, exchange)
            except Gone:
                pass
        finally:
            exchange.log()
            self.answers[exchange.status] += 1

    async def _serve(self, scope: Scope, receive: Receive, exchange: "_Exchange") -> None:
        if not scope["path"].startswith(FOR_PEERS):
            self._limit_stranger(scope)
            await self._application(scope, _after(receive), exchange.send)
            return
        peer = await self._identify(scope)
        exchange.who, exchange.is_peer = peer.name, True
        if wait := self._peers.take(peer.pk):
            raise too_often(wait, "You ask too often.")
        if self._under_way[peer.pk] >= MOST_UNDER_WAY:
            raise too_often(1.0, "Too many requests of yours are under way.")
        self._under_way[peer.pk] += 1
        body = Body()
        try:
            if scope["method"] == "POST":
                body = await self._bodies.read(
                    peer.pk, scope["headers"], receive, self._configuration().largest_body
                )
            scope["state"] |= {"peer": peer, "body": body}
            await self._application(scope, _after(receive), exchange.send)
        finally:
            body.drop()
            self._under_way[peer.pk] -= 1

    async def _identify(self, scope: Scope) -> Peer:
        try:
            shown = read_shown(scope["extensions"], scope["headers"])
            if shown.identity is not None:
                self._vet(shown.identity)
            elif not shown.token:
                raise unknown_caller("Show a certificate or a token.")
            return await self._work.look(find_peer, shown)
        except NotAdmitted as error:
            self._limit_stranger(scope)
            raise unknown_caller(f"Your certificate is not accepted: {error}.") from error
        except Problem as problem:
            if problem.status == 401:
                self._limit_stranger(scope)
            raise

    def _limit_stranger(self, scope: Scope) -> None:
        if wait := self._strangers.take(network_of(address_of(scope))):
            raise too_often(wait, "Too many requests come from your address.")


class _Exchange:
    """One request and its answer: passes the answer on, and says in the log how it went."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self.status = 0
        self.who, self.is_peer = address_of(scope), False
        self._scope, self._send = scope, send
        self._begun = time.monotonic()

    async def send(self, message: MutableMapping[str, Any]) -> None:
        """Pass a part of the answer on, unless the peer does not take it."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            given = {name.lower() for name, _ in message["headers"]}
            more = [pair for pair in _ALWAYS.items() if pair[0] not in given]
            message["headers"] = [*message["headers"], *more]
        async with asyncio.timeout(SEND_PATIENCE):
            await self._send(message)

    def log(self) -> None:
        """One line, which no peer can break or fake; none when all is well for who looks."""
        if self._scope["path"] == "/healthz" and self.status == 200:
            return
        milliseconds = (time.monotonic() - self._begun) * 1000
        logger.info(
            "%s: %s %s %s, %d ms",
            _escaped(self.who),
            self._scope["method"],
            _escaped(self._scope["path"])[:LONGEST_PATH],
            self.status or "gone",
            milliseconds,
        )


async def _refuse(problem: Problem, scope: Scope, receive: Receive, exchange: _Exchange) -> None:
    """Answer, and close the connection: whatever follows has not been read."""
    body = problem.body
    headers = {
        "Content-Type": CONTENT_TYPE,
        "Content-Length": str(len(body)),
        "Connection": "close",
        **problem.headers,
    }
    await exchange.send(
        {
            "type": "http.response.start",
            "status": problem.status,
            "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        }
    )
    await exchange.send({"type": "http.response.body", "body": body, "more_body": True})
    if REFUSED in scope["extensions"]:
        scope["extensions"][REFUSED]()
    most = LINGER_BYTES if exchange.is_peer else STRANGERS_LINGER_BYTES
    await _linger(scope, receive, most)
    await exchange.send({"type": "http.response.body", "body": b"", "more_body": False})


async def _linger(scope: Scope, receive: Receive, left: int) -> None:
    """Let go by what somebody sends before it looks for our answer; closing would destroy that."""
    names = {name for name, _ in scope["headers"]}
    if b"expect" in names or not names & {b"content-length", b"transfer-encoding"}:
        return
    try:
        async with asyncio.timeout(LINGER_SECONDS):
            while left > 0:
                message = await receive()
                if not message.get("more_body"):
                    return
                left -= len(message["body"])
    except TimeoutError:
        pass


def _after(receive: Receive) -> Receive:
    """What an application receives after the body: that there is none more, then the peer's end."""
    told = False

    async def ended() -> MutableMapping[str, Any]:
        nonlocal told
        if not told:
            told = True
            return {"type": "http.request", "body": b"", "more_body": False}
        while (message := await receive())["type"] != "http.disconnect":
            pass  # a body that nobody wants to read
        return message

    return ended


def address_of(scope: Scope) -> str:
    """Return the address that a request comes from; behind our proxy what it sets as X-Real-IP.

    X-Forwarded-For is what a peer says: the proxies in deploy/peers do not touch it.
    """
    if PROXIED in scope["extensions"]:
        named = [value for name, value in scope["headers"] if name == b"x-real-ip"]
        return named[-1].decode("latin-1").strip()[:50] if named else "proxy"
    return scope["client"][0] if scope.get("client") else "?"


def _escaped(text: str) -> str:
    return text.encode("unicode_escape").decode()
