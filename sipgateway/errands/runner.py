"""Claiming what is due and giving each errand a thread of its own, so that none waits for another.

The rows in PostgreSQL say what there is to do. Celery's beat and a wake-up over Redis only make us
look; without either we look every few seconds by ourselves. A thread that is lost with its process
is an errand whose lease runs out.
"""

import logging
import threading
from collections import Counter
from collections.abc import Callable

from django.db import Error as DatabaseFailure
from django.db import connections
from django.utils import timezone

from chats.services.references import DueReference, claim_references
from chats.services.report_source import DueReport, claim_reports
from sipgateway.errands.fetching import fetch
from sipgateway.errands.reporting import load_service, report
from sipgateway.errands.servers import load_servers

logger = logging.getLogger(__name__)

MOST_ERRANDS = 16
MOST_PER_HOST = 4
MOST_REPORTS = 2
LOOK_AGAIN = 5.0
_REPORTS = "reports of sources"  # stands among the hosts that are busy, as none of them


class Runner:
    """Runs errands in threads; `look` may be called from any thread, at any time."""

    def __init__(self) -> None:
        self._busy: Counter[str] = Counter()
        self._counting = threading.Lock()
        self._looking = threading.Lock()
        self._woken = threading.Event()

    def look(self) -> int:
        """Begin everything that is due and has room; returns how much. Never waits for a server."""
        if not self._looking.acquire(blocking=False):
            self._woken.set()  # somebody is looking: let the watch look once more
            return 0
        try:
            return self._begin_references() + self._begin_reports()
        finally:
            self._looking.release()

    def watch(self) -> None:
        """Look whenever woken, and every five seconds; for ever, in a thread of its own."""
        while True:
            self._woken.wait(LOOK_AGAIN)
            self._woken.clear()
            try:
                self.look()
            except DatabaseFailure as error:
                logger.warning("errands cannot be looked up: %s", error)
            finally:
                connections.close_all()

    def wake(self) -> None:
        """Have the watch look now."""
        self._woken.set()

    @property
    def running(self) -> int:
        """How many errands are under way."""
        with self._counting:
            return self._busy.total()

    def _begin_references(self) -> int:
        with self._counting:
            busy = dict(self._busy)
        room = MOST_ERRANDS - sum(busy.values())
        if room <= 0:
            return 0
        claimed = claim_references(now=timezone.now(), most=room, per_host=MOST_PER_HOST, busy=busy)
        servers = load_servers() if claimed else {}

        def begin(due: DueReference) -> None:
            self._begin(due.host, lambda: fetch(due, servers), f"reference {due.id}")

        for due in claimed:
            begin(due)
        return len(claimed)

    def _begin_reports(self) -> int:
        with self._counting:
            room = MOST_REPORTS - self._busy[_REPORTS]
        claimed = claim_reports(now=timezone.now(), most=room) if room > 0 else []
        service = load_service() if claimed else None

        def begin(due: DueReport) -> None:
            self._begin(_REPORTS, lambda: report(due, service), f"report {due.id}")

        for due in claimed:
            begin(due)
        return len(claimed)

    def _begin(self, host: str, errand: Callable[[], None], name: str) -> None:
        with self._counting:
            self._busy[host] += 1
        # A daemon: a server that hangs must not keep the worker from ending.
        threading.Thread(
            target=self._run, args=(host, errand, name), name=name, daemon=True
        ).start()

    def _run(self, host: str, errand: Callable[[], None], name: str) -> None:
        try:
            errand()
        except Exception:  # whatever it is, its lease runs out and it is tried again
            logger.exception("%s failed", name)
        finally:
            connections.close_all()
            with self._counting:
                self._busy -= Counter({host: 1})
            self._woken.set()  # what waited for this room


runner = Runner()
