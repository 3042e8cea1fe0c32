"""Queueing a message of ours: committed with all its identifiers before anything is sent."""

from collections.abc import Collection
from datetime import datetime

from django.db import transaction

from chats import wakeup
from chats.models import Chat, DeliveryStatus, Direction, Message, OutboxEntry
from chats.services.chain import SYSTEM, actor_of, append_event
from chats.services.identifiers import new_branch, new_sip_call_id
from chats.services.texts import text_digest
from psap.models import User

ORDINARY_PRIORITY = "esnet.1"
"""Resource-Priority of emergency calls in the ESInet (clause 6.1.2.5)."""

# What no gateway has taken up yet, and so can be kept back.
WAITING = (DeliveryStatus.QUEUED, DeliveryStatus.DEFERRED)


def queue_message(
    *,
    chat: Chat,
    msg_type: int,
    text: str,
    author: User | None,
    now: datetime,
    msg_id: int | None = None,
    reply_to: str = "",
    priority: str = ORDINARY_PRIORITY,
) -> Message:
    """Queue one message of a chat whose row the caller has locked; returns its Message.

    Takes the chat's next MsgId (unless one is given: clause 6.2.7) and CSeq, draws Call-ID and
    branch: a repeat after a crash sends the same bytes (RFC 3261 17.1.2). No author means an
    automatic message. `reply_to` stands in place of our public URI,
    `priority` is what Resource-Priority says.
    """
    message = Message.objects.create(
        chat=chat,
        direction=Direction.OUT,
        type=msg_type,
        msg_id=chat.next_msg_id if msg_id is None else msg_id,
        text=text,
        status=DeliveryStatus.QUEUED,
        author=author,
        at=now,
    )
    OutboxEntry.objects.create(
        message=message,
        sip_call_id=new_sip_call_id(),
        cseq=chat.next_cseq,
        branch=new_branch(),
        due_at=now,
        reply_to=reply_to,
        priority=priority,
    )
    chat.next_msg_id += msg_id is None
    chat.next_cseq += 1
    chat.save(update_fields=["next_msg_id", "next_cseq"])
    append_event(
        chat_id=chat.pk,
        kind="message-queued",
        at=now,
        actor=actor_of(author.username) if author else SYSTEM,
        message_id=message.pk,
        data={"type": msg_type, "msgId": message.msg_id, "textSha256": text_digest(text)},
    )
    transaction.on_commit(wake_readers_and_outbox)
    return message


def cancel_waiting(*, chat: Chat, types: Collection[int], cause: str, now: datetime) -> int:
    """Keep back our messages of those types that wait to be sent; returns how many.

    The caller has locked the chat's row. What a gateway has taken up meanwhile goes out.
    """
    waiting = Message.objects.select_for_update().filter(
        chat=chat, direction=Direction.OUT, type__in=types, status__in=WAITING
    )
    messages = list(waiting.order_by("pk"))
    for message in messages:
        message.status = DeliveryStatus.CANCELLED
        message.save(update_fields=["status"])
        append_event(
            chat_id=chat.pk,
            kind="delivery-changed",
            at=now,
            actor=SYSTEM,
            message_id=message.pk,
            data={"status": message.status.value, "sipStatus": None, "cause": cause},
        )
    return len(messages)


def wake_readers() -> None:
    """Tell the hubs that there are new events; call it after the commit."""
    wakeup.publish(wakeup.EVENTS)


def wake_readers_and_outbox() -> None:
    """Tell hubs and gateways that there are new events and something to send."""
    wakeup.publish(wakeup.OUTBOX)
    wakeup.publish(wakeup.EVENTS)
