"""Negotiation, execution, custody and attachments (clauses 6.3.2, 6.3.3): parse, one call, answer.

Who asks has been settled before (transfer_api/gate.py). Every answer is sent after COMMIT.
"""

import asyncio
import hashlib
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from django.db.models import BinaryField, F, Func
from django.db.models.lookups import Exact
from django.http import HttpRequest, HttpResponse

from chats.models import BodyPart, Transfer, TransferSide
from chats.services.addresses import same_address
from chats.services.errors import ChatBusy, NoTransfer
from chats.services.transfers import arriving, custody, offers
from chats.services.transfers.withdrawing import withdraw_offer
from chats.services.verify_chat import TRUNCATED
from psap import failpoints
from psap.models import Peer
from transfer_api import requests
from transfer_api.endpoints import answer, endpoint, hang_up, json_body_of, peer_of
from transfer_api.outcomes import outcomes
from transfer_api.problems import OutcomeOpen, Problem
from transfer_api.profile.reader import read_data
from transfer_api.profile.violations import ProfileError
from transfer_api.schemas import Violation
from transfer_api.work import work

# The gateway settles what is due within a second or two; then nothing comes any more.
SETTLED_AFTER = 8.0
ASK_AGAIN = 202
_SHA256 = re.compile(r"[0-9a-f]{64}")


@endpoint("POST")
async def negotiation(request: HttpRequest) -> HttpResponse:
    """Offer a chat to us (6.3.2, Annex A.1); answers once somebody has decided."""
    peer, body = peer_of(request), json_body_of(request)
    asked, offer, told = await work.do(peer.pk, _offer, peer, body.content)
    body.drop()
    if told is None:
        told = await outcomes.wait_for(lambda: _answer_of(offer.pk), _seconds_until(offer.due_at))
    if told is None:
        told = offers.NegotiationAnswer(
            offers.NOT_ACCEPTABLE, offers.SHORTEST_EXPIRY, offers.NOBODY_ANSWERED
        )
    await asyncio.to_thread(failpoints.reach, "offer-answered")
    reason = {"ReasonText": told.reason} if told.reason else {}
    return answer(asked.call_id, told.status_code, ExpiryTime=told.expiry_time, **reason)


@endpoint("POST")
async def execution(request: HttpRequest) -> HttpResponse:
    """Hand a chat over to us (6.3.3, Annex A.3); answers once the app follows us, or by expiry."""
    peer, body = peer_of(request), json_body_of(request)
    try:
        asked, transfer = await work.do(peer.pk, _execute, peer, body.content, _date_of(request))
    except _Unavailable as refused:
        return answer(refused.call_id, arriving.SERVICE_UNAVAILABLE, ReasonText=refused.reason)
    except OutcomeOpen:  # a peer may take HTTP 503 for the StatusCode
        return await hang_up(request)
    finally:
        body.drop()
    status = await outcomes.wait_for(
        lambda: arriving.outcome_of(transfer.pk), _seconds_until(transfer.execution_expires_at)
    )
    await asyncio.to_thread(failpoints.reach, "execution-answering")
    return answer(asked.call_id, status or arriving.SERVICE_UNAVAILABLE)


@endpoint("POST")
async def custody_notice(request: HttpRequest) -> HttpResponse:
    """Tell us whom the app follows; beyond Annex A, it settles what both sides were unsure of."""
    peer, body = peer_of(request), json_body_of(request)
    notice, settled = await work.do(peer.pk, _take_notice, peer, body.content)
    return answer(notice.call_id, settled.status_code, MessageId=settled.msg_id)


@endpoint("POST")
async def withdrawal(request: HttpRequest) -> HttpResponse:
    """Call a negotiation off; beyond Annex A, so that nobody here waits for its time to be over."""
    peer, body = peer_of(request), json_body_of(request)
    call_id, withdrawn = await work.do(peer.pk, _withdraw, peer, body.content)
    return answer(call_id, custody.OK if withdrawn else custody.CONFLICT)


@endpoint("GET", "HEAD")
async def attachment(request: HttpRequest, sha256: str) -> HttpResponse:
    """Give the content of a body part of a chat that was handed to this peer."""
    peer = peer_of(request)
    content = await work.do(peer.pk, _attachment, peer, sha256)
    return HttpResponse(content, content_type="application/octet-stream")


class _Unavailable(Exception):
    """A valid request that we cannot carry out: StatusCode 503."""

    def __init__(self, call_id: str, reason: str) -> None:
        super().__init__(reason)
        self.call_id, self.reason = call_id, reason


