"""What the worker claims, each in a thread of its own, so that none waits for another.

The rows in PostgreSQL say what there is to do. A wake-up over Redis and Celery's beat only make us
look; without either we look every few seconds by ourselves. A thread that is lost with its process
is a row whose lease runs out.
"""

import logging
import threading
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Mapping

from django.db import Error as DatabaseFailure
from django.db import connection, connections

logger = logging.getLogger(__name__)

# Seconds from a look on that found rows held: whoever decides about one has it for an instant.
PAUSES_WHILE_HELD = (0.02, 0.05, 0.1, 0.3)


class WorkerThreads(ABC):
    """Begins in threads what is due; `look` and `wake` may be called from any thread, at any time.

    `name` is what the rows are called in the log, `look_again` the seconds between looks that
    nobody has asked for.
    """

    def __init__(self, name: str, look_again: float) -> None:
        self._name, self._look_again = name, look_again
        self._busy: Counter[str] = Counter()
        self._counting = threading.Lock()
        self._looking = threading.Lock()
        self._woken = threading.Event()

    @abstractmethod
    def _begin_due(self) -> int:
        """Claim what is due and has room, `_begin` each; returns how much that was."""

    def _is_held(self) -> bool:
        """Whether something is due still, its row held by somebody else at our look."""
        return False

    def look(self) -> int:
        """Begin everything that is due and has room; returns how much. Never waits for a server."""
        if not self._looking.acquire(blocking=False):
            self._woken.set()  # somebody is looking: let the watch look once more
            return 0
        try:
            return self._begin_due()
        finally:
            self._looking.release()

    def watch(self) -> None:
        """Look whenever woken, and now and then; for ever, in a thread of its own."""
        held = 0  # looks since the last wake-up at which a row was held
        while True:
            if self._woken.wait(self._pause_after(held)):
                held = 0
            self._woken.clear()
            try:
                self.look()
                held = held + 1 if self._is_held() else 0
            except DatabaseFailure as error:
                logger.warning("%s cannot be looked up: %s", self._name, error)
            except Exception:  # whatever it is: who watches must go on
                logger.exception("%s cannot be looked up", self._name)
            finally:
                if connection.connection is not None and not connection.is_usable():
                    connection.close()

    def _pause_after(self, held: int) -> float:
        if 0 < held <= len(PAUSES_WHILE_HELD):
            return PAUSES_WHILE_HELD[held - 1]
        return self._look_again

    def wake(self) -> None:
        """Have the watch look now."""
        self._woken.set()

    @property
    def running(self) -> int:
        """How many are under way."""
        with self._counting:
            return self._busy.total()

    def _busy_places(self) -> Mapping[str, int]:
        """How many are under way, by place."""
        with self._counting:
            return dict(self._busy)

    def _begin(self, place: str, work: Callable[[], None], name: str) -> None:
        """Work in a thread; `place` is what the work is counted under as long as it lasts."""
        with self._counting:
            self._busy[place] += 1
        # A daemon: a server that hangs must not keep the worker from ending.
        threading.Thread(target=self._run, args=(place, work, name), name=name, daemon=True).start()

    def _run(self, place: str, work: Callable[[], None], name: str) -> None:
        try:
            work()
        except Exception:  # whatever it is, its lease runs out and it is tried again
            logger.exception("%s failed", name)
        finally:
            connections.close_all()
            with self._counting:
                self._busy -= Counter({place: 1})
            self._woken.set()  # what waited for this room
