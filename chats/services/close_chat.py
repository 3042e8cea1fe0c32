"""Closing: a call-taker ends the session, if it is still open, and says why the chat is done."""

from datetime import datetime

from django.db import transaction

from chats.models import Chat, Disposition, EndedBy, Session
from chats.services.chain import actor_of, append_event
from chats.services.errors import ChatAlreadyClosed, DispositionUnknown
from chats.services.locking import bounded_transaction, lock_own_chat
from chats.services.message_types import STOP
from chats.services.outbox import queue_message, wake_readers
from chats.services.texts import clean_text
from chats.services.transfers.call_off import end_negotiation_of
from psap.models import User


def close_chat(
    *, chat_id: int, call_taker: User, disposition: str, text: str, now: datetime
) -> Chat:
    """Give a chat its disposition; an open session is stopped with the text (clause 6.2.4).

    The owner stays recorded. A transfer that is only negotiated is called off; one of which the app
    knows goes on, and the chat rings again should it fail. Raises DispositionUnknown, NotYourChat,
    ChatAlreadyClosed, TextTooLong.
    """
    if disposition not in Disposition.values:
        raise DispositionUnknown
    text = clean_text(text)
    actor = actor_of(call_taker.username)
    with bounded_transaction():
        chat = lock_own_chat(chat_id, call_taker)
        if chat.disposition is not None:
            raise ChatAlreadyClosed
        if chat.session == Session.OPEN:
            end_negotiation_of(chat=chat, cause="the chat was closed", actor=actor, now=now)
            if not chat.alert:  # no session was ever opened with what sends data alone
                queue_message(chat=chat, msg_type=STOP, text=text, author=call_taker, now=now)
            chat.session, chat.ended_by, chat.ended_at = Session.STOPPED, EndedBy.CALL_TAKER, now
            stopped = {"endedBy": EndedBy.CALL_TAKER.value}
            append_event(chat_id=chat_id, kind="session-stopped", at=now, actor=actor, data=stopped)
        chat.disposition, chat.closed_at = Disposition(disposition), now
        chat.lease_until = chat.ringing_since = None
        chat.save(
            update_fields=[
                "session", "ended_by", "ended_at", "disposition", "closed_at", "lease_until",
                "ringing_since",
            ]
        )  # fmt: skip
        append_event(
            chat_id=chat_id,
            kind="chat-closed",
            at=now,
            actor=actor,
            data={"disposition": disposition},
        )
        transaction.on_commit(wake_readers)
        return chat
