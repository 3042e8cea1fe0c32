"""Calling back: a call-taker writes anew to a caller whose session has ended (clause 6.1.2.5)."""

from datetime import datetime

from chats.models import Chat, Message, Session
from chats.services.chain import actor_of, append_event
from chats.services.errors import NoCallBack, TextEmpty
from chats.services.locking import bounded_transaction, lock_own_chat
from chats.services.message_types import START
from chats.services.outbox import queue_message
from chats.services.texts import clean_text
from chats.services.transfers.attempts import is_under_way
from psap.models import User

CALLBACK_PRIORITY = "esnet.0"
"""Calls back while the incident is being handled (Table 3)."""


def call_back(*, chat_id: int, call_taker: User, text: str, now: datetime) -> Message:
    """Open an ended session again from our side, with start/257 and the text.

    Only while the chat has no disposition: after it the incident is over. Raises NotYourChat,
    NoCallBack, TextEmpty, TextTooLong.
    """
    text = clean_text(text)
    if not text.strip():
        raise TextEmpty
    with bounded_transaction():
        chat = lock_own_chat(chat_id, call_taker)
        if not _may_be_called_back(chat):
            raise NoCallBack
        chat.session, chat.ended_by, chat.ended_at = Session.OPEN, None, None
        chat.save(update_fields=["session", "ended_by", "ended_at"])
        append_event(
            chat_id=chat_id,
            kind="session-reopened",
            at=now,
            actor=actor_of(call_taker.username),
            data={"callBack": True},
        )
        return queue_message(
            chat=chat,
            msg_type=START,
            text=text,
            author=call_taker,
            now=now,
            priority=CALLBACK_PRIORITY,
        )


def _may_be_called_back(chat: Chat) -> bool:
    ended = chat.session == Session.STOPPED and chat.disposition is None
    if not ended or not chat.call_id or chat.alert:
        return False
    return not is_under_way(chat.pk)  # the app stopped while a transfer was executed
