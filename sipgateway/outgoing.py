"""Requests of ours on their way: client transactions, their timers and who waits for the end."""

import asyncio
import logging
from collections.abc import Callable

from sipgateway.flows import Flow
from sipgateway.protocol.client_transaction import (
    ClientTransaction,
    ClientTransactions,
    Completed,
    Send,
)
from sipgateway.protocol.message import Response

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
        self._busy = asyncio.Event()

    def send(self, data: bytes, branch: str, flow: Flow, done: Done) -> None:
        """Start a transaction; `done(status, response)` is called exactly once."""
        transaction = self._transactions.start(
            data, branch, METHOD, self._clock(), reliable=flow.reliable
        )
        self._waiting[branch] = (flow, done)
        self._busy.set()
        self._act(transaction)

    def is_running(self, branch: str) -> bool:
        """Say whether a request with this branch still waits for its answer."""
        return branch in self._waiting

    def receive_response(self, response: Response) -> None:
        """Take a response from the wire; a stray one changes nothing."""
        transaction = self._transactions.receive_response(response, self._clock())
        if transaction is not None:
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
            elif isinstance(event, Completed):
                del self._waiting[transaction.branch]
                done(event.status, event.response)
            else:
                del self._waiting[transaction.branch]
                done(TIMED_OUT, None)