def _offer(
    peer: Peer, body: bytes
) -> tuple[requests.Negotiation, Transfer, offers.NegotiationAnswer | None]:
    asked = requests.read_negotiation(body)
    # What an app still writes to us goes there one day: to what the admin wrote, and to nothing
    # that merely compares equal (`sip:psap@east.example;x@elsewhere`).
    spoken_for = (uri for uri in peer.all_uris if same_address(asked.transfer_from, uri))
    transfer_from = next(spoken_for, None)
    if transfer_from is None:
        detail = "TransferFrom is none of the URIs that you speak for."
        raise Problem(403, detail, violations=[Violation("/TransferFrom", detail)])
    offer = offers.make_offer(
        peer=peer,
        call_id=asked.call_id,
        transfer_from=transfer_from,
        transfer_to=asked.transfer_to,
        reason=asked.reason,
        now=_now(),
    )
    return asked, offer, offers.answer_of(offer, _now())


def _answer_of(transfer_id: int) -> offers.NegotiationAnswer | None:
    return offers.answer_of(Transfer.objects.get(pk=transfer_id), _now())


def _execute(
    peer: Peer, body: bytes, sent_at: datetime | None
) -> tuple[requests.Execution, Transfer]:
    now = _now()
    asked = requests.read_execution(body)
    try:
        handed = asked.data and read_data(
            asked.data, received_at=now, peer_uris=peer.all_uris, sent_at=sent_at
        )
    except ProfileError as error:
        violations = [Violation(f"/Data{one.pointer}", one.detail) for one in error.violations]
        raise requests.invalid(violations) from error
    try:
        transfer_id = arriving.receive_execution(
            peer=peer,
            call_id=asked.call_id,
            last_msg_id=asked.msg_id,
            expiry=asked.expiry,
            body_sha256=hashlib.sha256(body).digest(),
            chat=handed or None,
            now=now,
        )
    except arriving.NoNegotiation as error:
        raise Problem(403, error.detail) from error
    except arriving.ExecutionRefused as error:
        raise _Unavailable(asked.call_id, error.detail) from error
    return asked, Transfer.objects.only("execution_expires_at").get(pk=transfer_id)


def _take_notice(peer: Peer, body: bytes) -> tuple[requests.CustodyNotice, custody.CustodyAnswer]:
    notice = requests.read_custody_notice(body)
    try:
        return notice, custody.take_notice(
            peer=peer, call_id=notice.call_id, msg_id=notice.msg_id, now=_now()
        )
    except ChatBusy:
        return notice, custody.CustodyAnswer(ASK_AGAIN, notice.msg_id)
    except NoTransfer as error:
        raise Problem(403, "No chat with this CallId has passed between us.") from error


def _withdraw(peer: Peer, body: bytes) -> tuple[str, bool]:
    call_id = requests.read_withdrawal(body)
    try:
        return call_id, withdraw_offer(peer=peer, call_id=call_id, now=_now())
    except NoTransfer as error:
        raise Problem(403, "You have not negotiated about this CallId.") from error


def _attachment(peer: Peer, sha256: str) -> bytes:
    if _SHA256.fullmatch(sha256):
        handed = Transfer.objects.filter(
            peer=peer, side=TransferSide.OUT, executed_at__isnull=False, chat__isnull=False
        )
        parts = BodyPart.objects.filter(
            content__isnull=False, message__chat__in=handed.values("chat")
        )
        digest = bytes.fromhex(sha256)
        # Of a part that was cut `sha256` is the whole's; what is kept goes by its own digest.
        found = parts.filter(sha256=digest).exclude(flag=TRUNCATED) | parts.filter(
            Exact(Func(F("content"), function="sha256", output_field=BinaryField()), digest),
            flag=TRUNCATED,
        )
        part = found.first()
        if part is not None:
            return bytes(part.content)
    raise Problem(404, "There is no such attachment of a chat that was transferred to you.")


def _seconds_until(due_at: datetime | None) -> float:
    left = (due_at - _now()).total_seconds() if due_at else 0.0
    return max(left, 0.0) + SETTLED_AFTER


def _date_of(request: HttpRequest) -> datetime | None:
    """Return the request's Date (RFC 9110 6.6.1); None without one that can be read."""
    try:
        date = parsedate_to_datetime(request.headers.get("Date", ""))
    except (ValueError, TypeError, OverflowError):
        return None
    return date if date.tzinfo else None


def _now() -> datetime:
    return datetime.now(UTC)
