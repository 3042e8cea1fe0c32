"""Slots: how many chats wait here, accepted transfers counted (clause 6.3.2)."""

from django.db.models import QuerySet

from chats.models import Transfer
from psap.models import Peer, User


def has_free_slot(peer: Peer) -> bool:
    """Whether the peer's auto-accept rule may take one more chat; serialise calls by a lock."""
    raise NotImplementedError


def reserved_by(call_taker: User) -> "QuerySet[Transfer]":
    """The offers that a call-taker has accepted and that may still be executed."""
    raise NotImplementedError
