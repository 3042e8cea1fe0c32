"""Spacing batches under load, so that each takes more.

A batch costs about a millisecond of CPU whatever its size: back to back, as many small ones as
fit would eat a quarter of the gateway. A quiet gateway never waits.
"""

from collections.abc import Callable

# Rows a second from which on batches are spaced.
BUSY = 1500.0


class Pace:
    """Tells one loop how long to pause after each of its batches, in seconds."""

    def __init__(self, clock: Callable[[], float], *, cycle: float) -> None:
        self._clock = clock
        self._cycle = cycle
        self._called_at = clock()
        self._paused = 0.0

    def pause(self, size: int) -> float:
        """Return the rest of the cycle when `size` rows were many for their time, else nothing."""
        now = self._clock()
        period = now - self._called_at
        active = period - self._paused
        busy = size > BUSY * period
        self._called_at = now
        self._paused = max(0.0, self._cycle - active) if busy else 0.0
        return self._paused
