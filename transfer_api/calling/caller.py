"""Claiming the calls to peers that are due: each gets a thread, under a lease that is renewed.

A peer that hangs holds the threads of its own calls, and nobody else's: there is room for more than
a control room has chats on their way.
"""

import logging
import socket
import threading
from collections.abc import Callable

from django.db import Error as DatabaseFailure
from django.db import connection
from django.utils import timezone

from chats.services.transfers.calls import (
    CallKind,
    DueCall,
    calls_are_due,
    claim_calls,
    free_calls,
    renew_calls,
)
from chats.services.transfers.fetches import DueFetch, claim_fetches
from chats.worker_threads import WorkerThreads
from transfer_api.calling.attachments import fetch
from transfer_api.calling.counterparts import Counterpart, load_counterparts
from transfer_api.calling.custody import tell
from transfer_api.calling.execution import execute
from transfer_api.calling.negotiation import negotiate
from transfer_api.calling.withdrawal import withdraw

logger = logging.getLogger(__name__)

LOOK_AGAIN = 1.0
RENEW_EVERY = 2.0
MOST_CALLS = 200
MOST_FETCHES = 4
_CALLS, _FETCHES = "calls", "fetches"


class _UnderWay:
    """One call; `wanted` turns false once nobody waits for the answer any more."""

    __slots__ = ("wanted",)

    def __init__(self) -> None:
        self.wanted = True


class Caller(WorkerThreads):
    """Makes the calls of one worker; `holder` names it on the leases."""

    def __init__(self, holder: str = "") -> None:
        super().__init__("calls to peers", LOOK_AGAIN)
        self._holder = holder or f"worker@{socket.gethostname()}"[:80]
        self._under_way: dict[int, _UnderWay] = {}  # by transfer
        self._freed = False

    def renew(self, stop: threading.Event) -> None:
        """Keep the leases of what is under way; until stopped, in a thread of its own."""
        while not stop.wait(RENEW_EVERY):
            try:
                self.renew_once()
            except DatabaseFailure as error:
                logger.warning("leases of calls to peers cannot be renewed: %s", error)
                connection.close()
            except Exception:  # whatever it is: the other calls need their leases
                logger.exception("leases of calls to peers cannot be renewed")

    def renew_once(self) -> None:
        """Extend all leases; hang up where nobody waits for the answer any more."""
        with self._counting:
            under_way = dict(self._under_way)
        if not under_way:
            return
        wanted = renew_calls(holder=self._holder, transfer_ids=set(under_way), now=timezone.now())
        for transfer_id, one in under_way.items():
            one.wanted = transfer_id in wanted

    def _begin_due(self) -> int:
        if not self._freed:  # what a worker before us held
            free_calls(holder=self._holder, now=timezone.now())
            self._freed = True
        return self._begin_calls() + self._begin_fetches()

    def _is_held(self) -> bool:
        return self._room() > 0 and calls_are_due(now=timezone.now())

    def _room(self) -> int:
        return MOST_CALLS - self._busy_places().get(_CALLS, 0)

    def _begin_calls(self) -> int:
        room = self._room()
        claimed = (
            claim_calls(holder=self._holder, now=timezone.now(), most=room) if room > 0 else []
        )
        peers = load_counterparts({call.peer_id for call in claimed}) if claimed else {}

        for call in claimed:
            if call.peer_id in peers:  # else it has just been deleted: the lease runs out
                work = self._work(call, peers[call.peer_id])
                self._begin(_CALLS, work, f"{call.kind} of transfer {call.transfer_id}")
        return len(claimed)

    def _work(self, call: DueCall, counterpart: Counterpart) -> Callable[[], None]:
        under_way = _UnderWay()
        with self._counting:
            before = self._under_way.get(call.transfer_id)
            if before is not None:  # its answer means nothing any more
                before.wanted = False
            self._under_way[call.transfer_id] = under_way

        def work() -> None:
            try:
                self._make(call, counterpart, lambda: under_way.wanted)
            finally:
                with self._counting:
                    # It may be due again, and be somebody else's, since its outcome is written.
                    if self._under_way.get(call.transfer_id) is under_way:
                        del self._under_way[call.transfer_id]

        return work

    def _make(self, call: DueCall, counterpart: Counterpart, wanted: Callable[[], bool]) -> None:
        if call.kind is CallKind.NEGOTIATION:
            negotiate(call, counterpart, wanted)
        elif call.kind is CallKind.EXECUTION:
            execute(call, counterpart, wanted)
        elif call.kind is CallKind.WITHDRAWAL:
            withdraw(call, counterpart)
        else:
            tell(call, counterpart)

    def _begin_fetches(self) -> int:
        room = MOST_FETCHES - self._busy_places().get(_FETCHES, 0)
        claimed = claim_fetches(now=timezone.now(), most=room) if room > 0 else []
        peers = load_counterparts({due.peer_id for due in claimed}) if claimed else {}

        def begin(due: DueFetch) -> None:
            self._begin(_FETCHES, lambda: fetch(due, peers.get(due.peer_id)), f"fetch {due.id}")

        for due in claimed:
            begin(due)
        return len(claimed)


caller = Caller()
