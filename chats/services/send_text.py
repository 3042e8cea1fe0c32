"""Sending: a call-taker writes to the caller."""

from datetime import datetime

from chats.models import Message, Session
from chats.services.errors import SessionNotOpen, TextEmpty
from chats.services.locking import bounded_transaction, lock_own_chat
from chats.services.message_types import IN_CHAT
from chats.services.outbox import queue_message
from chats.services.texts import clean_text
from psap.models import User


def send_text(*, chat_id: int, call_taker: User, text: str, now: datetime) -> Message:
    """Queue a text to the caller; raises NotYourChat, SessionNotOpen, TextEmpty, TextTooLong."""
    text = clean_text(text)
    if not text.strip():
        raise TextEmpty
    with bounded_transaction():
        chat = lock_own_chat(chat_id, call_taker)
        if chat.session != Session.OPEN or chat.disposition is not None or chat.alert:
            raise SessionNotOpen
        return queue_message(chat=chat, msg_type=IN_CHAT, text=text, author=call_taker, now=now)
