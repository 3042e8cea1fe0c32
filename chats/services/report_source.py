"""Reporting the source of a chat to the BCF as a bad actor (HTTP-2), and what became of that."""

from dataclasses import dataclass
from datetime import datetime

from django.db import connection, transaction
from django.db.models import QuerySet

from chats.models import Chat, ReportStatus, SourceReport
from chats.services.chain import SYSTEM, actor_of, append_event
from chats.services.errands import Pauses, lease_from, storable_cause, wake_errands
from chats.services.errors import NoBadActorUrl
from chats.services.locking import bounded_transaction, lock_chat, lock_own_chat
from chats.services.outbox import wake_readers
from chats.services.texts import clean_text, text_digest
from psap.models import Psap, User

PAUSES = Pauses((2, 5, 10, 30, 60, 120, 300))


def report_source(*, chat_id: int, call_taker: User, reason: str, now: datetime) -> SourceReport:
    """Queue a report of whoever wrote in one's own chat, be it closed already.

    What is reported is the source id that the BCF put into Call-Info (purpose `emergency-source`),
    else the caller's URI. Raises NoBadActorUrl, NotYourChat, TextTooLong.
    """
    reason = clean_text(reason).strip()
    if not Psap.objects.exclude(bad_actor_url="").exists():
        raise NoBadActorUrl
    with bounded_transaction():
        chat = lock_own_chat(chat_id, call_taker)
        report = SourceReport.objects.create(
            chat=chat,
            source=source_of(chat),
            reason=reason,
            reported_by=call_taker,
            at=now,
            due_at=now,
        )
        append_event(
            chat_id=chat_id,
            kind="source-reported",
            at=now,
            actor=actor_of(call_taker.username),
            data={
                "report": str(report.pk),
                "status": ReportStatus.PENDING.value,
                "source": report.source,
                "reasonSha256": text_digest(reason),
            },
        )
        transaction.on_commit(wake_errands)
        return report


def source_of(chat: Chat) -> str:
    """What a chat's caller is reported as."""
    source = chat.signalling.get("source")
    return source if isinstance(source, str) and source else chat.asserted_uri or chat.caller_uri


@dataclass(frozen=True, slots=True)
class DueReport:
    """A claimed report with all that its body says."""

    id: int
    chat_id: int
    call_id: str
    source: str
    reason: str
    at: datetime
    attempts: int


_CLAIM = """
UPDATE chats_sourcereport r SET lease_until = %(until)s, attempts = r.attempts + 1
FROM (
  SELECT w.id FROM chats_sourcereport w
  WHERE w.status = 'pending' AND w.due_at <= %(now)s
    AND (w.lease_until IS NULL OR w.lease_until < %(now)s)
  ORDER BY w.due_at, w.id LIMIT %(most)s FOR UPDATE SKIP LOCKED
) t, chats_chat c WHERE r.id = t.id AND c.id = r.chat_id
RETURNING r.id, r.chat_id, c.call_id, r.source, r.reason, r.at, r.attempts
"""


def claim_reports(*, now: datetime, most: int) -> list[DueReport]:
    """Take due reports for the time of a lease, the longest due first."""
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, {"now": now, "until": lease_from(now), "most": most})
        return [DueReport(*row) for row in cursor.fetchall()]


def record_report(
    *,
    due: DueReport,
    status: ReportStatus,
    cause: str,
    http_status: int | None,
    again: bool,
    now: datetime,
) -> bool:
    """Put the outcome of an attempt on the record, or have it tried again later.

    False when the attempt no longer counts.
    """
    cause = storable_cause(cause)
    pause = PAUSES.after(due.attempts) if again else None
    if pause is not None:
        return postpone_report(due=due, until=now + pause, cause=cause, http_status=http_status)
    with bounded_transaction():
        lock_chat(due.chat_id)
        settled = _attempt(due).update(
            status=status, cause=cause, http_status=http_status, done_at=now, lease_until=None
        )
        if not settled:
            return False
        append_event(
            chat_id=due.chat_id,
            kind="source-reported",
            at=now,
            actor=SYSTEM,
            data={
                "report": str(due.id),
                "status": status.value,
                "source": due.source,
                "httpStatus": http_status,
                "cause": cause,
            },
        )
        transaction.on_commit(wake_readers)
        return True


def postpone_report(
    *, due: DueReport, until: datetime, cause: str = "", http_status: int | None = None
) -> bool:
    """Give a claimed report back until later."""
    return bool(
        _attempt(due).update(due_at=until, lease_until=None, cause=cause, http_status=http_status)
    )


def _attempt(due: DueReport) -> "QuerySet[SourceReport]":
    return SourceReport.objects.filter(
        pk=due.id, status=ReportStatus.PENDING, attempts=due.attempts
    )
