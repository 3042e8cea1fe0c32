"""Attachments of a chat that the transferor gave by link: claimed by the worker, put on the record.

The digest came with the chat and stands in its chain; content that has another one is not taken.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime

from django.db import connection, transaction

from chats.models import AttachmentFetch, BodyPart, FetchStatus
from chats.services.chain import SYSTEM, append_event
from chats.services.errands import Pauses, lease_from, storable_cause
from chats.services.locking import bounded_transaction, lock_chat
from chats.services.outbox import wake_readers
from chats.services.transfers.fetch_quota import LARGEST, SIZE_OF
from chats.services.verify_chat import ERASED

MOST_OF_A_PEER = 2  # under way at once
PAUSES = Pauses((1, 2, 4, 8, 15, 30, 60, 300, 900))


@dataclass(frozen=True, slots=True)
class DueFetch:
    """A claimed attachment; `peer_id` is whose it is, None when that peer has been deleted.

    `largest` is what its transferor has said that it has, in bytes: no more is fetched.
    """

    id: int
    transfer_id: int
    chat_id: int
    peer_id: int | None
    url: str
    sha256: bytes
    attempts: int
    largest: int

    def fits(self, content: bytes) -> bool:
        """Whether content is what the chat's record names."""
        return hashlib.sha256(content).digest() == self.sha256


# A peer that lets us wait, and has named thousands, keeps nobody else's waiting.
_CLAIM = f"""
WITH open_ones AS (
  SELECT w.id, w.due_at, coalesce(w.lease_until >= %(now)s, false) AS busy, t.peer_id
  FROM chats_attachmentfetch w JOIN chats_transfer t ON t.id = w.transfer_id
  WHERE w.status = 'pending' AND w.due_at <= %(now)s
), in_turn AS (
  SELECT id, due_at, busy,
    row_number() OVER (PARTITION BY peer_id ORDER BY busy DESC, due_at, id) AS place
  FROM open_ones
)
UPDATE chats_attachmentfetch f SET lease_until = %(until)s, attempts = f.attempts + 1
FROM chats_transfer t
WHERE t.id = f.transfer_id AND t.chat_id IS NOT NULL AND f.id IN (
  SELECT w.id FROM chats_attachmentfetch w JOIN in_turn i ON i.id = w.id
  WHERE NOT i.busy AND i.place <= %(of_a_peer)s AND w.status = 'pending'
    AND (w.lease_until IS NULL OR w.lease_until < %(now)s)
  ORDER BY w.due_at, w.id LIMIT %(most)s FOR UPDATE OF w SKIP LOCKED)
RETURNING f.id, f.transfer_id, t.chat_id, t.peer_id, f.url, f.sha256, f.attempts, ({SIZE_OF})
"""  # noqa: S608


def claim_fetches(*, now: datetime, most: int) -> list[DueFetch]:
    """Take due attachments under a lease, the longest due first; of each peer two at once."""
    with connection.cursor() as cursor:
        cursor.execute(
            _CLAIM,
            {
                "now": now,
                "until": lease_from(now),
                "most": most,
                "of_a_peer": MOST_OF_A_PEER,
                "largest": LARGEST,
            },
        )
        return [
            DueFetch(pk, transfer, chat, peer, url, bytes(sha256), attempts, size)
            for pk, transfer, chat, peer, url, sha256, attempts, size in cursor.fetchall()
        ]


def record_fetched(*, due: DueFetch, content: bytes, now: datetime) -> bool:
    """Give all parts of the chat with this digest their content; False when it does not fit."""
    if not due.fits(content):
        return False
    with bounded_transaction():
        lock_chat(due.chat_id)
        if not _settle(due, FetchStatus.FETCHED, "", now):
            return True
        lacking = BodyPart.objects.filter(
            message__chat_id=due.chat_id, sha256=due.sha256, content=None
        )
        lacking.exclude(flag=ERASED).update(content=content)
        _tell(due, "attachment-fetched", now)
    return True


def record_unfetched(
    *, due: DueFetch, cause: str, http_status: int | None, again: bool, now: datetime
) -> None:
    """Note why an attempt brought nothing; it is tried `again` unless it was the last one."""
    cause = storable_cause(cause)
    pause = PAUSES.after(due.attempts) if again else None
    if pause is not None:
        AttachmentFetch.objects.filter(pk=due.id, attempts=due.attempts).update(
            due_at=now + pause, lease_until=None, cause=cause, http_status=http_status
        )
        return
    with bounded_transaction():
        lock_chat(due.chat_id)
        if _settle(due, FetchStatus.FAILED, cause, now, http_status):
            _tell(due, "attachment-missing", now, cause=cause)


def _settle(
    due: DueFetch,
    status: FetchStatus,
    cause: str,
    now: datetime,
    http_status: int | None = None,
) -> bool:
    """End a fetch, if this attempt is still the newest."""
    waiting = AttachmentFetch.objects.filter(
        pk=due.id, status=FetchStatus.PENDING, attempts=due.attempts
    )
    return bool(
        waiting.update(
            status=status, cause=cause, http_status=http_status, done_at=now, lease_until=None
        )
    )


def _tell(due: DueFetch, kind: str, now: datetime, **data: str) -> None:
    told = {"transfer": str(due.transfer_id), "sha256": due.sha256.hex(), **data}
    append_event(chat_id=due.chat_id, kind=kind, at=now, actor=SYSTEM, data=told)
    transaction.on_commit(wake_readers)
