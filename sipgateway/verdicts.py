"""What a final answer to a message of ours means for the message."""

from dataclasses import replace
from datetime import datetime, timedelta

from chats.models import DeliveryStatus
from chats.services.deliveries import Delivery
from sipgateway.followups import Again
from sipgateway.outbound import Letter

FIRST_PAUSE = 1.0
LONGEST_PAUSE = 30.0
# The app is to answer: its time is the transfer's to count (clause 6.3).
STILL_TRIED = frozenset({"open", "transferring", "arriving"})
# A farewell to a session that has ended is not tried for ever.
MOST_ATTEMPTS_AFTER_END = 5
# The app is known but not there now: wait for its next sign of life.
AWAY = frozenset({404, 480})
SILENCE = 408
NO_ANSWER = "no answer"
# 400 in our own words: the caller's URI cannot stand in a request.
UNADDRESSABLE = 400


def judge(
    letter: Letter,
    status: int | None,
    cause: str,
    now: datetime,
    again: Again | None = None,
) -> Delivery:
    """Decide: delivered, again later, deferred until the app shows itself, or failed.

    `status` is None when there was no way to send it at all; `again` is what a redirection or a
    challenge asks for.
    """

    def outcome(
        delivery: DeliveryStatus, retry_at: datetime | None = None, *, anew: bool = False
    ) -> Delivery:
        return Delivery(
            message_id=letter.message_id,
            chat_id=letter.chat_id,
            status=delivery,
            sip_status=status,
            cause="" if delivery is DeliveryStatus.DELIVERED else cause,
            at=now,
            retry_at=retry_at,
            anew=anew,
            msg_type=letter.msg_type,
        )

    if letter.stale:
        return outcome(DeliveryStatus.CANCELLED)
    if status is not None and 200 <= status < 300:
        return outcome(DeliveryStatus.DELIVERED)
    if again is not None:
        return replace(
            outcome(DeliveryStatus.QUEUED, now, anew=True),
            redirect_to=again.redirect_to,
            authorization=again.authorization,
        )
    if status in AWAY:
        return outcome(DeliveryStatus.DEFERRED, anew=True)
    if status is None or status == SILENCE or 500 <= status < 600:
        if letter.session not in STILL_TRIED and letter.attempts >= MOST_ATTEMPTS_AFTER_END:
            return outcome(DeliveryStatus.FAILED)
        if letter.session == "open" and letter.liveness == "lost":
            return outcome(DeliveryStatus.DEFERRED)
        doublings = min(letter.attempts - 1, 10)  # hours of attempts would overflow a float
        pause = min(FIRST_PAUSE * 2**doublings, LONGEST_PAUSE)
        # After silence the same bytes again; after a final answer a new request, since the old
        # one's answer would only be repeated (RFC 3261 17.2.2).
        anew = status is not None and cause != NO_ANSWER
        return outcome(DeliveryStatus.QUEUED, now + timedelta(seconds=pause), anew=anew)
    return outcome(DeliveryStatus.FAILED)
