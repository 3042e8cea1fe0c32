"""Offers: a peer asks whether we take a chat, and a call-taker or a rule answers (clause 6.3.2).

One negotiation is one row. While it is open, the same question leads to the same row; a question
in other words takes its place.
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction

from chats.models import Chat, Session, Transfer, TransferSide, TransferState
from chats.services.addresses import same_address
from chats.services.errors import ChatError
from chats.services.locking import bounded_transaction
from chats.services.texts import clean_text, storable_text
from chats.services.transfers.attempts import move, wake_worker_and_readers
from chats.services.transfers.call_ids import call_parts, is_too_long, stored_call_id
from chats.services.transfers.machine import Happening, following
from chats.services.transfers.slots import has_free_slot, offers_in_turn
from psap.failpoints import reach
from psap.models import Peer, Psap, User

ACCEPTED, NOT_ACCEPTABLE = 202, 406
CHECK_CALL_ID = "urn:emergency:uid:callid:peer-check:"
"""How a CallId begins that stands for no chat: it is declined at once and never rings."""
SHORTEST_EXPIRY = 10
"""Seconds: the least that Annex A lets an ExpiryTime be, even beside a 406."""
LONGEST_URI = 400
LONGEST_REASON = 2000
MOST_RINGING = 100
"""Offers of one peer that ring at once: with more of them nobody finds the others' any more."""

OPEN_HERE = "This chat is open here already."
ASKED_ANEW = "It was asked for anew."
NOBODY_ANSWERED = "Nobody has answered in time."
DECLINED = "The call-taker has declined."
CHECKED = "This was a check: there is no such chat."
TOO_MANY = "Too many of your offers ring here already."

HERE = (Session.OPEN, Session.REDIRECTING, Session.TRANSFERRING)
"""Sessions of chats whose app follows us."""

# Our 265 has the CallId between angle brackets: nothing of it may stand beside them.
_NOT_IN_CALL_INFO = re.compile(r"[\x00-\x1f\x7f<>]")
_OPEN = (TransferState.OFFERED, TransferState.ACCEPTED, TransferState.EXECUTING)
_REFUSED = (TransferState.DECLINED, TransferState.EXPIRED, TransferState.CANCELLED)


class OfferGone(ChatError):
    """The offer was answered meanwhile, or has ended by itself."""

    code = "offer-gone"
    detail = "This offer has been answered already or has expired."


@dataclass(frozen=True, slots=True)
class NegotiationAnswer:
    """What a peer is told: 202 or 406, seconds of ExpiryTime (10 or more), why not."""

    status_code: int
    expiry_time: int
    reason: str


def make_offer(
    *,
    peer: Peer,
    call_id: str,
    transfer_from: str,
    transfer_to: str,
    reason: str,
    now: datetime,
) -> Transfer:
    """Enter a negotiation: a new offer, the attempt that it repeats, or one declined at once.

    Strings may be anything: they are stored as far as they can be. Whether the peer may speak for
    `transfer_from` has been looked at before. Raises ChatBusy.
    """
    offer = Transfer(
        side=TransferSide.IN,
        state=TransferState.OFFERED,
        peer=peer,
        peer_name=peer.name,
        call_id=stored_call_id(call_id),
        transfer_from=storable_text(transfer_from)[:LONGEST_URI],
        transfer_to=storable_text(transfer_to)[:LONGEST_URI],
        reason=storable_text(reason)[:LONGEST_REASON],
        requested_at=now,
        due_at=now + timedelta(seconds=peer.offer_time),
    )
    if call_id.lower().startswith(CHECK_CALL_ID):
        _decline(offer, CHECKED, now)
        return offer
    with bounded_transaction():
        offers_in_turn()
        open_one = _open_offer(peer, offer.call_id)
        if open_one is not None and _repeats(offer, open_one, now):
            return open_one
        cause = _why_not(offer, too_long=is_too_long(call_id))
        if cause:
            _decline(offer, cause, now)
        elif peer.auto_accept and has_free_slot(peer, now):
            offer.automatic = True
            _accept(offer, peer, now)
        elif _ringing(peer, now) >= MOST_RINGING:
            _decline(offer, TOO_MANY, now)
            return offer  # whoever floods us fills no table either
        offer.save(force_insert=True)
        transaction.on_commit(wake_worker_and_readers)
    reach("offer-made")
    return offer


def accept_offer(*, transfer_id: int, call_taker: User, now: datetime) -> Transfer:
    """Take an offer for a call-taker, who gets the chat; of two one wins. Raises OfferGone."""
    with bounded_transaction():
        offer = _lock_offer(transfer_id, now)
        if offer.peer is None:
            raise OfferGone
        offer.answered_by = call_taker
        _accept(offer, offer.peer, now)
        offer.save(
            update_fields=["state", "answered_by", "answered_at", "expiry", "expires_at", "due_at"]
        )
        transaction.on_commit(wake_worker_and_readers)
        return offer


