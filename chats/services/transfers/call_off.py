"""Calling off: a call-taker keeps a chat that was to be transferred."""

from datetime import datetime

from django.db import transaction

from chats.models import NEGOTIABLE, Chat, Transfer, TransferState
from chats.services.chain import append_event
from chats.services.errors import NoTransfer, TooLate
from chats.services.locking import bounded_transaction
from chats.services.transfers.attempts import move, outgoing_of, wake_worker_and_readers
from chats.services.transfers.machine import Happening
from chats.services.transfers.reactivation import reactivate
from chats.services.transfers.request import actor_for, lock_for
from psap.models import User

CALLED_OFF = "called off"


def call_off(*, chat_id: int, call_taker: User | None, now: datetime) -> Transfer:
    """End a transfer before the other PSAP has been asked to execute it.

    An app that has got our 266 is taken back with a fresh 266 and 265. Raises ChatUnknown,
    NotYourChat, NoTransfer, TooLate (from the execution on), ChatBusy.
    """
    with bounded_transaction():
        chat = lock_for(chat_id, call_taker)
        transfer = outgoing_of(chat)
        if transfer is None:
            raise NoTransfer
        actor = actor_for(call_taker)
        if transfer.state in NEGOTIABLE:
            end_negotiation(chat=chat, transfer=transfer, cause=CALLED_OFF, actor=actor, now=now)
        elif transfer.state == TransferState.STALLING:
            reactivate(
                chat=chat,
                transfer=transfer,
                happening=Happening.CALLED_OFF,
                cause=CALLED_OFF,
                actor=actor,
                now=now,
            )
        else:
            raise TooLate
        return transfer


def end_negotiation(
    *, chat: Chat, transfer: Transfer, cause: str, actor: str, now: datetime
) -> None:
    """Cancel a locked transfer of which the app knows nothing yet; the peer is told."""
    move(transfer, Happening.CALLED_OFF, now=now, cause=cause, call_due_at=now)
    append_event(
        chat_id=chat.pk,
        kind="transfer-cancelled",
        at=now,
        actor=actor,
        data={"transfer": str(transfer.pk), "cause": cause},
    )
    transaction.on_commit(wake_worker_and_readers)


def end_negotiation_of(*, chat: Chat, cause: str, actor: str, now: datetime) -> None:
    """Cancel the negotiation of a locked chat that its call-taker closes, if there is one."""
    transfer = outgoing_of(chat)
    if transfer is not None and transfer.state in NEGOTIABLE:
        end_negotiation(chat=chat, transfer=transfer, cause=cause, actor=actor, now=now)
