"""Asking a peer whether it takes a chat (clause 6.3.2, Annex A.1 and A.2)."""

from collections.abc import Callable
from datetime import timedelta

from django.db import connections
from django.utils import timezone

from chats.models import Transfer
from chats.services.transfers.calls import DueCall
from chats.services.transfers.negotiated import (
    record_agreed,
    record_refused,
    record_unanswered,
)
from psap.failpoints import reach
from psap.https.exchange import ExchangeFailed
from transfer_api.calling.answers import Agreed, Refused, judge_negotiation
from transfer_api.calling.asking import post, written
from transfer_api.calling.counterparts import Counterpart
from transfer_api.calling.recording import until_done

# Enough for a restart of the peer's interface; who asks has to know soon.
MOST_ATTEMPTS = 6
PAUSE = timedelta(seconds=1)
NO_AGREEMENT = "there is no agreement with this control room any more"


def negotiate(call: DueCall, counterpart: Counterpart, wanted: Callable[[], bool]) -> None:
    """Ask, wait for the peer's decision, and write it down."""
    reach("negotiation-claimed")
    transfer = Transfer.objects.defer("execution").get(pk=call.transfer_id)
    connections.close_all()  # a decision takes its time, and connections are few
    if not counterpart.agreement:
        return _fail(call, NO_AGREEMENT, None, again=False)
    try:
        answer = post(
            counterpart,
            counterpart.negotiation_url,
            request_body(transfer.call_id, transfer),
            until=call.give_up_at,
            wanted=wanted,
        )
    except ExchangeFailed as error:
        return _fail(call, error.cause, error.status, again=error.again)
    reach("negotiation-answered")
    told = judge_negotiation(answer, transfer.call_id)
    if isinstance(told, Agreed):
        expiry, heard_at = told.expiry, timezone.now()
        until_done(
            lambda: record_agreed(
                transfer_id=call.transfer_id, expiry=expiry, now=timezone.now(), heard_at=heard_at
            )
        )
    elif isinstance(told, Refused):
        cause = told.cause
        until_done(
            lambda: record_refused(
                transfer_id=call.transfer_id,
                cause=cause,
                http_status=answer.status,
                now=timezone.now(),
            )
        )
    else:
        return _fail(call, told.cause, answer.status, again=told.again)
    reach("negotiation-recorded")
    return None


def request_body(call_id: str, transfer: Transfer) -> bytes:
    """Write a negotiation request (Annex A.1)."""
    reason = {"ReasonText": transfer.reason} if transfer.reason else {}
    return written(
        {
            "CallId": call_id,
            "TransferFrom": transfer.transfer_from,
            "TransferTo": transfer.transfer_to,
            **reason,
        }
    )


def _fail(call: DueCall, cause: str, http_status: int | None, *, again: bool) -> None:
    """Note that there is no usable answer; ask again where that may help and time is left."""

    def record() -> None:
        now = timezone.now()
        retry_at = now + PAUSE
        once_more = again and call.attempts < MOST_ATTEMPTS and retry_at < call.give_up_at
        record_unanswered(
            transfer_id=call.transfer_id,
            cause=cause,
            http_status=http_status,
            now=now,
            retry_at=retry_at if once_more else None,
        )

    until_done(record)
    reach("negotiation-recorded")
