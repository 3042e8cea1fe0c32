"""What all errands of the worker share: leases, attempts and the pauses between them.

An errand is a row (chats/models/errand.py). Who claims it gets a lease and the number of the
attempt; a result counts only while that attempt is the newest. So a worker that died delays an
errand by its lease, and one that was thought dead cannot overwrite what came after.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from chats import wakeup

# Longer than an attempt may take, with all its waiting for a name, a server and a locked chat.
LEASE = timedelta(seconds=30)
LONGEST_CAUSE = 300


@dataclass(frozen=True, slots=True)
class Pauses:
    """Seconds between the attempts of one kind of errand; after the last one it has failed."""

    seconds: tuple[int, ...]

    def after(self, attempts: int) -> timedelta | None:
        """How long to wait after so many attempts; None where it was the last."""
        if attempts > len(self.seconds):
            return None
        return timedelta(seconds=self.seconds[max(attempts, 1) - 1])


def storable_cause(cause: str) -> str:
    """Cut a cause to what a screen shows and PostgreSQL stores."""
    shown = cause.replace("\0", "␀")[:LONGEST_CAUSE]
    return shown.encode("utf-8", "replace").decode()


def lease_from(now: datetime) -> datetime:
    """Until when whoever claims an errand now has it."""
    return now + LEASE


def wake_errands() -> None:
    """Tell workers and hubs that there is an errand to run; call it after the commit."""
    wakeup.publish(wakeup.ERRANDS)
    wakeup.publish(wakeup.EVENTS)
