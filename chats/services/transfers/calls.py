"""Calls to peers that are due: the worker claims each under a lease, so that one runs at a time."""

import enum
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection
from django.db.models import Q

from chats.models import Transfer, TransferSide, TransferState
from chats.services.locking import update_free
from chats.services.transfers.attempts import ASKING

LEASE = timedelta(seconds=8)
# Until when a peer is told about custody.
CUSTODY_PATIENCE = timedelta(days=1)
# Until when it is told that a transfer is called off; an offer ends by itself before long.
WITHDRAWAL_PATIENCE = timedelta(seconds=30)


class CallKind(enum.StrEnum):
    """What is to be asked of the peer."""

    NEGOTIATION = "negotiation"
    EXECUTION = "execution"
    CUSTODY = "custody"
    WITHDRAWAL = "withdrawal"


@dataclass(frozen=True, slots=True)
class DueCall:
    """One call to a peer; `attempts` counts this one. From `give_up_at` on it is not tried."""

    transfer_id: int
    kind: CallKind
    peer_id: int
    attempts: int
    give_up_at: datetime


_CLAIM = """
WITH due AS (
    SELECT id FROM chats_transfer
    WHERE call_due_at <= %(now)s AND (lease_until IS NULL OR lease_until < %(now)s)
      AND peer_id IS NOT NULL
    ORDER BY call_due_at, id LIMIT %(most)s FOR UPDATE SKIP LOCKED
), claimed AS (
    UPDATE chats_transfer t
    SET lease_until = %(until)s, lease_holder = %(holder)s, attempts = t.attempts + 1
    FROM due WHERE t.id = due.id
    RETURNING t.id, t.side, t.state, t.peer_id, t.attempts, t.requested_at, t.due_at, t.ended_at
)
SELECT k.id, k.side, k.state, k.peer_id, k.attempts, k.requested_at, k.due_at, k.ended_at,
    p.answer_time
FROM claimed k JOIN psap_peer p ON p.id = k.peer_id ORDER BY k.id
"""


def claim_calls(*, holder: str, now: datetime, most: int) -> list[DueCall]:
    """Take up calls that are due, for 8 s; whoever works longer renews them."""
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, {"now": now, "until": now + LEASE, "holder": holder, "most": most})
        return [_due_call(now, *row) for row in cursor.fetchall()]


def calls_are_due(*, now: datetime) -> bool:
    """Whether calls are due that nobody has: right after a claim somebody else holds their rows.

    Such as the gateway, which the same wake-up has told to look at a transfer.
    """
    due = Transfer.objects.filter(call_due_at__lte=now, peer__isnull=False)
    return due.filter(Q(lease_until=None) | Q(lease_until__lt=now)).exists()


def renew_calls(*, holder: str, transfer_ids: Collection[int], now: datetime) -> frozenset[int]:
    """Extend the leases of calls under way; returns those that are still wanted of this holder.

    The others may be broken off: the call-taker has called off, time is over, or the lease was lost
    to another worker. What comes of them is ignored where it means nothing any more.
    """
    mine = Transfer.objects.filter(
        pk__in=transfer_ids, lease_holder=holder, call_due_at__isnull=False
    )
    wanted = frozenset(mine.values_list("pk", flat=True))
    update_free(mine, lease_until=now + LEASE)
    return wanted


def free_calls(*, holder: str, now: datetime) -> int:
    """Give up all leases of a holder, when its worker starts; returns how many."""
    leased = Transfer.objects.filter(lease_holder=holder, call_due_at__isnull=False)
    return len(update_free(leased, lease_until=None, lease_holder=""))


def _due_call(
    now: datetime,
    pk: int,
    side: str,
    state: str,
    peer_id: int,
    attempts: int,
    requested_at: datetime,
    due_at: datetime | None,
    ended_at: datetime | None,
    answer_time: int,
) -> DueCall:
    if side == TransferSide.OUT and state == TransferState.NEGOTIATING:
        give_up_at = requested_at + timedelta(seconds=answer_time)
        return DueCall(pk, CallKind.NEGOTIATION, peer_id, attempts, give_up_at)
    if side == TransferSide.OUT and state in ASKING:
        return DueCall(pk, CallKind.EXECUTION, peer_id, attempts, due_at or now)
    if state == TransferState.CANCELLED:
        give_up_at = (ended_at or now) + WITHDRAWAL_PATIENCE
        return DueCall(pk, CallKind.WITHDRAWAL, peer_id, attempts, give_up_at)
    return DueCall(pk, CallKind.CUSTODY, peer_id, attempts, (ended_at or now) + CUSTODY_PATIENCE)
