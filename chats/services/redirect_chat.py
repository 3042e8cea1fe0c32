"""Redirecting: a call-taker sends the app on to another PSAP (clause 6.2.7)."""

from datetime import datetime, timedelta

from django.db import transaction

from chats.models import DEC112, Chat, Session
from chats.services.chain import actor_of, append_event
from chats.services.errors import (
    ClientEndsSession,
    NoAgreement,
    PeerUnknown,
    SessionNotOpen,
    TransferUnderWay,
)
from chats.services.limited_clients import ends_on_redirect
from chats.services.locking import bounded_transaction, lock_own_chat
from chats.services.message_types import IN_CHAT, STOP_REDIRECT
from chats.services.numbering import last_used_msg_id
from chats.services.outbox import cancel_waiting, queue_message, wake_readers_and_outbox
from chats.services.texts import clean_text
from chats.services.transfers.attempts import is_under_way
from psap.models import Peer, Psap, User

# Timer F: so long our 274 may be under way before its silence counts.
FIRST_TRY = timedelta(seconds=32)


def redirect_chat(
    *, chat_id: int, call_taker: User, peer_id: int, text: str, override: bool, now: datetime
) -> Chat:
    """Send the app of an open chat on to a peer, with stop|redirect/274.

    From then on nothing of ours is sent; texts that still wait are cancelled. `override` redirects
    an app that is known to end its session instead, and is recorded. Raises NotYourChat,
    SessionNotOpen, TransferUnderWay, PeerUnknown, NoAgreement, ClientEndsSession, TextTooLong.
    """
    text = clean_text(text)
    with bounded_transaction():
        chat = lock_own_chat(chat_id, call_taker)
        if chat.session != Session.OPEN or chat.disposition is not None or not chat.call_id:
            raise SessionNotOpen
        if is_under_way(chat_id):
            raise TransferUnderWay
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
            msg_id=last_used_msg_id(chat),
            reply_to=target,
        )
        transaction.on_commit(wake_readers_and_outbox)
        return chat


def _target_of(peer_id: int) -> str:
    peer = Peer.objects.filter(pk=peer_id).first()
    if peer is None or not peer.uri:
        raise PeerUnknown
    if not peer.agreement:
        raise NoAgreement
    return peer.uri
