"""Handing over: the app is told to wait for the other PSAP, with stop|transfer/266 (6.2.6)."""

from datetime import datetime, timedelta

from django.db import transaction

from chats.models import Chat, Session, Transfer, TransferState
from chats.services.chain import append_event
from chats.services.errors import NoTransfer, SessionNotOpen
from chats.services.locking import bounded_transaction
from chats.services.message_types import IN_CHAT, STOP_TRANSFER
from chats.services.numbering import last_used_msg_id
from chats.services.outbox import cancel_waiting, queue_message
from chats.services.transfers.attempts import move, outgoing_of, wake_worker_and_readers
from chats.services.transfers.machine import Happening
from chats.services.transfers.request import actor_for, lock_for
from psap.models import Psap, User


def hand_over(*, chat_id: int, call_taker: User | None, now: datetime) -> Transfer:
    """Hand an accepted transfer over at the call-taker's word: from here on nothing of ours leaves.

    Raises ChatUnknown, NotYourChat, NoTransfer (none is accepted, or its time is over),
    SessionNotOpen, ChatBusy.
    """
    with bounded_transaction():
        chat = lock_for(chat_id, call_taker)
        transfer = outgoing_of(chat)
        if transfer is None or transfer.state != TransferState.ACCEPTED:
            raise NoTransfer
        if transfer.expires_at is None or now >= transfer.expires_at:
            raise NoTransfer
        if not may_go(chat):
            raise SessionNotOpen
        stall(chat=chat, transfer=transfer, actor=actor_for(call_taker), now=now)
        return transfer


def may_go(chat: Chat) -> bool:
    """Whether a chat can still be transferred: neither it nor its session has ended or gone."""
    return chat.session == Session.OPEN and chat.disposition is None


def stall(*, chat: Chat, transfer: Transfer, actor: str, now: datetime) -> None:
    """Queue our 266 in a locked chat whose transfer is accepted; texts that wait are kept back."""
    cancel_waiting(chat=chat, types=(IN_CHAT,), cause="transfer", now=now)
    chat.session, chat.session_due = Session.TRANSFERRING, None
    chat.save(update_fields=["session", "session_due"])
    append_event(
        chat_id=chat.pk,
        kind="chat-transferring",
        at=now,
        actor=actor,
        data={"transfer": str(transfer.pk), "target": transfer.transfer_to},
    )
    stop = queue_message(
        chat=chat,
        msg_type=STOP_TRANSFER,
        text=transfer.text,
        author=transfer.requested_by,
        now=now,
        msg_id=last_used_msg_id(chat),
    )
    due_at = now + timedelta(seconds=(Psap.objects.first() or Psap()).stop_patience)
    if transfer.expires_at is not None:  # an execution after it gets 503
        due_at = min(due_at, transfer.expires_at)
    move(transfer, Happening.HANDED_OVER, now=now, stop_message=stop, due_at=due_at)
    transaction.on_commit(wake_worker_and_readers)
