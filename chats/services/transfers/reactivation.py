"""Reactivation: a chat that was to be transferred is ours again (clause 6.3.3).

An app that stalls is greeted with a fresh stop|transfer/266 and then start|transfer/265, both with
MsgIds above the 265 that the transferee may have sent: whoever's 265 is the later has the app.
"""

from datetime import datetime, timedelta

from django.db import transaction

from chats.models import Chat, DeliveryStatus, EndedBy, Message, OutboxEntry, Session, Transfer
from chats.services.chain import CALLER, append_event
from chats.services.message_types import START_TRANSFER, STOP_TRANSFER
from chats.services.outbox import cancel_waiting, queue_message, wake_readers_and_outbox
from chats.services.reopening import open_here_again
from chats.services.transfers.attempts import (
    move,
    put,
    stop_of_app,
    wake_worker_and_readers,
)
from chats.services.transfers.machine import Happening
from psap.models import Psap

# So long we look whether the app has acknowledged our 265, and tell the peer.
WATCH = timedelta(days=1)


def reactivate(
    *,
    chat: Chat,
    transfer: Transfer,
    happening: Happening,
    cause: str,
    actor: str,
    now: datetime,
) -> None:
    """End a locked attempt whose 266 is queued or sent, and open its locked chat here again.

    Its owner keeps it; one that nobody has, or that was closed meanwhile, rings. Where the app has
    ended the chat it stays ended, where it has begun anew it is open already. An app that has seen
    nothing of the transfer is told nothing.
    """
    asked = transfer.execution_sha256 is not None
    stopped = stop_of_app(transfer)
    stalled = _withdraw_stop(chat, transfer, now)
    stalled = stalled and chat.session == Session.TRANSFERRING and stopped is None
    again = asked and chat.session == Session.OPEN  # it may follow the transferee all the same
    called_off = happening is Happening.CALLED_OFF
    move(
        transfer,
        happening,
        now=now,
        cause=cause,
        due_at=now + WATCH if asked else None,
        call_due_at=now if called_off else None,
    )
    data = {"transfer": str(transfer.pk), "target": transfer.transfer_to, "cause": cause}
    append_event(
        chat_id=chat.pk,
        kind="transfer-cancelled" if called_off else "transfer-failed",
        at=now,
        actor=actor,
        data=data,
    )
    if chat.session == Session.TRANSFERRING and stopped is not None:
        _stop(chat, stopped)
    elif chat.session == Session.TRANSFERRING:
        open_here_again(chat=chat, actor=actor, now=now)
    if stalled or again:
        put(transfer, start_message=greet(chat, transfer, now))
    elif asked:  # nothing of ours says whom the app follows: the peer is asked
        put(transfer, due_at=None, call_due_at=now)
    transaction.on_commit(wake_worker_and_readers)
    transaction.on_commit(wake_readers_and_outbox)


def _withdraw_stop(chat: Chat, transfer: Transfer, now: datetime) -> bool:
    """Keep our 266 back where it still waits; whether the app may have got it."""
    cancel_waiting(chat=chat, types=(STOP_TRANSFER,), cause="transfer-failed", now=now)
    kept_back = OutboxEntry.objects.filter(
        message=transfer.stop_message, message__status=DeliveryStatus.CANCELLED, attempts=0
    )
    return not kept_back.exists()


def _stop(chat: Chat, by: Message) -> None:
    """Let the chat end as the app has ended it."""
    chat.session, chat.session_due = Session.STOPPED, None
    chat.ended_by, chat.ended_at = EndedBy.CALLER, by.at
    chat.save(update_fields=["session", "session_due", "ended_by", "ended_at"])
    stopped = {"endedBy": EndedBy.CALLER.value}
    append_event(chat_id=chat.pk, kind="session-stopped", at=by.at, actor=CALLER, data=stopped)


def greet(chat: Chat, transfer: Transfer, now: datetime) -> Message:
    """Queue a fresh 266 and then 265 in a locked chat; returns the 265."""
    stop = transfer.stop_message
    last = transfer.last_msg_id or (stop.msg_id if stop else None) or 0
    # The transferee's 265 has the MsgId after the last one.
    chat.next_msg_id = max(chat.next_msg_id, last + 2)
    queue_message(chat=chat, msg_type=STOP_TRANSFER, text=transfer.text, author=None, now=now)
    text = (Psap.objects.first() or Psap()).arrival_text
    return queue_message(chat=chat, msg_type=START_TRANSFER, text=text, author=None, now=now)
