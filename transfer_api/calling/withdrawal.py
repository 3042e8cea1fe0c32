"""Telling a peer that a transfer is called off: our addition to Annex A (docs/transfer.md)."""

from datetime import timedelta

from django.db import connections
from django.utils import timezone

from chats.services.transfers.calls import DueCall
from chats.services.transfers.withdrawing import call_id_to_withdraw, record_withdrawal
from psap.https.exchange import ExchangeFailed
from transfer_api.calling.answers import is_worth_repeating
from transfer_api.calling.asking import post, written
from transfer_api.calling.counterparts import Counterpart
from transfer_api.calling.recording import until_done

LONGEST_ATTEMPT = timedelta(seconds=5)
PAUSES = tuple(timedelta(seconds=seconds) for seconds in (1, 3))


def withdraw(call: DueCall, counterpart: Counterpart) -> None:
    """Tell the peer, a few times at most; what it says does not matter."""
    call_id = call_id_to_withdraw(transfer_id=call.transfer_id)
    connections.close_all()
    again = call_id is not None and bool(counterpart.withdrawal_url)
    if again:
        until = min(timezone.now() + LONGEST_ATTEMPT, call.give_up_at)
        body = written({"CallId": call_id})
        try:
            answer = post(counterpart, counterpart.withdrawal_url, body, until=until)
            again = is_worth_repeating(answer.status)
        except ExchangeFailed as error:
            again = error.status is None
    retry_at = None
    if again and call.attempts <= len(PAUSES):
        retry_at = timezone.now() + PAUSES[call.attempts - 1]
    if retry_at is not None and retry_at >= call.give_up_at:
        retry_at = None
    until_done(lambda: record_withdrawal(transfer_id=call.transfer_id, retry_at=retry_at))
