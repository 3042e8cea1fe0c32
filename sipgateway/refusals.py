"""What could not be taken, counted, and logged once a second per source at most."""

import logging
from collections import Counter
from collections.abc import Callable

logger = logging.getLogger(__name__)

SOURCES_REMEMBERED = 10_000


class RefusalLog:
    """Counts refusals by reason; a flood from one source costs one line a second."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.counts: Counter[str] = Counter()
        self._clock = clock
        self._last_logged: dict[str, float] = {}
        self._unlogged: Counter[str] = Counter()

    def note(self, peer: str, reason: str, detail: str = "") -> None:
        """Count a refusal, and log it unless this source had its line within the second.

        The detail is logged and not counted.
        """
        self.counts[reason] += 1
        now = self._clock()
        source = peer.rpartition(":")[0]
        if now - self._last_logged.get(source, -1.0) < 1.0:
            self._unlogged[source] += 1
            return
        if len(self._last_logged) >= SOURCES_REMEMBERED:
            self._last_logged.clear()
            self._unlogged.clear()
        self._last_logged[source] = now
        more = self._unlogged.pop(source, 0)
        told = f"{reason}, {detail}" if detail else reason
        logger.warning("refused from %s: %s (and %d before)", peer, told, more)
