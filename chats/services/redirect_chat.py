"""Redirecting: a call-taker sends the app on to another PSAP (clause 6.2.7)."""

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Max

from chats.models import DEC112, Chat, DeliveryStatus, Direction, Message, Session
from chats.services.chain import actor_of, append_event
from chats.services.errors import (
    ClientEndsSession,
    NoAgreement,
    PeerUnknown,
    SessionNotOpen,
)
from chats.services.locking import bounded_transaction, lock_own_chat
from chats.services.message_types import IN_CHAT, STOP_REDIRECT
from chats.services.outbox import cancel_waiting, queue_message, wake_readers_and_outbox
from chats.services.texts import clean_text
from psap.models import LimitedClient, Peer, Psap, User

# Timer F: so long our 274 may be under way before its silence counts.
FIRST_TRY = timedelta(seconds=32)


def redirect_chat(
    *, chat_id: int, call_taker: User, peer_id: int, text: str, override: bool, now: datetime
) -> Chat:
    """Send the app of an open chat on to a peer, with stop|redirect/274.

    From then on nothing of ours is sent; texts that still wait are cancelled. `override` redirects
    an app that is known to end its session instead, and is recorded. Raises NotYourChat,
    SessionNotOpen, PeerUnknown, NoAgreement, ClientEndsSession, TextTooLong.
    """
    text = clean_text(text)
    with bounded_transaction():
        chat = lock_own_chat(chat_id, call_taker)
        if chat.session != Session.OPEN or chat.disposition is not None or not chat.call_id:
            raise SessionNotOpen
        target = _target_of(peer_id)
        limited = ends_on_redirect(chat)
        if limited and (not override or chat.dialect == DEC112):
            raise ClientEndsSession
        psap = Psap.objects.first() or Psap()
        cancel_waiting(chat=chat, types=(IN_CHAT,), cause="redirect", now=now)
        chat.session, chat.gone_to = Session.REDIRECTING, target
        chat.session_due = now + FIRST_TRY + timedelta(seconds=psap.redirect_patience)
        chat.save(update_fields=["session", "gone_to", "session_due"])
        append_event(
            chat_id=chat_id,
            kind="chat-redirecting",
            at=now,
            actor=actor_of(call_taker.username),
            data={"target": target, **({"override": True} if limited else {})},
        )
        queue_message(
            chat=chat,
            msg_type=STOP_REDIRECT,
            text=text if text.strip() else psap.redirect_text,
            author=call_taker,
            now=now,
            msg_id=_last_used(chat),
            reply_to=target,
        )
        transaction.on_commit(wake_readers_and_outbox)
        return chat


def ends_on_redirect(chat: Chat) -> bool:
    """Whether the chat's app is known to end its session on a redirect, by its User-Agent."""
    if chat.dialect == DEC112:
        return True
    known = LimitedClient.objects.filter(ends_on_redirect=True).exclude(user_agent="")
    agent = chat.user_agent.lower()
    return any(name.lower() in agent for name in known.values_list("user_agent", flat=True))


def _target_of(peer_id: int) -> str:
    peer = Peer.objects.filter(pk=peer_id).first()
    if peer is None or not peer.uri:
        raise PeerUnknown
    if not peer.agreement:
        raise NoAgreement
    return peer.uri


def _last_used(chat: Chat) -> int:
    """The last MsgId that we have used; what was cancelled has never left."""
    sent = Message.objects.filter(chat=chat, direction=Direction.OUT)
    used = sent.exclude(status=DeliveryStatus.CANCELLED).aggregate(Max("msg_id"))["msg_id__max"]
    return used or 1
