"""Fetching an attachment that a transferor gave by link: from where we ask it, and nowhere else."""

import logging
from datetime import timedelta

from django.db import connections
from django.utils import timezone

from chats.services.transfers.fetches import DueFetch, record_fetched, record_unfetched
from psap.https.exchange import ExchangeFailed
from transfer_api.calling.asking import get
from transfer_api.calling.counterparts import Counterpart, NotThere
from transfer_api.calling.recording import until_done

logger = logging.getLogger(__name__)

# Shorter than the lease (chats/services/errands.py), with the wait for a chat that is held.
LONGEST_ATTEMPT = timedelta(seconds=15)
GONE = frozenset((404, 410))
NO_PEER = "the control room that has it is no peer any more"


def fetch(due: DueFetch, counterpart: Counterpart | None) -> None:
    """Fetch one attachment and put it on the record; never raises for the server."""
    try:
        content = _content(due, counterpart)
    except ExchangeFailed as failure:
        cause, status, again = failure.cause, failure.status, failure.again
        logger.info("attachment %d: %s", due.id, cause)
        until_done(
            lambda: record_unfetched(
                due=due, cause=cause, http_status=status, again=again, now=timezone.now()
            )
        )
    else:
        until_done(lambda: record_fetched(due=due, content=content, now=timezone.now()))


def _content(due: DueFetch, counterpart: Counterpart | None) -> bytes:
    if counterpart is None:
        raise ExchangeFailed(NO_PEER, again=False)
    connections.close_all()
    try:
        target = counterpart.attachment(due.url)
    except NotThere as error:
        raise ExchangeFailed(str(error), again=False) from error
    until = timezone.now() + LONGEST_ATTEMPT
    answer = get(counterpart, target, until=until, largest=due.largest)
    if answer.status != 200:
        cause = f"the peer answered {answer.status}"
        raise ExchangeFailed(cause, again=answer.status not in GONE, status=answer.status)
    if not due.fits(answer.body):
        raise ExchangeFailed("what came has another digest", again=False, status=200)
    return answer.body
