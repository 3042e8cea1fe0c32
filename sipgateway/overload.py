"""What the gateway does when more comes than it can take (clause 6.1.2.9, RFC 7339).

Once a second it looks how long messages would wait for the journal and tells clients that offer
overload control what to hold back. In between, while there is no room for new chats, datagrams are
looked at before they are read: taking one apart costs a third of what putting it on record costs,
and ten times too many would leave no time for those that are taken.
"""

import logging
import re
from collections.abc import Callable

from sipgateway.flows import Flow
from sipgateway.journal_queue import JournalQueue
from sipgateway.precedence import Kind
from sipgateway.presence import Presence
from sipgateway.protocol.overload import LossController, Report, retry_after

logger = logging.getLogger(__name__)

# Of the header block alone: Call-Info stands near its beginning.
LOOKED_AT = 4096
ACTIVE_FOR = 5.0
REPORT_AGAIN = 10.0

_UNIQUE_PART = re.compile(rb"uid:callid:([^:>;\s]{1,64})", re.IGNORECASE)
_USUAL = b"uid:callid:"
_HEARTBEAT = re.compile(rb"uid:msgtype:(?:260|388)\b", re.IGNORECASE)
_METHOD = b"MESSAGE "


class Overload:
    """Knows whether there is too much, says so upstream, and turns datagrams away unread."""

    def __init__(
        self,
        queue: JournalQueue,
        presence: Presence,
        *,
        copes_with_503: Callable[[str], bool],
        arrivals: Callable[[], int],
        clock: Callable[[], float],
        wall_clock: Callable[[], float],
    ) -> None:
        self.repeated = 0
        self._queue = queue
        self._presence = presence
        self._copes_with_503 = copes_with_503
        self._arrivals = arrivals
        self._clock = clock
        self._wall_clock = wall_clock
        self._controller = LossController()
        self._looked_at = clock()
        self._counted = 0
        self._crowded_at = float("-inf")
        self._logged_at = float("-inf")
        self._turned_away = 0

    @property
    def report(self) -> Report:
        """What clients that offer overload control are told."""
        return self._controller.report

    @property
    def is_active(self) -> bool:
        """Whether there was no room for new chats just now, or clients hold something back."""
        return self._controller.is_active or self._clock() - self._crowded_at < ACTIVE_FOR

    def look(self) -> None:
        """Look how it stands; to be called about once a second."""
        now = self._clock()
        passed = max(now - self._looked_at, 0.001)
        counted = self._arrivals() + self._turned_away
        self._controller.update(
            wait=self._queue.wait if self._queue.is_long else 0.0,
            arrivals=(counted - self._counted) / passed,
            capacity=self._queue.capacity,
            now=self._wall_clock(),
        )
        self._looked_at, self._counted = now, counted
        if self.is_active and now - self._logged_at >= REPORT_AGAIN:
            self._logged_at = now
            logger.warning(
                "overload: %d messages wait, %d a second are taken, oc=%d",
                len(self._queue),
                self._queue.capacity,
                self.report.loss,
            )

    def retry_after(self, spread: float) -> int:
        """Seconds after which somebody refused may come again."""
        return retry_after(len(self._queue), self._queue.capacity, spread=spread)

    def turns_away(self, datagram: bytes, flow: Flow) -> bool:
        """Whether a datagram is left unread: it waits already, or there is no room for its kind.

        What belongs to a live chat is read while there is room for such; its heartbeats always.
        """
        queue = self._queue
        if datagram in queue.waiting_datagrams:
            self.repeated += 1
            return True
        if queue.has_room_for_new or not datagram.startswith(_METHOD):
            return False
        if self._copes_with_503(flow.trunk):
            return False
        self._crowded_at = self._clock()
        known = self._presence.knows_part(_unique_part(datagram))
        if known and (queue.has_room(Kind.LIVE) or _HEARTBEAT.search(datagram, 0, LOOKED_AT)):
            return False
        queue.refused[Kind.LIVE if known else Kind.NEW] += 1
        self._turned_away += 1
        return True


def _unique_part(datagram: bytes) -> str:
    """Find what a message says that its call is, without reading it; "" where it does not."""
    start = datagram.find(_USUAL, 0, LOOKED_AT) + len(_USUAL)
    if start >= len(_USUAL):
        part = datagram[start : datagram.find(b":", start, start + 65)]
        if part.isalnum():
            return part.decode("ascii")
    found = _UNIQUE_PART.search(datagram, 0, LOOKED_AT)
    return found[1].decode("ascii", "replace") if found else ""
