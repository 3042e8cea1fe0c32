"""Claiming the errands that are due, within bounds for each host (chats/worker_threads.py)."""

from django.utils import timezone

from chats.services.references import DueReference, claim_references
from chats.services.report_source import DueReport, claim_reports
from chats.worker_threads import WorkerThreads
from sipgateway.errands.fetching import fetch
from sipgateway.errands.reporting import load_service, report
from sipgateway.errands.servers import load_servers

MOST_ERRANDS = 16
MOST_PER_HOST = 4
MOST_REPORTS = 2
LOOK_AGAIN = 5.0
_REPORTS = "reports of sources"  # stands among the hosts that are busy, as none of them


class Runner(WorkerThreads):
    """Fetches references and posts reports."""

    def __init__(self) -> None:
        super().__init__("errands", LOOK_AGAIN)

    def _begin_due(self) -> int:
        return self._begin_references() + self._begin_reports()

    def _begin_references(self) -> int:
        busy = self._busy_places()
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
        room = MOST_REPORTS - self._busy_places().get(_REPORTS, 0)
        claimed = claim_reports(now=timezone.now(), most=room) if room > 0 else []
        service = load_service() if claimed else None

        def begin(due: DueReport) -> None:
            self._begin(_REPORTS, lambda: report(due, service), f"report {due.id}")

        for due in claimed:
            begin(due)
        return len(claimed)


runner = Runner()
