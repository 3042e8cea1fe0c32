"""Slots: how many chats wait here already, accepted transfers counted (clause 6.3.2)."""

from django.db import connection

from chats.models import Chat, Transfer, TransferSide, TransferState
from psap.models import Peer

_LOCK_NUMBER = 103_698
"""Any number that no other advisory lock of ours has; receipts use hashes."""


def offers_in_turn() -> None:
    """Let no other offer be entered until this transaction ends: slots are counted once each."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK_NUMBER])


def has_free_slot(peer: Peer) -> bool:
    """Whether the peer's auto-accept rule may take one more chat; call `offers_in_turn` before."""
    return waiting_chats() < peer.auto_accept_limit


def waiting_chats() -> int:
    """How many chats ring, or will when their transfer has been executed.

    A call-taker who has accepted an offer has reserved a slot until it is executed or expires; from
    then on the chat is theirs and takes none.
    """
    ringing = Chat.objects.filter(owner=None, disposition=None, ringing_since__isnull=False)
    coming = Transfer.objects.filter(side=TransferSide.IN, due_at__isnull=False)
    accepted = coming.filter(state=TransferState.ACCEPTED)
    arriving = coming.filter(
        state=TransferState.EXECUTING, chat__owner=None, chat__ringing_since=None
    )
    return ringing.count() + accepted.count() + arriving.count()
