"""What the record says in numbers, for the status page and Prometheus. Few rows by index."""

from datetime import timedelta
from typing import Any

from django.db import connection
from django.utils import timezone

from chats.alarms import oldest_due

_CHATS = """
SELECT session, liveness, count(*) FROM chats_chat WHERE disposition IS NULL GROUP BY 1, 2
ORDER BY 1, 2
"""
_WAITING = """
SELECT count(*), min(ringing_since) FROM chats_chat
WHERE disposition IS NULL AND ringing_since IS NOT NULL
"""
_OUTBOX = """
SELECT status, count(*) FROM chats_message WHERE status IN ('queued', 'sending', 'deferred')
GROUP BY status ORDER BY status
"""
_FAILED = """
SELECT (SELECT count(*) FROM chats_setaside),
    (SELECT count(*) FROM chats_reference r JOIN chats_chat c ON c.id = r.chat_id
     WHERE c.disposition IS NULL AND r.status = 'failed'),
    (SELECT count(*) FROM chats_sourcereport r JOIN chats_chat c ON c.id = r.chat_id
     WHERE c.disposition IS NULL AND r.status = 'failed')
"""


def chat_figures() -> dict[str, Any]:
    """Return the figures of chats without a disposition, and of what is on its way to callers."""
    now = timezone.now()
    with connection.cursor() as cursor:
        cursor.execute(_CHATS)
        chats = [list(row) for row in cursor.fetchall()]
        cursor.execute(_WAITING)
        waiting, since = cursor.fetchone()
        cursor.execute(_OUTBOX)
        outbox = [list(row) for row in cursor.fetchall()]
        cursor.execute(_FAILED)
        set_aside, references, reports = cursor.fetchone()
    due = oldest_due()
    return {
        "leitstand_chats": chats,
        "leitstand_chats_waiting": waiting,
        "leitstand_chats_waiting_longest_seconds": _seconds(now - since) if since else 0,
        "leitstand_outbox_messages": outbox,
        "leitstand_outbox_oldest_due_seconds": _seconds(now - due) if due else 0,
        "leitstand_set_aside_messages": set_aside,
        "leitstand_references_failed": references,
        "leitstand_reports_failed": reports,
    }


def _seconds(passed: timedelta) -> float:
    return max(round(passed.total_seconds(), 1), 0.0)
