"""What the peer has answered to a negotiation (clause 6.3.2).

Each of these raises ChatBusy while somebody else holds the chat: call it again. An answer that
comes too late, to a transfer that has been called off or is over, changes nothing.
"""

from datetime import datetime


def record_agreed(*, transfer_id: int, expiry: int, now: datetime) -> None:
    """202: the countdown of its ExpiryTime (seconds) runs by our clock; at once we hand over."""
    raise NotImplementedError


def record_refused(*, transfer_id: int, cause: str, http_status: int | None, now: datetime) -> None:
    """406, with the peer's words as the cause."""
    raise NotImplementedError


def record_unanswered(
    *,
    transfer_id: int,
    cause: str,
    http_status: int | None,
    now: datetime,
    retry_at: datetime | None,
) -> None:
    """No usable answer: asked again at `retry_at`, or with None the transfer has failed."""
    raise NotImplementedError
