"""Telling a peer whom the app follows: our addition to Annex A (docs/transfer.md)."""

from datetime import datetime, timedelta

from django.db import connections
from django.utils import timezone

from chats.services.transfers.calls import DueCall
from chats.services.transfers.custody import notice_of, record_answer, record_no_answer
from psap.failpoints import reach
from psap.https.exchange import ExchangeFailed
from transfer_api.calling.answers import Settled, UnknownThere, judge_custody
from transfer_api.calling.asking import post, written
from transfer_api.calling.counterparts import Counterpart
from transfer_api.calling.recording import until_done

LONGEST_ATTEMPT = timedelta(seconds=10)
PAUSES = tuple(timedelta(seconds=seconds) for seconds in (1, 2, 4, 8, 15, 30))
NO_URL = "the peer has no URL for it"


def tell(call: DueCall, counterpart: Counterpart) -> None:
    """Tell the peer, and write down what it says."""
    notice = notice_of(transfer_id=call.transfer_id)
    connections.close_all()
    if notice is None or not counterpart.custody_url:
        return _note(call, NO_URL, again=False)
    body = written({"CallId": notice.call_id, "MessageId": notice.msg_id})
    until = min(timezone.now() + LONGEST_ATTEMPT, call.give_up_at)
    try:
        answer = post(counterpart, counterpart.custody_url, body, until=until)
    except ExchangeFailed as error:
        return _note(call, error.cause, again=True)
    reach("custody-answered")
    told = judge_custody(answer, notice.call_id)
    if isinstance(told, UnknownThere):
        return _note(call, f"the peer answered {answer.status}", again=False)
    if not isinstance(told, Settled):
        return _note(call, told.cause, again=True)
    settled = told
    until_done(
        lambda: record_answer(
            transfer_id=call.transfer_id,
            status_code=settled.status_code,
            msg_id=settled.msg_id,
            now=timezone.now(),
        )
    )
    return None


def _note(call: DueCall, cause: str, *, again: bool) -> None:
    pause = PAUSES[min(call.attempts, len(PAUSES)) - 1]

    def record(now: datetime) -> None:
        retry_at = now + pause if again and now + pause < call.give_up_at else None
        record_no_answer(transfer_id=call.transfer_id, cause=cause, now=now, retry_at=retry_at)

    until_done(lambda: record(timezone.now()))
