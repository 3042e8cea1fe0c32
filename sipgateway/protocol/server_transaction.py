"""Server transactions: recognise retransmissions and repeat the final response (RFC 3261 17.2.2).

A transaction is *trying* until it is answered, then *completed* for Timer J, then gone. Only the
bytes of the answer are kept of a completed one.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass
from hashlib import blake2b

from sipgateway.protocol.addresses import tag_of
from sipgateway.protocol.errors import LocalProtocolError
from sipgateway.protocol.message import Request
from sipgateway.protocol.timers import TIMER_J
from sipgateway.protocol.via import parse_via

MAGIC_COOKIE = "z9hG4bK"

MAX_KEPT = 256 * 1024 * 1024
"""Bytes of answers that are kept; beyond it the oldest go before Timer J. An answer echoes up to
64 KiB of the request's header fields, and a request that is not recognised here is so later."""

Source = tuple[str, int] | str | None


@dataclass(frozen=True, slots=True)
class Retransmission:
    """A request that was seen before; `final` is the answer to repeat, None while there is none."""

    final: bytes | None


class ServerTransaction:
    """A request that waits for its answer."""

    __slots__ = ("_transactions", "key", "received_at", "reliable", "source")

    def __init__(
        self,
        transactions: ServerTransactions,
        key: bytes,
        received_at: float,
        source: Source,
        reliable: bool,
    ) -> None:
        self._transactions = transactions
        self.key = key
        self.received_at = received_at
        self.source = source
        self.reliable = reliable

    def respond(self, response: bytes, now: float) -> None:
        """Note the final response: retransmissions get it until Timer J fires (UDP)."""
        self._transactions.complete(self, response, now)


def transaction_key(request: Request) -> bytes:
    """What is equal for a request and its retransmissions, and for nothing else, 16 bytes.

    By RFC 3261 17.2.3 branch, sent-by and method; a branch without the magic cookie by the rule
    of RFC 2543. From tag, Call-ID and CSeq belong to it either way: a client that reuses a branch
    for another message must not lose that message.
    """
    headers = request.headers
    top = headers.get("via") or ""
    via = parse_via(top)
    if via.branch.startswith(MAGIC_COOKIE):
        first = f"{via.branch}\0{via.sent_by}\0{request.method}"
    else:
        first = f"\0{request.uri}\0{tag_of(headers.get('to') or '')}\0{top}\0{request.method}"
    tag = tag_of(headers.get("from") or "")
    text = f"{first}\0{tag}\0{headers.get('call-id')}\0{headers.get('cseq')}"
    return blake2b(text.encode(), digest_size=16).digest()


class ServerTransactions:
    """All server transactions of a listener; every operation is O(1), amortised."""

    def __init__(self, *, timer_j: float = TIMER_J, max_kept: int = MAX_KEPT) -> None:
        self._timer_j = timer_j
        self._max_kept = max_kept
        self._kept = 0
        self._trying: OrderedDict[bytes, ServerTransaction] = OrderedDict()
        self._completed: dict[bytes, bytes] = {}
        self._deadlines: deque[tuple[float, bytes]] = deque()

    def __len__(self) -> int:
        return len(self._trying) + len(self._completed)

    def receive_request(
        self,
        request: Request,
        now: float,
        *,
        source: Source = None,
        reliable: bool = False,
    ) -> ServerTransaction | Retransmission:
        """A new transaction, or what to do about a retransmission."""
        key = transaction_key(request)
        final = self._completed.get(key)
        if final is not None:
            return Retransmission(final)
        if key in self._trying:
            return Retransmission(None)
        transaction = self._trying[key] = ServerTransaction(self, key, now, source, reliable)
        return transaction

    def complete(self, transaction: ServerTransaction, response: bytes, now: float) -> None:
        """The transaction is answered; over a reliable transport it ends at once."""
        key = transaction.key
        running = self._trying.get(key)
        if running is transaction:
            del self._trying[key]
        elif key in self._completed:
            raise LocalProtocolError("this transaction has been answered")
        elif running is not None:
            return  # given up meanwhile, and the request came again: that one gets the answer
        if not transaction.reliable:
            self._completed[key] = response
            self._deadlines.append((now + self._timer_j, key))
            self._kept += len(response)
            while self._kept > self._max_kept:
                self._forget_oldest()

    def forget(self, transaction: ServerTransaction) -> None:
        """Drop a request that cannot be taken now: its retransmission is a new transaction."""
        if self._trying.get(transaction.key) is transaction:
            del self._trying[transaction.key]

    def _forget_oldest(self) -> None:
        _, key = self._deadlines.popleft()
        self._kept -= len(self._completed.pop(key))

    def timer(self) -> float | None:
        """When `expire` should be called next."""
        first = self._deadlines[0][0] if self._deadlines else None
        if self._trying:
            oldest = next(iter(self._trying.values())).received_at + self._timer_j
            return oldest if first is None else min(first, oldest)
        return first

    def expire(self, now: float) -> int:
        """Forget what is over: answered ones by Timer J, and those that nobody answered.

        An unanswered one is given up after as long: its client has stopped by Timer F.
        """
        gone = 0
        deadlines = self._deadlines
        while deadlines and deadlines[0][0] <= now:
            self._forget_oldest()
            gone += 1
        while self._trying:
            key, transaction = next(iter(self._trying.items()))
            if transaction.received_at + self._timer_j > now:
                break
            del self._trying[key]
            gone += 1
        return gone
