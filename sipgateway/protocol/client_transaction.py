"""Non-INVITE client transactions (RFC 3261 17.1.2).

    TRYING ──1xx──> PROCEEDING ──2xx-6xx──> COMPLETED ──Timer K──> TERMINATED
       └──────2xx-6xx──────────────────────────┘
    TRYING, PROCEEDING ──Timer F or transport error──> TERMINATED

Timer E repeats the request over UDP: T1, doubling up to T2, in PROCEEDING every T2.
"""

from __future__ import annotations

import enum
import heapq
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from sipgateway.protocol.errors import LocalProtocolError
from sipgateway.protocol.message import Response
from sipgateway.protocol.timers import T1, T2, T4, TIMER_F
from sipgateway.protocol.via import parse_via


class ClientState(enum.Enum):
    """States of figure 6 in RFC 3261."""

    TRYING = "trying"
    PROCEEDING = "proceeding"
    COMPLETED = "completed"
    TERMINATED = "terminated"


@dataclass(frozen=True, slots=True)
class Send:
    """Bytes to send."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Completed:
    """The final response."""

    status: int
    response: Response


@dataclass(frozen=True, slots=True)
class TimedOut:
    """No final response until Timer F: treat as 408 (RFC 3261 8.1.3.1)."""


ClientEvent = Send | Completed | TimedOut


class ClientTransaction:
    """One request of ours on its way; `state` is open for reading."""

    __slots__ = (
        "_deadline",
        "_events",
        "_interval",
        "_repeat_at",
        "branch",
        "method",
        "reliable",
        "request",
        "scheduled",
        "state",
    )

    def __init__(
        self, request: bytes, branch: str, method: str, now: float, *, reliable: bool
    ) -> None:
        self.request = request
        self.branch = branch
        self.method = method
        self.reliable = reliable
        self.state = ClientState.TRYING
        self._interval = T1
        self._repeat_at = None if reliable else now + T1  # Timer E
        self._deadline: float | None = now + TIMER_F  # Timer F, once completed Timer K
        self._events: deque[ClientEvent] = deque((Send(request),))
        self.scheduled: tuple[float, int] | None = None  # belongs to ClientTransactions

    @property
    def key(self) -> tuple[str, str]:
        """What a response must carry to be ours (RFC 3261 17.1.3)."""
        return self.branch, self.method

    def receive_response(self, response: Response, now: float) -> None:
        """Take a response that matched this transaction; late and repeated ones are absorbed."""
        if self.state in (ClientState.COMPLETED, ClientState.TERMINATED):
            return
        if response.status < 200:
            self.state = ClientState.PROCEEDING
            return
        self._events.append(Completed(response.status, response))
        self._repeat_at = None
        if self.reliable:
            self.state, self._deadline = ClientState.TERMINATED, None
        else:
            self.state, self._deadline = ClientState.COMPLETED, now + T4

    def timer(self) -> float | None:
        """When `handle_timer` should be called next; None when there is nothing to wait for."""
        if self._repeat_at is not None and self._deadline is not None:
            return min(self._repeat_at, self._deadline)
        return self._deadline

    def handle_timer(self, now: float) -> None:
        """Do what is due."""
        if self._deadline is not None and self._deadline <= now:
            if self.state is not ClientState.COMPLETED:
                self._events.append(TimedOut())
            self.state = ClientState.TERMINATED
            self._deadline = self._repeat_at = None
        elif self._repeat_at is not None and self._repeat_at <= now:
            proceeding = self.state is ClientState.PROCEEDING
            self._interval = T2 if proceeding else min(2 * self._interval, T2)
            self._repeat_at = now + self._interval
            self._events.append(Send(self.request))

    def abort(self) -> None:
        """End without a response: the transport failed or the chat has gone."""
        if self.state in (ClientState.TRYING, ClientState.PROCEEDING):
            self._events.append(TimedOut())
        self.state = ClientState.TERMINATED
        self._deadline = self._repeat_at = None

    def next_event(self) -> ClientEvent | None:
        """The next thing to do, None when there is none."""
        return self._events.popleft() if self._events else None

    def events(self) -> Iterator[ClientEvent]:
        """All that is to be done now."""
        while self._events:
            yield self._events.popleft()


class ClientTransactions:
    """The client transactions of a gateway: matches responses, runs timers in O(log n)."""

    def __init__(self) -> None:
        self._by_key: dict[tuple[str, str], ClientTransaction] = {}
        # (when, serial, key): an entry counts while its transaction still has it scheduled, so
        # that a transaction which has ended is not kept alive by the timers it left behind.
        self._timers: list[tuple[float, int, tuple[str, str]]] = []
        self._serial = 0

    def __len__(self) -> int:
        return len(self._by_key)

    @property
    def scheduled(self) -> int:
        """Timers that are kept, those of ended transactions included."""
        return len(self._timers)

    def start(
        self, request: bytes, branch: str, method: str, now: float, *, reliable: bool
    ) -> ClientTransaction:
        """Begin a transaction; its first event is the request to send."""
        transaction = ClientTransaction(request, branch, method, now, reliable=reliable)
        self.add(transaction)
        return transaction

    def add(self, transaction: ClientTransaction) -> None:
        """Look after a transaction until it has terminated."""
        if transaction.key in self._by_key:
            raise LocalProtocolError("a transaction with this branch is running")
        self._by_key[transaction.key] = transaction
        self._schedule(transaction)

    def receive_response(self, response: Response, now: float) -> ClientTransaction | None:
        """The transaction that a response belongs to, which has taken it; None for a stray one."""
        branch = parse_via(response.headers.get("via") or "").branch
        cseq = (response.headers.get("cseq") or "").split()
        transaction = self._by_key.get((branch, cseq[-1].upper() if cseq else ""))
        if transaction is None:
            return None
        transaction.receive_response(response, now)
        self._schedule(transaction)
        return transaction

    def abort(self, transaction: ClientTransaction) -> None:
        """End a transaction whose transport failed."""
        transaction.abort()
        self._schedule(transaction)

    def timer(self) -> float | None:
        """When `expire` should be called next."""
        timers = self._timers
        while timers:
            due, serial, key = timers[0]
            transaction = self._by_key.get(key)
            if transaction is not None and transaction.scheduled == (due, serial):
                return due
            heapq.heappop(timers)
        return None

    def expire(self, now: float) -> list[ClientTransaction]:
        """Run all timers that are due; the transactions that have something to say."""
        moved: list[ClientTransaction] = []
        while (due := self.timer()) is not None and due <= now:
            transaction = self._by_key[heapq.heappop(self._timers)[2]]
            transaction.handle_timer(now)
            self._schedule(transaction)
            moved.append(transaction)
        return moved

    def _schedule(self, transaction: ClientTransaction) -> None:
        due = transaction.timer()
        if due is None:
            self._by_key.pop(transaction.key, None)
        elif transaction.scheduled is None or transaction.scheduled[0] != due:
            self._serial += 1
            transaction.scheduled = (due, self._serial)
            heapq.heappush(self._timers, (due, self._serial, transaction.key))