def decline_offer(*, transfer_id: int, call_taker: User, reason: str, now: datetime) -> Transfer:
    """Decline an offer; the peer is told the reason. Raises OfferGone, TextTooLong."""
    reason = clean_text(reason).strip()
    with bounded_transaction():
        offer = _lock_offer(transfer_id, now)
        offer.answered_by = call_taker
        _decline(offer, reason or DECLINED, now)
        offer.save(
            update_fields=["state", "cause", "answered_by", "answered_at", "ended_at", "due_at"]
        )
        transaction.on_commit(wake_worker_and_readers)
        return offer


def answer_of(transfer: Transfer, now: datetime) -> NegotiationAnswer | None:
    """What the peer is told about its negotiation; None while it rings.

    ExpiryTime is what remains, but never less than Annex A.2 allows.
    """
    if transfer.state == TransferState.OFFERED:
        if transfer.due_at is not None and now < transfer.due_at:
            return None
        return NegotiationAnswer(NOT_ACCEPTABLE, SHORTEST_EXPIRY, NOBODY_ANSWERED)
    if transfer.state in _REFUSED or transfer.expires_at is None:
        return NegotiationAnswer(NOT_ACCEPTABLE, SHORTEST_EXPIRY, transfer.cause)
    remains = round((transfer.expires_at - now).total_seconds())
    return NegotiationAnswer(ACCEPTED, max(SHORTEST_EXPIRY, remains), "")


def expire_offer(*, offer: Transfer, cause: str, now: datetime) -> None:
    """End a locked offer that was not answered, or an accepted one that was not executed."""
    move(offer, Happening.EXPIRED, now=now, cause=cause)
    transaction.on_commit(wake_worker_and_readers)


def chat_open_here(call_id: str) -> bool:
    """Whether the app of a CallId has its session with us, or is about to follow us."""
    unique, element = call_parts(call_id)
    ours = Chat.objects.filter(unique_part=unique, element=element).exclude(unique_part="")
    if ours.filter(session__in=HERE).exists():
        return True
    return ours.filter(
        session=Session.ARRIVING,
        transfers__side=TransferSide.IN,
        transfers__state=TransferState.EXECUTING,
    ).exists()


def _open_offer(peer: Peer, call_id: str) -> Transfer | None:
    offers = Transfer.objects.select_for_update(no_key=True).filter(
        peer=peer, call_id=call_id, side=TransferSide.IN, state__in=_OPEN
    )
    return offers.first()


def _ringing(peer: Peer, now: datetime) -> int:
    return Transfer.objects.filter(
        peer=peer, side=TransferSide.IN, state=TransferState.OFFERED, due_at__gt=now
    ).count()


def _repeats(offer: Transfer, open_one: Transfer, now: datetime) -> bool:
    """Whether a negotiation asks what an open one has asked; that one ends where it does not."""
    same = (offer.transfer_from, offer.transfer_to, offer.reason) == (
        open_one.transfer_from,
        open_one.transfer_to,
        open_one.reason,
    )
    if open_one.state == TransferState.EXECUTING:
        return same  # else the chat is here already
    if open_one.due_at is not None and open_one.due_at <= now:
        expire_offer(offer=open_one, cause=NOBODY_ANSWERED, now=now)
        return False
    if not same:
        expire_offer(offer=open_one, cause=ASKED_ANEW, now=now)
        return False
    at_least = now + timedelta(seconds=SHORTEST_EXPIRY)
    if open_one.expires_at is not None and open_one.expires_at < at_least:
        # It is told ten seconds at least (Annex A.2), so it shall have them.
        open_one.expires_at = open_one.due_at = at_least
        open_one.save(update_fields=["expires_at", "due_at"])
    return True


def _why_not(offer: Transfer, *, too_long: bool) -> str:
    if offer.peer is None or not offer.peer.agreement:
        return "There is no agreement."
    if not offer.call_id.strip() or too_long or _NOT_IN_CALL_INFO.search(offer.call_id):
        return "That is no call identifier."
    if not same_address(offer.transfer_to, (Psap.objects.first() or Psap()).public_uri):
        return "TransferTo is none of our addresses."
    if chat_open_here(offer.call_id):
        return OPEN_HERE
    return ""


def _lock_offer(transfer_id: int, now: datetime) -> Transfer:
    offers = Transfer.objects.select_for_update(no_key=True, of=("self",)).select_related("peer")
    offer = offers.filter(
        pk=transfer_id, side=TransferSide.IN, state=TransferState.OFFERED, due_at__gt=now
    ).first()
    if offer is None:
        raise OfferGone
    return offer


def _accept(offer: Transfer, peer: Peer, now: datetime) -> None:
    offer.state = following(offer.side, offer.state, Happening.ACCEPTED)
    offer.answered_at, offer.expiry = now, max(SHORTEST_EXPIRY, peer.expiry_time)
    offer.expires_at = offer.due_at = now + timedelta(seconds=offer.expiry)


def _decline(offer: Transfer, cause: str, now: datetime) -> None:
    offer.state = following(offer.side, offer.state, Happening.DECLINED)
    offer.cause, offer.answered_at, offer.ended_at, offer.due_at = cause, now, now, None
