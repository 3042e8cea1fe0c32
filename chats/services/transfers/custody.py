"""Custody notices: two PSAPs that may both have a chat agree on one (docs/transfer.md).

MsgIds of start|transfer/265 rise along all PSAPs of a chat, so whose 265 with the higher MsgId the
app has acknowledged has the chat. Our addition to Annex A.
"""

from dataclasses import dataclass
from datetime import datetime

from psap.models import Peer


@dataclass(frozen=True, slots=True)
class Notice:
    """What the peer is told: CallId, and the MessageId of our acknowledged 265.

    Without such a 265 it is the MessageId of our execution, which is lower than any 265 of the
    peer's: a question.
    """

    call_id: str
    msg_id: int


@dataclass(frozen=True, slots=True)
class CustodyAnswer:
    """200: we have let go; 409: we have a later word of the app's; 202: ask again."""

    status_code: int
    msg_id: int


def notice_of(*, transfer_id: int) -> Notice | None:
    """Return what to tell the peer of a transfer whose custody call is due; None for nothing."""
    raise NotImplementedError


def take_notice(*, peer: Peer, call_id: str, msg_id: int, now: datetime) -> CustodyAnswer:
    """Answer a peer's notice, and let go of the chat where its 265 is the later one.

    Raises NoTransfer where no execution has passed between that peer and us, ChatBusy.
    """
    raise NotImplementedError


def record_answer(*, transfer_id: int, status_code: int, msg_id: int, now: datetime) -> None:
    """Take the peer's 200, 202 or 409 to our notice; a later 265 of its makes us let go."""
    raise NotImplementedError


def record_no_answer(
    *, transfer_id: int, cause: str, now: datetime, retry_at: datetime | None
) -> None:
    """No usable answer: told again at `retry_at`; None where the peer knows no such notices."""
    raise NotImplementedError
