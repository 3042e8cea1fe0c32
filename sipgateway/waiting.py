"""Messages that cannot be projected yet: their chat is held elsewhere, or they were refused."""

from collections import defaultdict, deque
from collections.abc import Callable, Iterable

from chats.services.incoming import IncomingMessage

LOOK_AGAIN = 0.1
LONGEST_POSTPONEMENT = 60.0


class WaitingRoom:
    """Keeps the order within each unique part while its first message waits."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lines: dict[str, deque[IncomingMessage]] = defaultdict(deque)
        self._due: dict[str, float] = {}
        self._postponed: dict[int, tuple[float, IncomingMessage]] = {}
        self._tries: dict[int, int] = {}

    def __len__(self) -> int:
        return sum(map(len, self._lines.values())) + len(self._postponed)

    def journal_ids(self) -> set[int]:
        """Return the journal ids of all who wait."""
        standing = {m.journal_id for line in self._lines.values() for m in line}
        return standing | set(self._postponed)

    def add(self, messages: Iterable[IncomingMessage]) -> None:
        """Let messages wait that were to be projected just now: they come first again."""
        for message in sorted(messages, key=lambda m: m.journal_id, reverse=True):
            self._lines[message.unique_part].appendleft(message)
            self._due[message.unique_part] = self._clock() + LOOK_AGAIN

    def joins(self, message: IncomingMessage) -> bool:
        """Queue a new message behind others of its chat that wait; False when none does."""
        line = self._lines.get(message.unique_part) if message.unique_part else None
        if not line:
            return False
        line.append(message)
        return True

    def postpone(self, message: IncomingMessage) -> None:
        """Try a refused message again later, and later still each time; alone, out of line."""
        tries = self._tries[message.journal_id] = self.tries(message) + 1
        pause = min(0.5 * 2**tries, LONGEST_POSTPONEMENT)
        self._postponed[message.journal_id] = (self._clock() + pause, message)

    def tries(self, message: IncomingMessage) -> int:
        """How often a message was postponed."""
        return self._tries.get(message.journal_id, 0)

    def forget(self, messages: Iterable[IncomingMessage]) -> None:
        """Forget how often messages were postponed: they wait no more."""
        if self._tries:
            for message in messages:
                self._tries.pop(message.journal_id, None)

    def refused_and_due(self) -> IncomingMessage | None:
        """Take out one postponed message that is to be tried again now."""
        now = self._clock()
        for journal_id, (due, message) in self._postponed.items():
            if due <= now:
                del self._postponed[journal_id]
                return message
        return None

    def due(self) -> list[IncomingMessage]:
        """Take out what waited for its chat and is to be tried now, in the order of arrival."""
        now = self._clock()
        ready: list[IncomingMessage] = []
        for unique_part in [part for part, due in self._due.items() if due <= now]:
            ready.extend(self._lines.pop(unique_part))
            del self._due[unique_part]
        return sorted(ready, key=lambda message: message.journal_id)
