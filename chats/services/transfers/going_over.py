"""Going over: the transferee has the chat; what the app still writes to us goes after it.

Messages that are in the execution's history already are not relayed: the transferee would show
them twice. Keys rise in the order of arrival, and the snapshot was taken under the chat's lock.
"""

from datetime import datetime

from django.db import transaction

from chats.models import Chat, ChatEvent, Message, Session, Transfer
from chats.services.chain import SYSTEM, append_event
from chats.services.message_types import HEARTBEATS, IN_CHAT, START, START_TRANSFER, STOP_TRANSFER
from chats.services.outbox import cancel_waiting, wake_readers_and_outbox
from chats.services.relays import pass_on
from chats.services.transfers.attempts import wake_worker_and_readers

OURS = (START, IN_CHAT, STOP_TRANSFER, START_TRANSFER)


def go_over(*, chat: Chat, transfer: Transfer, now: datetime) -> None:
    """Note that a locked chat is with the transferee of a locked transfer that is done."""
    cancel_waiting(chat=chat, types=OURS, cause="transfer", now=now)
    leave(chat, transfer.transfer_to, now)
    append_event(
        chat_id=chat.pk,
        kind="chat-transferred",
        at=now,
        actor=SYSTEM,
        data={"transfer": str(transfer.pk), "target": transfer.transfer_to},
    )
    executing = _latest_event(chat, transfer, "transfer-executing")
    relay_since(chat, executing.seq if executing else chat.head_seq, transfer.transfer_to, now)


def leave(chat: Chat, to: str, now: datetime) -> None:
    """Mark a locked chat as being with the PSAP of that URI; it waits to be closed, silently."""
    chat.session, chat.session_due = Session.TRANSFERRED, None
    chat.gone_to, chat.ended_by, chat.ended_at = to, None, now
    chat.ringing_since = None
    chat.save(
        update_fields=["session", "session_due", "gone_to", "ended_by", "ended_at", "ringing_since"]
    )
    transaction.on_commit(wake_worker_and_readers)
    transaction.on_commit(wake_readers_and_outbox)


def relay_since(chat: Chat, seq: int, to: str, now: datetime) -> None:
    """Send on, in order, what the app has sent to us after that event of the chat."""
    later = ChatEvent.objects.filter(chat=chat, kind="message-received", seq__gt=seq)
    held = Message.objects.filter(pk__in=later.values("message_id"))
    held = held.exclude(type__in=HEARTBEATS, text="", parts=None)
    pass_on(held, chat=chat, target=to, now=now)


def _latest_event(chat: Chat, transfer: Transfer, kind: str) -> ChatEvent | None:
    events = ChatEvent.objects.filter(chat=chat, kind=kind, data__transfer=str(transfer.pk))
    return events.order_by("-seq").first()
