"""Requests of ours on their way: client transactions, their timers and who waits for the end."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable

from sipgateway.flows import Flow
from sipgateway.protocol.client_transaction import (
    ClientTransaction,
    ClientTransactions,
    Completed,
    Send,
)
from sipgateway.protocol.message import Response
from sipgateway.throttle import Throttle

logger = logging.getLogger(__name__)

TICK = 0.05
TIMED_OUT = 408
METHOD = "MESSAGE"

Done = Callable[[int, Response | None], None]


class Outgoing:
    """Sends requests and tells their final status: 408 stands for silence (RFC 3261 8.1.3.1)."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._transactions = ClientTransactions()
        self._waiting: dict[str, tuple[Flow, Done]] = {}
        self._on_flow: defaultdict[Flow, dict[str, ClientTransaction]] = defaultdict(dict)
        self._busy = asyncio.Event()
        self.throttle = Throttle(clock)

    def send(
        self, data: bytes, branch: str, flow: Flow, done: Done, *, must_go: bool = True
    ) -> None:
        """Start a transaction; `done(status, response)` is called exactly once.

        `must_go` is False for what was asked about with `throttle.leaves_out`.
        """
        if must_go:
            self.throttle.sent(flow)
        transaction = self._transactions.start(
            data, branch, METHOD, self._clock(), reliable=flow.reliable
        )
        self._waiting[branch] = (flow, done)
        if flow.reliable:
            self._on_flow[flow][branch] = transaction
        self._busy.set()
        self._act(transaction)

    def __len__(self) -> int:
        """How many requests wait for their answer."""
        return len(self._waiting)

    def is_running(self, branch: str) -> bool:
        """Say whether a request with this branch still waits for its answer."""
        return branch in self._waiting

    def receive_response(self, response: Response) -> None:
        """Take a response from the wire; a stray one changes nothing."""
        transaction = self._transactions.receive_response(response, self._clock())
        if transaction is not None:
            self._act(transaction)

    def lose(self, flow: Flow) -> None:
        """End what waits on a connection that is gone (RFC 3261 17.1.4)."""
        for transaction in self._on_flow.pop(flow, {}).values():
            self._transactions.abort(transaction)
            self._act(transaction)

    async def run(self) -> None:
        """Run the timers for ever."""
        while True:
            await self._busy.wait()
            await asyncio.sleep(TICK)
            for transaction in self._transactions.expire(self._clock()):
                self._act(transaction)
            if not len(self._transactions):
                self._busy.clear()

    def _act(self, transaction: ClientTransaction) -> None:
        for event in transaction.events():
            waiting = self._waiting.get(transaction.branch)
            if waiting is None:
                return
            flow, done = waiting
            if isinstance(event, Send):
                if not flow.send(event.data):
                    self._transactions.abort(transaction)
            else:
                self._forget(transaction.branch, flow)
                if isinstance(event, Completed):
                    self.throttle.heard(flow, event.response)
                    done(event.status, event.response)
                else:
                    done(TIMED_OUT, None)

    def _forget(self, branch: str, flow: Flow) -> None:
        del self._waiting[branch]
        if flow in self._on_flow:
            self._on_flow[flow].pop(branch, None)
            if not self._on_flow[flow]:
                del self._on_flow[flow]
