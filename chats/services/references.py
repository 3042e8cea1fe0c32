"""Fetching what a message names by its URL: claimed rows, and their results on the record.

A reference waits as `pending` until a worker claims it. Its host is on the administrator's list,
or it becomes `unlisted` and waits for a call-taker (`fetch_reference`). Locations: RFC 6442, 6753;
additional data: RFC 7852 6.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from chats.models import AdditionalData, LocationFix, Reference, ReferenceStatus
from chats.services.chain import SYSTEM, append_event
from chats.services.errands import Pauses, lease_from, storable_cause
from chats.services.incoming.records import IncomingFix
from chats.services.locking import bounded_transaction, lock_chat
from chats.services.outbox import wake_readers
from chats.services.readings import readings_digest

PAUSES = Pauses((1, 2, 4, 8, 15, 30, 60))
MOST_FIXES = 20
MOST_BLOCKS = 10


@dataclass(frozen=True, slots=True)
class DueReference:
    """A claimed reference; `host` is what stands between `//` and the path, in lower case.

    `allowed` tells that a call-taker wants it fetched whatever the list says, `test` that its chat
    is a test call, for which other credentials are shown (clause 6.1.2.10).
    """

    id: int
    chat_id: int
    message_id: int
    kind: str
    purpose: str
    url: str
    host: str
    attempts: int
    allowed: bool
    test: bool


_HOST = "lower(substring({0}.url from '^[^:]*://([^/?#]*)'))"
_DUE = (
    "{0}.status = 'pending' AND {0}.due_at <= %(now)s"
    " AND ({0}.lease_until IS NULL OR {0}.lease_until < %(now)s)"
)
# The conditions stand twice: what another worker has claimed since the ranking is looked at again
# when its lock is free.
_CLAIM = f"""
WITH ranked AS (
  SELECT w.id, w.due_at, {_HOST.format("w")} AS host,
    row_number() OVER (PARTITION BY {_HOST.format("w")} ORDER BY w.due_at, w.id) AS place
  FROM chats_reference w WHERE {_DUE.format("w")}
), taken AS (
  SELECT r.id, k.host FROM ranked k
  JOIN chats_reference r ON r.id = k.id
  LEFT JOIN unnest(%(hosts)s::text[], %(busy)s::bigint[]) AS b (host, count) ON b.host = k.host
  WHERE k.place + coalesce(b.count, 0) <= %(per_host)s AND {_DUE.format("r")}
  ORDER BY r.due_at, r.id LIMIT %(most)s FOR UPDATE OF r SKIP LOCKED
)
UPDATE chats_reference r SET lease_until = %(until)s, attempts = r.attempts + 1
FROM taken t, chats_chat c WHERE r.id = t.id AND c.id = r.chat_id
RETURNING r.id, r.chat_id, r.message_id, r.kind, r.purpose, r.url, coalesce(t.host, ''),
  r.attempts, EXISTS (
    SELECT FROM chats_reference a WHERE a.chat_id = r.chat_id AND a.allowed_by_id IS NOT NULL
      AND {_HOST.format("a")} = t.host), c.test
"""  # noqa: S608


def claim_references(
    *, now: datetime, most: int, per_host: int, busy: Mapping[str, int]
) -> list[DueReference]:
    """Take due references for `LEASE`, the longest due first.

    No host gets more than `per_host` at once, those `busy` already (host → how many) included: a
    server that hangs delays nobody else's.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            _CLAIM,
            {
                "now": now,
                "until": lease_from(now),
                "most": most,
                "per_host": per_host,
                "hosts": list(busy),
                "busy": list(busy.values()),
            },
        )
        return [DueReference(*row) for row in cursor.fetchall()]


