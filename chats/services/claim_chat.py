"""Claiming: of all who answer a ringing chat at once, one gets it."""

from datetime import datetime

from django.db import transaction
from django.db.models import Value
from django.db.models.functions import Coalesce

from chats.models import Chat
from chats.services.chain import actor_of, append_event
from chats.services.errors import ChatAlreadyOwned, ChatError, ChatNotRinging, ChatUnknown
from chats.services.leases import lease_time
from chats.services.locking import bounded_transaction
from chats.services.outbox import wake_readers
from psap.models import User


def claim_chat(*, chat_id: int, call_taker: User, now: datetime) -> Chat:
    """Give an unowned chat to one call-taker; the losing racers get ChatAlreadyOwned.

    A second claim of one's own chat loses as well: of two windows of one desk, one has won.
    """
    with bounded_transaction():
        won = Chat.objects.filter(pk=chat_id, owner=None, disposition=None).update(
            owner=call_taker,
            lease_until=now + lease_time(),
            ringing_since=None,
            answered_at=Coalesce("answered_at", Value(now)),
        )
        if not won:
            raise _why_not(chat_id)
        append_event(
            chat_id=chat_id,
            kind="chat-claimed",
            at=now,
            actor=actor_of(call_taker.username),
            data={"owner": call_taker.username},
        )
        transaction.on_commit(wake_readers)
        return Chat.objects.get(pk=chat_id)


def _why_not(chat_id: int) -> ChatError:
    chat = Chat.objects.select_related("owner").filter(pk=chat_id).first()
    if chat is None:
        return ChatUnknown()
    if chat.disposition is not None or chat.owner is None:
        return ChatNotRinging()
    return ChatAlreadyOwned(chat.owner.username, chat.owner.shown_name)
