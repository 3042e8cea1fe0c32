"""Calls to peers that are due: the worker claims each under a lease, so that one runs at a time."""

import enum
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

LEASE = timedelta(seconds=8)


class CallKind(enum.StrEnum):
    """What is to be asked of the peer."""

    NEGOTIATION = "negotiation"
    EXECUTION = "execution"
    CUSTODY = "custody"


@dataclass(frozen=True, slots=True)
class DueCall:
    """One call to a peer; `attempts` counts this one. From `give_up_at` on it is not tried."""

    transfer_id: int
    kind: CallKind
    peer_id: int
    attempts: int
    give_up_at: datetime


def claim_calls(*, holder: str, now: datetime, most: int) -> list[DueCall]:
    """Take up calls that are due, for 8 s; whoever works longer renews them."""
    raise NotImplementedError


def renew_calls(*, holder: str, transfer_ids: Collection[int], now: datetime) -> frozenset[int]:
    """Extend the leases of calls under way; returns those that are still wanted of this holder.

    The others may be broken off: the call-taker has called off, time is over, or the lease was lost
    to another worker. What comes of them is ignored where it means nothing any more.
    """
    raise NotImplementedError


def free_calls(*, holder: str, now: datetime) -> int:
    """Give up all leases of a holder, when its worker starts; returns how many."""
    raise NotImplementedError