def record_location(
    *, due: DueReference, fixes: Sequence[IncomingFix], http_status: int, now: datetime
) -> bool:
    """Put the positions of an answer on the record; False when the attempt no longer counts."""
    with bounded_transaction():
        reference = _settle(due, ReferenceStatus.FETCHED, "", http_status, now)
        if reference is None:
            return False
        rows = LocationFix.objects.bulk_create(
            LocationFix(
                chat_id=due.chat_id,
                message_id=due.message_id,
                reference=reference,
                shape=fix.shape,
                latitude=fix.latitude,
                longitude=fix.longitude,
                radius=fix.radius,
                altitude=fix.altitude,
                confidence=fix.confidence,
                geometry=fix.geometry,
                civic=fix.civic,
                source=fix.source,
                method=fix.method,
                at=fix.at or now,
            )
            for fix in fixes[:MOST_FIXES]
        )
        digest = readings_digest(((row, row.at) for row in rows), ())
        _tell(due, "location-fetched", now, {"fixes": len(rows), "readingsSha256": digest})
        return True


def record_data(
    *,
    due: DueReference,
    blocks: Sequence[tuple[str, Mapping[str, Any]]],
    http_status: int,
    now: datetime,
) -> bool:
    """Put blocks of additional data on the record; False when the attempt no longer counts."""
    with bounded_transaction():
        reference = _settle(due, ReferenceStatus.FETCHED, "", http_status, now)
        if reference is None:
            return False
        blocks = blocks[:MOST_BLOCKS]
        AdditionalData.objects.bulk_create(
            AdditionalData(
                chat_id=due.chat_id,
                message_id=due.message_id,
                reference=reference,
                kind=kind,
                data=data,
            )
            for kind, data in blocks
        )
        kinds = ", ".join(dict.fromkeys(kind for kind, _ in blocks))
        digest = readings_digest((), blocks)
        told = {"blocks": len(blocks), "kind": kinds, "readingsSha256": digest}
        _tell(due, "data-fetched", now, told)
        return True


def record_unlisted(*, due: DueReference, now: datetime) -> bool:
    """Let a reference to a host that nobody listed wait for a call-taker."""
    with bounded_transaction():
        if _settle(due, ReferenceStatus.UNLISTED, "", None, None) is None:
            return False
        _tell(due, "reference-unlisted", now, {"url": due.url})
        return True


def record_failure(
    *, due: DueReference, cause: str, http_status: int | None, again: bool, now: datetime
) -> bool:
    """Note why an attempt brought nothing; it is tried `again` unless it was the last one."""
    cause = storable_cause(cause)
    pause = PAUSES.after(due.attempts) if again else None
    if pause is not None:
        return postpone(due=due, until=now + pause, cause=cause, http_status=http_status)
    with bounded_transaction():
        if _settle(due, ReferenceStatus.FAILED, cause, http_status, now) is None:
            return False
        _tell(due, "fetch-failed", now, {"cause": cause})
        return True


def postpone(
    *, due: DueReference, until: datetime, cause: str = "", http_status: int | None = None
) -> bool:
    """Give a claimed reference back until later; no event, since nothing is decided."""
    waiting = Reference.objects.filter(
        pk=due.id, status=ReferenceStatus.PENDING, attempts=due.attempts
    )
    return bool(
        waiting.update(due_at=until, lease_until=None, cause=cause, http_status=http_status)
    )


def _settle(
    due: DueReference,
    status: ReferenceStatus,
    cause: str,
    http_status: int | None,
    done_at: datetime | None,
) -> Reference | None:
    """Lock the chat and end this attempt; None when the row has moved on meanwhile."""
    lock_chat(due.chat_id)
    settled = Reference.objects.filter(
        pk=due.id, status=ReferenceStatus.PENDING, attempts=due.attempts
    ).update(status=status, cause=cause, http_status=http_status, done_at=done_at, lease_until=None)
    return Reference.objects.get(pk=due.id) if settled else None


def _tell(due: DueReference, kind: str, now: datetime, data: Mapping[str, Any]) -> None:
    append_event(
        chat_id=due.chat_id,
        kind=kind,
        at=now,
        actor=SYSTEM,
        message_id=due.message_id,
        data={"reference": str(due.id), **data},
    )
    transaction.on_commit(wake_readers)
