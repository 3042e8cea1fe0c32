"""Slots: how many chats wait here already, accepted transfers counted (clause 6.3.2)."""

from datetime import datetime, timedelta

from django.db import connection
from django.db.models import OuterRef, Q, Subquery

from chats.models import Chat, Transfer, TransferSide, TransferState
from chats.services.transfers.attempts import ASKING
from psap.models import Peer

_LOCK_NUMBER = 103_698
"""Any number that no other advisory lock of ours has; receipts use hashes."""

IN_VAIN = timedelta(minutes=10)
"""So long a chat that a rule has accepted, and that did not come, counts as one that waits."""


def offers_in_turn() -> None:
    """Let no other offer be entered until this transaction ends: slots are counted once each."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK_NUMBER])


def has_free_slot(peer: Peer, now: datetime) -> bool:
    """Whether the peer's auto-accept rule may take one more chat; call `offers_in_turn` before.

    A chat whose app refused to come has left its slot at once; but whoever hands over nothing else
    has its offers ring, instead of filling our record with histories.
    """
    vain = Transfer.objects.filter(
        side=TransferSide.IN,
        peer=peer,
        state=TransferState.FAILED,
        automatic=True,
        executed_at__gt=now - IN_VAIN,
    )
    return waiting_chats(peer) + vain.count() < peer.auto_accept_limit


def waiting_chats(peer: Peer) -> int:
    """How many chats ring, or will when their transfer has been executed; no other peer's count.

    Else one peer could fill everybody's slots. Those that have arrived and whose app is silent
    count until somebody closes them: nobody may pile them up on our screens.

    A call-taker who has accepted an offer has reserved a slot until it is executed or expires; from
    then on the chat is theirs and takes none.
    """
    arrivals = Transfer.objects.filter(side=TransferSide.IN)
    brought = arrivals.filter(chat=OuterRef("pk"), executed_at__isnull=False)
    brought_by = brought.order_by("-pk").values("peer")[:1]
    ringing = Chat.objects.filter(owner=None, disposition=None, ringing_since__isnull=False)
    ours = ringing.annotate(brought_by=Subquery(brought_by)).filter(
        Q(brought_by=None) | Q(brought_by=peer.pk)
    )
    own = arrivals.filter(peer=peer, due_at__isnull=False)
    accepted = own.filter(state=TransferState.ACCEPTED)
    arriving = own.filter(
        state__in=ASKING,
        chat__owner=None,
        chat__ringing_since=None,
        chat__disposition=None,
    )
    return ours.count() + accepted.count() + arriving.count()
