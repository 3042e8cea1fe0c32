"""What waits for the journal: bounded in messages, bytes and time, urgent ones first.

A message that there is no room for is not lost. Over UDP it gets no answer and its sender repeats
it. On a connection it is taken all the same, and then nothing more is read from that connection
until there is room. Room for live chats is left when there is none for new ones, and for these
when there is none for test calls.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

from sipgateway.arrivals import Arrival
from sipgateway.flows import Flow
from sipgateway.precedence import Kind, is_expendable, kind_of_rank
from sipgateway.protocol.timers import TIMER_F
from sipgateway.waiting_line import Place, WaitingLine

LONGEST_QUEUE = 20_000
LARGEST_QUEUE_BYTES = 256 * 1024 * 1024
# Fewer than these are gone in a quarter of a second: there is no order to keep.
SHORT = 1024
SHORT_BYTES = 16 * 1024 * 1024
# Which part of the queue each kind may fill, and for how many seconds it may have to wait there.
# Over UDP a message that waits longer is sent again and again meanwhile: each costs a third of
# what taking it costs.
SHARES = {Kind.LIVE: 1.0, Kind.NEW: 0.875, Kind.TEST: 0.5}
LONGEST_WAITS = {Kind.LIVE: 4.0, Kind.NEW: 2.0, Kind.TEST: 1.0}
LEAST_ROOM = 1000
READ_ON_BELOW = 0.75
# Until there was a queue to measure with: messages a second.
ASSUMED_CAPACITY = 4000.0
MEASURED_OVER = 0.5
SMOOTHING = 0.3
GIVEN_UP_AFTER = timedelta(seconds=TIMER_F)


class JournalQueue:
    """Arrivals on their way into the journal; `place` says who is how urgent."""

    def __init__(
        self,
        place: Callable[[Arrival], Place],
        *,
        given_up: Callable[[Arrival], None] = lambda arrival: None,
    ) -> None:
        self._line: WaitingLine[Arrival] = WaitingLine(place, short=SHORT)
        self._place = place
        self._given_up = given_up
        self._paused: dict[Flow, None] = {}
        # The very bytes that wait, once many do: who sees them again sees a repetition.
        self.waiting_datagrams: set[bytes] = set()
        self.has_room_for_new = True
        self.capacity = ASSUMED_CAPACITY
        self._measured = 0
        self._measured_seconds = 0.0
        self.refused = {kind: 0 for kind in Kind}
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._line)

    @property
    def size(self) -> int:
        """Bytes that wait."""
        return self._line.size

    @property
    def is_long(self) -> bool:
        """Whether more wait than fit into a batch."""
        return self._line.is_long

    @property
    def wait(self) -> float:
        """Seconds until all that waits now is worked off, as far as can be told."""
        return len(self._line) / max(self.capacity, 1.0)

    @property
    def paused(self) -> int:
        """Connections that are not read for want of room."""
        return len(self._paused)

    def oldest_age(self, now: datetime) -> float:
        """Seconds for which the longest waiting has waited."""
        oldest = self._line.oldest()
        return (now - oldest.received_at).total_seconds() if oldest else 0.0

    def of_kind(self, kind: Kind) -> int:
        """How many of a kind wait, once there is an order."""
        return sum(self._line.of_rank(number) for number in range(4 * kind, 4 * kind + 4))

    def offer(self, arrival: Arrival) -> bool:
        """Queue an arrival; False when there is no room for one of its kind."""
        size = arrival.size
        line = self._line
        if not line.is_long and line.size < SHORT_BYTES:
            line.push(arrival, size)
            return True
        place = self._place(arrival)
        kind = kind_of_rank(place.rank)
        self.has_room_for_new = self._has_room(Kind.NEW, reliable=False)
        if not self._has_room(kind, reliable=arrival.flow.reliable):
            self.refused[kind] += 1
            return False
        if not arrival.flow.reliable:
            self.waiting_datagrams.add(arrival.request.raw)
        line.push(arrival, size, place)
        return True

    def hold(self, arrival: Arrival) -> None:
        """Queue what nobody would send again, and read no more from where it came."""
        arrival.flow.pause()
        self._paused[arrival.flow] = None
        self._line.push(arrival, arrival.size)

    def has_room(self, kind: Kind) -> bool:
        """Whether a datagram of that kind would be taken now."""
        return not self._line.is_long or self._has_room(kind, reliable=False)

    def take(self, most: int, most_bytes: int) -> list[Arrival]:
        """Take out who is next; what nobody waits for any more is given up instead."""
        if not self._line.is_long:
            batch = list(self._line.take(most, most_bytes))
        else:
            batch = list(self._still_wanted(self._line.take(most, most_bytes)))
            if self.waiting_datagrams:
                self.waiting_datagrams.difference_update([a.request.raw for a in batch])
        if not self._line.is_long:
            self.waiting_datagrams.clear()
        self.has_room_for_new = self.has_room(Kind.NEW)
        if self._paused and self._may_read_on():
            for flow in self._paused:
                flow.resume()
            self._paused.clear()
        return batch

    def measured(self, count: int, seconds: float) -> None:
        """Learn how fast the queue is worked off: so many in so many seconds, while many wait."""
        self._measured += count
        self._measured_seconds += seconds
        if self._measured_seconds >= MEASURED_OVER:
            rate = self._measured / self._measured_seconds
            self.capacity += SMOOTHING * (rate - self.capacity)
            self._measured, self._measured_seconds = 0, 0.0

    def _has_room(self, kind: Kind, *, reliable: bool) -> bool:
        share = SHARES[kind]
        most = share * LONGEST_QUEUE
        if not reliable:
            most = min(most, max(LEAST_ROOM, LONGEST_WAITS[kind] * self.capacity))
        return len(self._line) < most and self._line.size < share * LARGEST_QUEUE_BYTES

    def _may_read_on(self) -> bool:
        most = READ_ON_BELOW * SHARES[Kind.TEST]
        return (
            len(self._line) < most * LONGEST_QUEUE and self._line.size < most * LARGEST_QUEUE_BYTES
        )

    def _still_wanted(self, batch: Iterator[Arrival]) -> Iterator[Arrival]:
        """Leave out heartbeats and tests whose senders have stopped waiting (Timer F)."""
        since = datetime.now(UTC) - GIVEN_UP_AFTER
        for arrival in batch:
            if arrival.received_at > since or arrival.flow.reliable:
                yield arrival
            elif is_expendable(arrival, kind_of_rank(self._place(arrival).rank)):
                self.dropped += 1
                self._given_up(arrival)
            else:
                yield arrival
