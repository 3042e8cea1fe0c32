"""Times of a peer, moved to our clock: durations of its are used, its clock never is."""

from datetime import UTC, datetime, timedelta

TOLERANCE = timedelta(seconds=5)


def written(at: datetime) -> str:
    """Write a time as `Data` has it: RFC 3339 in UTC with microseconds."""
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


class Clock:
    """Moves times by the difference between our clock and the peer's, where it is a real one.

    `written_at` is what the peer's clock showed when ours showed `received_at`, None if unknown.
    """

    def __init__(self, *, received_at: datetime, written_at: datetime | None) -> None:
        self._received_at = received_at
        difference = timedelta() if written_at is None else received_at - written_at
        self.shift = difference if abs(difference) > TOLERANCE else timedelta()

    def moved(self, at: datetime) -> datetime:
        """Return a time by our clock; nothing has happened later than what told us of it."""
        try:
            moved = (at + self.shift).astimezone(UTC)
        except OverflowError:
            return self._received_at
        return moved if moved <= self._received_at + TOLERANCE else self._received_at
