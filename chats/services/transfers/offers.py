"""Offers: a peer asks whether we take a chat, and a call-taker or a rule answers (clause 6.3.2)."""

from dataclasses import dataclass
from datetime import datetime

from chats.models import Transfer
from chats.services.errors import ChatError
from psap.models import Peer, User

ACCEPTED, NOT_ACCEPTABLE = 202, 406
CHECK_CALL_ID = "urn:emergency:uid:callid:peer-check:"
"""How a CallId begins that stands for no chat: it is declined at once and never rings."""


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
    """Enter a negotiation: a new offer, the attempt that it repeats, or one declined at once."""
    raise NotImplementedError


def accept_offer(*, transfer_id: int, call_taker: User, now: datetime) -> Transfer:
    """Take an offer for a call-taker, who gets the chat; of two one wins. Raises OfferGone."""
    raise NotImplementedError


def decline_offer(*, transfer_id: int, call_taker: User, reason: str, now: datetime) -> Transfer:
    """Decline an offer; the peer is told the reason. Raises OfferGone, TextTooLong."""
    raise NotImplementedError


def answer_of(transfer: Transfer, now: datetime) -> NegotiationAnswer | None:
    """What the peer is told about its negotiation; None while it rings."""
    raise NotImplementedError
