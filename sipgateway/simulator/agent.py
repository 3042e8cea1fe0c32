"""A user agent: client transactions (RFC 3261 17.1.2) and answers that repeat (17.2.2)."""

import asyncio
import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

from sipgateway.simulator.message import (
    SipMessage,
    SipSyntaxError,
    encode_request,
    encode_response,
    parameter,
    parse_message,
)
from sipgateway.simulator.transport import Answer, Link, Target, open_door, open_link

MAGIC_COOKIE = "z9hG4bK"
LONGEST_PAUSE_BETWEEN_CONNECTS = 2.0


class NoFinalResponse(Exception):
    """Timer F fired before a final response came."""


@dataclass(frozen=True, slots=True)
class Timers:
    """T1 and T2 of RFC 3261 17.1.1.1, in seconds; Timers F and J are 64 * T1."""

    t1: float = 0.5
    t2: float = 4.0

    @property
    def timeout(self) -> float:
        return 64 * self.t1


@dataclass(slots=True)
class AgentCounters:
    """What went over the sockets of one agent."""

    requests: int = 0
    retransmissions: int = 0
    duplicates: int = 0
    malformed: int = 0
    reconnections: int = 0


@dataclass(slots=True)
class _Pending:
    final: asyncio.Future[SipMessage]
    proceeding: bool = False


class UserAgent:
    """Sends requests until they are answered and answers what comes in, whence it came.

    `on_message` gets each new MESSAGE once and returns the status to answer with, or None to stay
    silent. A lost TCP connection is opened again and an unanswered request repeated on it.
    `at_home` also takes what others send of themselves to `contact`.
    """

    def __init__(
        self,
        target: Target,
        on_message: Callable[[SipMessage], int | None] = lambda request: 200,
        *,
        timers: Timers | None = None,
        at_home: bool = False,
    ) -> None:
        self.target = target
        self.timers = timers or Timers()
        self.counters = AgentCounters()
        self._on_message = on_message
        self._at_home = at_home
        self._door: asyncio.Server | None = None
        self._links: dict[Target, Link] = {}
        self._connecting = asyncio.Lock()
        self._pending: dict[tuple[str, str], _Pending] = {}
        self._answers: OrderedDict[tuple[str, ...], tuple[float, bytes]] = OrderedDict()
        self._muted = False

    async def open(self) -> Self:
        """Open the socket; raises OSError."""
        link = await self._open(self.target)
        if self._at_home and self.target.transport == "tcp":
            self._door = await open_door(link.local[0], self._received)
        return self

    @property
    def contact(self) -> tuple[str, int]:
        """Address at which others reach us: the UDP socket's, or where we take connections."""
        if self._door:
            host, port = self._door.sockets[0].getsockname()[:2]
            return str(host), int(port)
        return self._links[self.target].local

    async def ready(self) -> None:
        """Wait until the socket is open, however often connecting fails."""
        await self._way_out(self.target)

    def close(self) -> None:
        self._muted = True
        if self._door:
            self._door.close()
        for link in self._links.values():
            link.close()

    def mute(self) -> None:
        """Be gone as a phone without network is: nothing is sent or answered any more."""
        self._muted = True

    def new_branch(self) -> str:
        return MAGIC_COOKIE + secrets.token_hex(8)

    def via(self, branch: str, to: Target | None = None) -> str:
        """Our Via value; `rport` asks for the answer to the port we sent from (RFC 3581)."""
        to = to or self.target
        host, port = self._links[to].local if to in self._links else ("invalid", 5060)
        shown = f"[{host}]" if ":" in host else host
        return f"SIP/2.0/{to.transport.upper()} {shown}:{port};rport;branch={branch}"

    async def request(
        self,
        method: str,
        uri: str,
        headers: list[tuple[str, str]],
        body: bytes = b"",
        *,
        to: Target | None = None,
    ) -> SipMessage:
        """Send a request (Via is added) to the target, or to another; return its final response.

        Raises NoFinalResponse when Timer F fires.
        """
        branch = self.new_branch()
        if to is not None and to not in self._links:
            try:
                async with asyncio.timeout(self.timers.timeout):
                    await self._way_out(to)
            except TimeoutError as error:
                raise NoFinalResponse(f"no way to {to}") from error
        data = encode_request(method, uri, [("Via", self.via(branch, to)), *headers], body)
        return await self.exchange(data, branch, method, to)

    async def exchange(
        self, data: bytes, branch: str, method: str, to: Target | None = None
    ) -> SipMessage:
        """Run one client transaction over bytes that are ready, as `request` does."""
        pending = _Pending(asyncio.get_running_loop().create_future())
        self._pending[branch, method] = pending
        self.counters.requests += 1
        try:
            async with asyncio.timeout(self.timers.timeout):
                return await self._repeat(data, pending, to or self.target)
        except TimeoutError as error:
            raise NoFinalResponse(f"no final response to {method}") from error
        finally:
            del self._pending[branch, method]

    async def _repeat(self, data: bytes, pending: _Pending, to: Target) -> SipMessage:
        interval = self.timers.t1  # Timer E
        link = await self._way_out(to)
        if not self._muted:
            link.send(data)
        while not pending.final.done():
            watched: set[asyncio.Future[Any]] = {pending.final, link.lost}
            await asyncio.wait(
                watched,
                timeout=None if link.reliable else interval,
                return_when=asyncio.FIRST_COMPLETED,
            )
            if pending.final.done():
                break
            interval = self.timers.t2 if pending.proceeding else min(2 * interval, self.timers.t2)
            link = await self._way_out(to)
            if not self._muted:
                self.counters.retransmissions += 1
                link.send(data)
        return pending.final.result()

    async def _way_out(self, to: Target) -> Link:
        """Return the open link, or a new one when its connection was lost."""
        pause = 0.1
        async with self._connecting:
            while (link := self._links.get(to)) is None or link.lost.done():
                try:
                    await self._open(to)
                    self.counters.reconnections += link is not None
                except OSError:
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, LONGEST_PAUSE_BETWEEN_CONNECTS)
            return link

    async def _open(self, to: Target) -> Link:
        self._links[to] = link = await open_link(to, self._received)
        return link

    def _received(self, data: bytes, answer: Answer) -> None:
        if self._muted:
            return
        try:
            message = parse_message(data)
        except SipSyntaxError:
            self.counters.malformed += 1
            return
        if message.is_response:
            self._received_response(message)
        elif message.method != "ACK":
            self._received_request(message, answer)

    def _received_response(self, response: SipMessage) -> None:
        method = response.header("cseq").rpartition(" ")[2]
        pending = self._pending.get((response.branch, method))
        if pending is None or pending.final.done():
            return
        if response.status < 200:
            pending.proceeding = True
        else:
            pending.final.set_result(response)

    def _received_request(self, request: SipMessage, send: Answer) -> None:
        now = asyncio.get_running_loop().time()
        while self._answers and next(iter(self._answers.values()))[0] <= now:  # Timer J
            self._answers.popitem(last=False)
        sent_by = next(iter(request.values("via")), "").partition(";")[0]
        key = (request.branch, sent_by, request.method, parameter(request.header("from"), "tag"))
        if key in self._answers:
            self.counters.duplicates += 1
            answer = self._answers[key][1]
        else:
            status = self._status(request)
            if status is None:
                return
            answer = encode_response(request, status, secrets.token_hex(4))
            self._answers[key] = (now + self.timers.timeout, answer)
        send(answer)

    def _status(self, request: SipMessage) -> int | None:
        if request.method == "MESSAGE":
            return self._on_message(request)
        return {"OPTIONS": 200, "CANCEL": 481}.get(request.method, 405)
