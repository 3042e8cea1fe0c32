"""Reporting one source to the BCF: the BadActor service of HTTP-2 (TS 103 479 6.2.2, NENA i3)."""

import json
import logging
import time
from dataclasses import dataclass
from datetime import UTC, timedelta

from django.utils import timezone

from chats.models import ReportStatus
from chats.services.errors import ChatBusy
from chats.services.report_source import DueReport, postpone_report, record_report
from psap.https.addresses import Reach
from psap.https.exchange import ExchangeFailed, Terms, exchange
from psap.https.trust import Trust, trust_of
from psap.https.urls import UrlRefused, read_url
from psap.models import Psap, ReportFormat
from sipgateway.protocol.content_encoding import content_decoded

logger = logging.getLogger(__name__)

LONGEST_ATTEMPT = 10.0
LARGEST_ANSWER = 64 * 1024
BUSY_PAUSE = timedelta(seconds=2)
AGAIN_LATER = frozenset((408, 425, 429))
ALREADY_REPORTED = 432
# What NENA i3 calls these outcomes of its web services.
WORDS = {432: "already reported", 433: "no such source id", 454: "unspecified error"}


@dataclass(frozen=True, slots=True)
class BadActorService:
    """Where reports go and in what form; `psap` names us."""

    url: str
    format: str
    trust: Trust
    psap: str


def load_service() -> BadActorService | None:
    """Read the configuration; None while no URL is set."""
    row = Psap.objects.select_related("bad_actor_certificate").first()
    if row is None or not row.bad_actor_url:
        return None
    authorities = list(row.bad_actor_authorities.all())
    trust = trust_of(authorities, row.bad_actor_certificate)
    return BadActorService(row.bad_actor_url, row.bad_actor_format, trust, row.public_uri)


def report(due: DueReport, service: BadActorService | None) -> None:
    """Post a claimed report and put the outcome on the record; never raises for the server."""
    try:
        status = _post(due, service)
    except ExchangeFailed as error:
        logger.info("report %d: %s", due.id, error.cause)
        outcome = (ReportStatus.FAILED, error.cause, error.status, error.again)
    except Exception:  # must count as an attempt, or it is tried for ever
        logger.exception("report %d cannot be sent", due.id)
        outcome = (ReportStatus.FAILED, "a fault of ours", None, True)
    else:
        outcome = (ReportStatus.ACCEPTED, WORDS.get(status, ""), status, False)
    verdict, cause, http_status, again = outcome
    now = timezone.now()
    try:
        record_report(
            due=due, status=verdict, cause=cause, http_status=http_status, again=again, now=now
        )
    except ChatBusy:
        # Posted again then: who is reported twice is no worse than who is reported once.
        postpone_report(due=due, until=now + BUSY_PAUSE, cause="the chat was busy")


def _post(due: DueReport, service: BadActorService | None) -> int:
    if service is None:
        raise ExchangeFailed("no service is configured any more", again=False)
    try:
        target = read_url(service.url, schemes=("https", "http"))
    except UrlRefused as error:
        raise ExchangeFailed(str(error), again=False) from error
    terms = Terms(
        service.trust,
        Reach.ANYWHERE,
        time.monotonic() + LONGEST_ATTEMPT,
        LARGEST_ANSWER,
        content_decoded,
    )
    kind, content = body_of(due, service)
    answer = exchange("POST", target, terms, headers={"Content-Type": kind}, content=content)
    if 200 <= answer.status < 300 or answer.status == ALREADY_REPORTED:
        return answer.status
    again = answer.status >= 500 or answer.status in AGAIN_LATER
    words = WORDS.get(answer.status, f"the service answered {answer.status}")
    raise ExchangeFailed(words, again=again, status=answer.status)


def body_of(due: DueReport, service: BadActorService) -> tuple[str, bytes]:
    """Write a report: its type, and the source id alone or a JSON object around it.

    `sourceId` is the only parameter that i3 knows; whoever does not know the others ignores them.
    """
    if service.format == ReportFormat.TEXT:
        return "text/plain;charset=utf-8", due.source.encode()
    content = {
        "sourceId": due.source,
        "callId": due.call_id,
        "reason": due.reason,
        "reportedAt": due.at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "psap": service.psap,
    }
    return "application/json", json.dumps(content, ensure_ascii=False).encode()
