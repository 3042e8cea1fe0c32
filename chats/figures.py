"""What the record says in numbers, for the status page and Prometheus. Few rows by index."""

from datetime import timedelta
from typing import Any

from django.db import connection
from django.utils import timezone

from chats.alarms import oldest_call, oldest_due

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
# Each by a partial index of its own.
_TRANSFERS = """
SELECT side, state, count(*) FROM chats_transfer WHERE due_at IS NOT NULL GROUP BY 1, 2
ORDER BY 1, 2
"""
_ENDED_TRANSFERS = """
SELECT side, state, count(*) FROM chats_transfer WHERE ended_at > %s GROUP BY 1, 2 ORDER BY 1, 2
"""
_OFFERS = """
SELECT count(*) FILTER (WHERE state = 'offered'),
    min(requested_at) FILTER (WHERE state = 'offered')
FROM chats_transfer WHERE side = 'in' AND state IN ('offered', 'accepted')
"""
_FETCHES = """
SELECT status, count(*) FROM chats_attachmentfetch WHERE status <> 'fetched' GROUP BY 1 ORDER BY 1
"""
A_DAY = timedelta(days=1)


def transfer_figures() -> dict[str, Any]:
    """Return the figures of transfers: under way, ended within a day, offers, calls that wait."""
    now = timezone.now()
    with connection.cursor() as cursor:
        cursor.execute(_TRANSFERS)
        under_way = [list(row) for row in cursor.fetchall()]
        cursor.execute(_ENDED_TRANSFERS, [now - A_DAY])
        ended = [list(row) for row in cursor.fetchall()]
        cursor.execute(_OFFERS)
        offers, offered = cursor.fetchone()
        cursor.execute(_FETCHES)
        fetches = [list(row) for row in cursor.fetchall()]
    due = oldest_call(now)
    return {
        "leitstand_transfers": under_way,
        "leitstand_transfers_ended_within_a_day": ended,
        "leitstand_transfer_offers_waiting": offers,
        "leitstand_transfer_offers_waiting_longest_seconds": (
            _seconds(now - offered) if offered else 0
        ),
        "leitstand_transfer_oldest_call_due_seconds": _seconds(now - due) if due else 0,
        "leitstand_attachment_fetches": fetches,
    }


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
