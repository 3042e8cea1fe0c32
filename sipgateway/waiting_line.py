"""The order in which messages wait for the journal: urgent ones first, callers in turn.

While few wait, they wait in one line, first come, first served: all of it goes into the next batch
anyway. Once more wait than that, each caller has a line of its own.

- A line stands in the rank of its most urgent message. Within a line nothing overtakes.
- The lowest rank that is not empty is served. Every sixteenth turn belongs to whoever has waited
  longest, whatever the rank: urgent ones come first, but nobody waits for ever.
- Within a rank lines take turns by bytes (start-time fair queueing): who sends much waits behind
  their own messages, not others behind them.

Pure: it reads no clock and drops nothing.
"""

import heapq
from collections import deque
from collections.abc import Callable, Iterator
from typing import Generic, NamedTuple, TypeVar

Item = TypeVar("Item")

LONGEST_WAITS_EVERY = 16


class Place(NamedTuple):
    """Where something belongs: its rank (the lower the sooner) and whose line it joins."""

    rank: int
    caller: str


class _Line(Generic[Item]):
    """The messages of one caller; `ticket` names its one valid entry among those of its rank."""

    __slots__ = ("caller", "messages", "rank", "start", "ticket")

    def __init__(self, caller: str, rank: int) -> None:
        self.caller = caller
        self.rank = rank
        self.start = 0
        self.ticket = 0
        self.messages: deque[tuple[int, Item, int, int]] = deque()  # serial, item, size, rank


class WaitingLine(Generic[Item]):
    """Queues items of a size in bytes; `place` is asked only once more than `short` wait."""

    def __init__(self, place: Callable[[Item], Place], *, short: int) -> None:
        self.size = 0
        self._place = place
        self._short = short
        self._few: deque[tuple[Item, int]] = deque()
        self._sorted = 0
        self._lines: dict[str, _Line[Item]] = {}
        # In the order of arrival; those that are gone stay until they are first.
        self._arrived: deque[tuple[int, _Line[Item]]] = deque()
        self._ranks: dict[int, list[tuple[int, int, _Line[Item]]]] = {}
        self._virtual: dict[int, int] = {}
        self._in_rank: dict[int, int] = {}
        self._serial = 0
        self._tickets = 0
        self._turn = 0

    def __len__(self) -> int:
        return len(self._few) + self._sorted

    @property
    def is_long(self) -> bool:
        """Whether so many wait that order matters."""
        return self._sorted > 0

    def of_rank(self, rank: int) -> int:
        """How many of a rank wait; 0 while the line is short."""
        return self._in_rank.get(rank, 0)

    def oldest(self) -> Item | None:
        """Who has waited longest."""
        if self._few:
            return self._few[0][0]
        self._forget_gone()
        # Of those that are not gone the first to come is the first of its line.
        return self._arrived[0][1].messages[0][1] if self._arrived else None

    def push(self, item: Item, size: int, place: Place | None = None) -> None:
        """Queue an item, at its place where that is known already."""
        self.size += size
        if self._sorted:
            self._stand(item, size, place or self._place(item))
            return
        self._few.append((item, size))
        if len(self._few) > self._short:
            while self._few:
                first, its_size = self._few.popleft()
                self._stand(first, its_size, self._place(first))

    def take(self, most: int, most_bytes: int) -> Iterator[Item]:
        """Take out who is next: `most` items, and none after the one that exceeds `most_bytes`."""
        taken = taken_bytes = 0
        while taken < most and taken_bytes < most_bytes and (self._few or self._sorted):
            item, size = self._few.popleft() if self._few else self._next()
            taken += 1
            taken_bytes += size
            self.size -= size
            yield item

    def _stand(self, item: Item, size: int, place: Place) -> None:
        rank, caller = place
        line = self._lines.get(caller)
        if line is None:
            line = self._lines[caller] = _Line(caller, rank)
            self._enter(line)
        elif rank < line.rank:
            line.rank = rank
            self._enter(line)
        self._serial += 1
        line.messages.append((self._serial, item, size, rank))
        self._arrived.append((self._serial, line))
        self._in_rank[rank] = self._in_rank.get(rank, 0) + 1
        self._sorted += 1

    def _enter(self, line: _Line[Item]) -> None:
        """Let a line join those of its rank, behind nobody who has had as much as it."""
        line.start = self._virtual.get(line.rank, 0)
        self._draw_ticket(line)

    def _draw_ticket(self, line: _Line[Item]) -> None:
        self._tickets += 1
        line.ticket = self._tickets
        entry = (line.start, line.ticket, line)
        heapq.heappush(self._ranks.setdefault(line.rank, []), entry)

    def _next(self) -> tuple[Item, int]:
        self._turn += 1
        if self._turn % LONGEST_WAITS_EVERY == 0:
            self._forget_gone()
            line = self._arrived[0][1]
        else:
            line = self._first_line()
        _, item, size, rank = line.messages.popleft()
        self._sorted -= 1
        self._in_rank[rank] -= 1
        line.start += size
        if line.messages:
            self._draw_ticket(line)
        else:
            del self._lines[line.caller]
            line.ticket = 0
        if not self._sorted:
            self._forget_order()
        return item, size

    def _first_line(self) -> _Line[Item]:
        for rank in sorted(self._ranks):
            entries = self._ranks[rank]
            while entries:
                start, ticket, line = heapq.heappop(entries)
                if line.ticket == ticket:
                    self._virtual[rank] = start
                    return line
        raise LookupError("nobody waits")

    def _forget_gone(self) -> None:
        arrived = self._arrived
        while arrived:
            serial, line = arrived[0]
            if line.messages and line.messages[0][0] <= serial:
                return
            arrived.popleft()

    def _forget_order(self) -> None:
        """Start anew: nobody owes anybody anything once nobody waits."""
        self._arrived.clear()
        self._ranks.clear()
        self._virtual.clear()
