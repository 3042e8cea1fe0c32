"""The execution request and what the peer has answered to it (clause 6.3.3).

Each of these raises ChatBusy while somebody else holds the chat: call it again. An answer that
comes too late changes nothing.
"""

from collections.abc import Callable
from datetime import datetime

from chats.models import Transfer


def record_snapshot(
    *, transfer_id: int, write: Callable[[Transfer], bytes], now: datetime
) -> bytes | None:
    """Return the body of the execution request; None when nothing is to be sent any more.

    The first time `write` makes it, with the chat and the transfer locked and `last_msg_id`,
    `execution_expiry`, `executed_at` (SnapshotAt) and `execution_expires_at` set on the row given
    to it. It is committed before it returns, so a repetition sends the same bytes.
    """
    raise NotImplementedError


def record_taken(*, transfer_id: int, http_status: int | None, now: datetime) -> None:
    """200: the peer has the chat; what the app has written here meanwhile goes after it."""
    raise NotImplementedError


def record_not_taken(
    *, transfer_id: int, cause: str, http_status: int | None, now: datetime
) -> None:
    """503, or an answer that is none: the chat is ours again (reactivation)."""
    raise NotImplementedError


def record_answer_lost(*, transfer_id: int, cause: str, now: datetime, retry_at: datetime) -> None:
    """It was or may have been sent, and nobody knows: the same bytes again at `retry_at`."""
    raise NotImplementedError


def record_not_sent(*, transfer_id: int, cause: str, now: datetime, retry_at: datetime) -> None:
    """Certainly not a byte of this attempt has reached the peer: tried again at `retry_at`."""
    raise NotImplementedError
