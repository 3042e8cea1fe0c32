"""Withdrawing: a transfer is called off, and the other control room's offer rings no more.

Annex A has no word for it. Ours is told a few times, and nothing depends on it: an offer that is
not withdrawn ends by its time. It ends an offer alone, never what an execution has come for.
"""

from datetime import datetime

from django.db import transaction

from chats.models import NEGOTIABLE, Chat, Transfer, TransferSide, TransferState
from chats.services.errors import NoTransfer
from chats.services.locking import bounded_transaction
from chats.services.transfers.attempts import (
    ASKING,
    call_again,
    locked_attempt,
    move,
    rows,
    wake_worker_and_readers,
)
from chats.services.transfers.call_ids import stored_call_id
from chats.services.transfers.machine import Happening
from psap.models import Peer

_EXECUTED = (*ASKING, TransferState.DONE)


def call_id_to_withdraw(*, transfer_id: int) -> str | None:
    """Return the CallId of a transfer of ours whose peer is to be told; None for nothing."""
    cancelled = rows().filter(
        pk=transfer_id, state=TransferState.CANCELLED, call_due_at__isnull=False
    )
    return cancelled.values_list("call_id", flat=True).first()


def record_withdrawal(*, transfer_id: int, retry_at: datetime | None) -> None:
    """Tell the peer again at that time; None: it has heard it, or will not."""
    with locked_attempt(transfer_id) as attempt:
        if attempt is not None and attempt[1].state == TransferState.CANCELLED:
            call_again(attempt[1], at=retry_at, cause=attempt[1].cause)


def withdraw_no_more(*, chat: Chat, peer: Peer) -> None:
    """Let a peer that is asked anew about a chat hear nothing of what was called off before."""
    Transfer.objects.filter(
        chat=chat, peer=peer, state=TransferState.CANCELLED, call_due_at__isnull=False
    ).update(call_due_at=None, lease_until=None, lease_holder="")


def withdraw_offer(*, peer: Peer, call_id: str, now: datetime) -> bool:
    """End what a peer has offered us last of a call; whether no offer of it is open now.

    False once it was executed. Raises NoTransfer where the peer has never asked, ChatBusy.
    """
    with bounded_transaction():
        asked = rows().filter(peer=peer, call_id=stored_call_id(call_id), side=TransferSide.IN)
        offer = asked.select_for_update(no_key=True).order_by("-pk").first()
        if offer is None:
            raise NoTransfer
        if offer.state in NEGOTIABLE:
            cause = f"It was called off by {offer.peer_name}."
            move(offer, Happening.CALLED_OFF, now=now, cause=cause)
            transaction.on_commit(wake_worker_and_readers)
        return offer.state not in _EXECUTED
