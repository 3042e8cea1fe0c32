"""Asking for a transfer: a call-taker offers a chat to another PSAP (clauses 6.2.6, 6.3.2)."""

from datetime import datetime, timedelta

from django.db import transaction

from chats.models import DEC112, Chat, Session, Transfer, TransferSide, TransferState
from chats.services.chain import actor_of, append_event
from chats.services.errors import (
    ChatTooLarge,
    ClientEndsSession,
    NoAgreement,
    NoTransfers,
    PeerUnknown,
    SessionNotOpen,
    TransferUnderWay,
)
from chats.services.limited_clients import ends_on_transfer
from chats.services.locking import bounded_transaction, lock_chat, lock_own_chat
from chats.services.texts import clean_text, text_digest
from chats.services.transfers.attempts import is_under_way, wake_worker_and_readers
from chats.services.transfers.size import is_too_large
from chats.services.transfers.withdrawing import withdraw_no_more
from psap.failpoints import reach
from psap.models import Peer, Psap, User

OPERATOR = "operator"
# So long after the worker should have given up on the peer, the gateway does it for a dead worker.
SLACK = timedelta(seconds=5)


def request_transfer(
    *,
    chat_id: int,
    call_taker: User | None,
    peer_id: int,
    reason: str,
    text: str,
    override: bool,
    at_once: bool,
    now: datetime,
) -> Transfer:
    """Offer an open chat to a peer; the worker asks it, and the chat stays ours meanwhile.

    `call_taker` None is the operator (`manage transfer`), who needs not to have the chat. `text` is
    what the 266 will say, the PSAP's own when empty. `override` transfers an app that is known to
    end its session instead, and is recorded. `at_once` hands over as soon as the peer accepts.
    Raises ChatUnknown, NotYourChat, TransferUnderWay, SessionNotOpen, PeerUnknown, NoAgreement,
    NoTransfers, ClientEndsSession, ChatTooLarge, TextTooLong, ChatBusy.
    """
    reason, text = clean_text(reason).strip(), clean_text(text)
    with bounded_transaction():
        chat = lock_for(chat_id, call_taker)
        if is_under_way(chat_id):
            raise TransferUnderWay
        if chat.session != Session.OPEN or chat.disposition is not None:
            raise SessionNotOpen
        if not chat.call_id or chat.alert:  # there is no session that could go on elsewhere
            raise SessionNotOpen
        peer = _peer(peer_id)
        limited = ends_on_transfer(chat)
        if limited and (not override or chat.dialect == DEC112):
            raise ClientEndsSession
        if is_too_large(chat):
            raise ChatTooLarge
        psap = Psap.objects.first() or Psap()
        withdraw_no_more(chat=chat, peer=peer)
        transfer = Transfer.objects.create(
            side=TransferSide.OUT,
            state=TransferState.NEGOTIATING,
            peer=peer,
            peer_name=peer.name,
            chat=chat,
            call_id=chat.call_id,
            transfer_from=psap.public_uri,
            transfer_to=peer.uri,
            reason=reason,
            text=text if text.strip() else psap.transfer_text,
            at_once=at_once,
            override=limited,
            requested_by=call_taker,
            requested_at=now,
            due_at=now + timedelta(seconds=peer.answer_time) + SLACK,
            call_due_at=now,
        )
        append_event(
            chat_id=chat_id,
            kind="transfer-requested",
            at=now,
            actor=actor_for(call_taker),
            data={
                "transfer": str(transfer.pk),
                "peer": peer.name,
                "target": peer.uri,
                "reasonSha256": text_digest(reason),
                **({"override": True} if limited else {}),
            },
        )
        transaction.on_commit(_tell)
        return transfer


def lock_for(chat_id: int, call_taker: User | None) -> Chat:
    """Lock a chat for whoever commands: its owner, or the operator (None) any chat."""
    return lock_chat(chat_id) if call_taker is None else lock_own_chat(chat_id, call_taker)


def actor_for(call_taker: User | None) -> str:
    """Name who commands as the actor of an event."""
    return OPERATOR if call_taker is None else actor_of(call_taker.username)


def _peer(peer_id: int) -> Peer:
    peer = Peer.objects.filter(pk=peer_id).first()
    if peer is None or not peer.uri:
        raise PeerUnknown
    if not peer.agreement:
        raise NoAgreement
    if not peer.takes_transfers:
        raise NoTransfers
    return peer


def _tell() -> None:
    reach("transfer-requested")
    wake_worker_and_readers()
