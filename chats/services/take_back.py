"""Taking back: a chat that was to be redirected is ours again, greeted anew (clause 6.2.7)."""

from datetime import datetime

from django.db import transaction

from chats.models import Chat, Session
from chats.services.chain import actor_of, append_event
from chats.services.errors import NotRedirecting
from chats.services.locking import bounded_transaction, lock_own_chat
from chats.services.message_types import START, STOP_REDIRECT
from chats.services.outbox import cancel_waiting, queue_message, wake_readers_and_outbox
from chats.services.reopening import open_here_again
from psap.models import Psap, User


def take_back(*, chat_id: int, call_taker: User, now: datetime) -> Chat:
    """End a redirect under way at a call-taker's word; raises NotYourChat, NotRedirecting."""
    with bounded_transaction():
        chat = lock_own_chat(chat_id, call_taker)
        if chat.session != Session.REDIRECTING:
            raise NotRedirecting
        reactivate(chat=chat, cause="taken back", actor=actor_of(call_taker.username), now=now)
        return chat


def reactivate(*, chat: Chat, cause: str, actor: str, now: datetime) -> None:
    """Open a locked chat here again and greet its app with a fresh start/257.

    Its owner keeps it. One that nobody has, or that was closed meanwhile, rings.
    """
    cancel_waiting(chat=chat, types=(STOP_REDIRECT,), cause="redirect-failed", now=now)
    target, chat.gone_to = chat.gone_to, ""
    chat.save(update_fields=["gone_to"])
    append_event(
        chat_id=chat.pk,
        kind="redirect-failed",
        at=now,
        actor=actor,
        data={"target": target, "cause": cause},
    )
    open_here_again(chat=chat, actor=actor, now=now)
    greeting = (Psap.objects.first() or Psap()).greeting
    queue_message(chat=chat, msg_type=START, text=greeting, author=None, now=now)
    transaction.on_commit(wake_readers_and_outbox)
