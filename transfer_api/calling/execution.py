"""Handing a chat over to a peer (clause 6.3.3, Annex A.3 and A.4).

What matters is whether the peer may have acted upon a request. If certainly not, the chat is ours
at once; if nobody knows, the same bytes go again until the peer answers or time is over.
"""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from django.db import Error as DatabaseFailure
from django.db import connections
from django.utils import timezone

from chats.models import Transfer, TransferState
from chats.services.errors import ChatBusy
from chats.services.transfers.calls import DueCall
from chats.services.transfers.executed import (
    record_answer_lost,
    record_not_sent,
    record_not_taken,
    record_snapshot,
    record_taken,
)
from psap.failpoints import reach
from psap.https.exchange import ExchangeFailed
from transfer_api.calling.answers import Refused, Taken, Unusable, judge_execution
from transfer_api.calling.asking import post
from transfer_api.calling.counterparts import Counterpart
from transfer_api.calling.recording import until_done
from transfer_api.profile.writer import write_execution

logger = logging.getLogger(__name__)

CANNOT_WRITE = "a fault of ours: the chat cannot be written"
NOT_SENT_PAUSE = timedelta(seconds=1)
LOST_PAUSES = (timedelta(seconds=0.5), timedelta(seconds=1), timedelta(seconds=2))


def execute(call: DueCall, counterpart: Counterpart, wanted: Callable[[], bool]) -> None:
    """Send the execution, wait until the app follows the peer or does not, and write it down."""
    reach("execution-claimed")
    try:
        body = until_done(
            lambda: record_snapshot(
                transfer_id=call.transfer_id, write=write_execution, now=timezone.now()
            )
        )
    except (ChatBusy, DatabaseFailure):
        raise  # the lease runs out
    except Exception:  # a fault of ours: the app must not wait for its end
        logger.exception("the chat of transfer %d cannot be written", call.transfer_id)
        return _keep(call, CANNOT_WRITE, None)
    if body is None:
        return None
    call_id, until = Transfer.objects.values_list("call_id", "due_at").get(pk=call.transfer_id)
    connections.close_all()  # the app takes its time, and connections are few
    reach("execution-snapshot")
    try:
        answer = post(
            counterpart,
            counterpart.execution_url,
            body,
            until=until or call.give_up_at,
            wanted=wanted,
        )
    except ExchangeFailed as error:
        _note_failure(call, error)
    else:
        reach("execution-answered")
        _note_answer(call, answer.status, judge_execution(answer, call_id))
    reach("execution-recorded")
    return None


def _note_answer(call: DueCall, http_status: int, told: Taken | Refused | Unusable) -> None:
    if isinstance(told, Taken):
        until_done(
            lambda: record_taken(
                transfer_id=call.transfer_id, http_status=http_status, now=timezone.now()
            )
        )
    elif isinstance(told, Unusable) and told.processed:
        _lose(call, told.cause)
    elif isinstance(told, Unusable) and told.again:
        _try_again(call, told.cause)
    else:
        _keep(call, told.cause, http_status)


def _note_failure(call: DueCall, error: ExchangeFailed) -> None:
    if error.status is not None:  # it redirects, or answers without measure
        _keep(call, error.cause, error.status)
    elif error.sent:
        _lose(call, error.cause)
    elif error.again or until_done(lambda: _may_have_arrived(call)):
        _try_again(call, error.cause)
    else:
        _keep(call, error.cause, None)


def _may_have_arrived(call: DueCall) -> bool:
    """Whether an attempt before this one has been sent and nobody knows what became of it."""
    uncertain = Transfer.objects.filter(pk=call.transfer_id, state=TransferState.UNCERTAIN)
    return uncertain.exists()


def _keep(call: DueCall, cause: str, http_status: int | None) -> None:
    until_done(
        lambda: record_not_taken(
            transfer_id=call.transfer_id,
            cause=cause,
            http_status=http_status,
            now=timezone.now(),
        )
    )


def _lose(call: DueCall, cause: str) -> None:
    pause = LOST_PAUSES[min(call.attempts, len(LOST_PAUSES)) - 1]

    def record(now: datetime) -> None:
        record_answer_lost(transfer_id=call.transfer_id, cause=cause, now=now, retry_at=now + pause)

    until_done(lambda: record(timezone.now()))


def _try_again(call: DueCall, cause: str) -> None:
    def record(now: datetime) -> None:
        record_not_sent(
            transfer_id=call.transfer_id, cause=cause, now=now, retry_at=now + NOT_SENT_PAUSE
        )

    until_done(lambda: record(timezone.now()))
