"""Releasing: a call-taker gives a chat back to the queue, where it rings."""

from datetime import datetime

from django.db import transaction

from chats.models import Chat
from chats.services.chain import actor_of, append_event
from chats.services.errors import ChatAlreadyClosed
from chats.services.locking import bounded_transaction, lock_own_chat
from chats.services.outbox import wake_readers
from psap.models import User


def release_chat(*, chat_id: int, call_taker: User, now: datetime) -> Chat:
    """Take the chat from its owner and let it ring; raises NotYourChat, ChatAlreadyClosed."""
    with bounded_transaction():
        chat = lock_own_chat(chat_id, call_taker)
        if chat.disposition is not None:
            raise ChatAlreadyClosed
        chat.owner, chat.lease_until, chat.ringing_since = None, None, now
        chat.save(update_fields=["owner", "lease_until", "ringing_since"])
        append_event(
            chat_id=chat_id,
            kind="chat-released",
            at=now,
            actor=actor_of(call_taker.username),
            data={"owner": call_taker.username, "reason": "calltaker"},
        )
        transaction.on_commit(wake_readers)
        return chat
