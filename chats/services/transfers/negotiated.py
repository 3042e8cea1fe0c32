"""What the peer has answered to a negotiation (clause 6.3.2).

Each of these raises ChatBusy while somebody else holds the chat: call it again. An answer that
comes too late, to a transfer that has been called off or is over, changes nothing.
"""

from datetime import datetime, timedelta

from django.db import transaction

from chats.models import Transfer, TransferState
from chats.services.chain import SYSTEM, append_event
from chats.services.errands import storable_cause
from chats.services.texts import text_digest
from chats.services.transfers.attempts import (
    call_again,
    locked_attempt,
    move,
    wake_worker_and_readers,
)
from chats.services.transfers.call_off import end_negotiation
from chats.services.transfers.handing_over import may_go, stall
from chats.services.transfers.machine import Happening

ENDED = "the chat has ended"


def record_agreed(
    *, transfer_id: int, expiry: int, now: datetime, heard_at: datetime | None = None
) -> None:
    """202: the countdown of its ExpiryTime (seconds) runs by our clock; at once we hand over.

    It runs since `heard_at`, which is `now` unless the chat was held by somebody else meanwhile. A
    202 that is over by then is left to the sweep: the peer would take nothing any more.
    """
    with locked_attempt(transfer_id) as attempt:
        if attempt is None or attempt[1].state != TransferState.NEGOTIATING:
            return
        chat, transfer = attempt
        expires_at = (heard_at or now) + timedelta(seconds=expiry)
        move(
            transfer,
            Happening.AGREED,
            now=now,
            answered_at=now,
            expiry=expiry,
            expires_at=expires_at,
            due_at=expires_at,
            http_status=200,
        )
        append_event(
            chat_id=chat.pk,
            kind="transfer-accepted",
            at=now,
            actor=SYSTEM,
            data={"transfer": str(transfer.pk), "expiryTime": expiry},
        )
        if not may_go(chat):
            end_negotiation(chat=chat, transfer=transfer, cause=ENDED, actor=SYSTEM, now=now)
        elif transfer.at_once and now < expires_at:
            stall(chat=chat, transfer=transfer, actor=SYSTEM, now=now)
        transaction.on_commit(wake_worker_and_readers)


def record_refused(*, transfer_id: int, cause: str, http_status: int | None, now: datetime) -> None:
    """406, with the peer's words as the cause."""
    _end(transfer_id, Happening.REFUSED, cause, http_status, now)


def record_unanswered(
    *,
    transfer_id: int,
    cause: str,
    http_status: int | None,
    now: datetime,
    retry_at: datetime | None,
) -> None:
    """No usable answer: asked again at `retry_at`, or with None the transfer has failed."""
    if retry_at is None:
        _end(transfer_id, Happening.UNANSWERED, cause, http_status, now)
        return
    with locked_attempt(transfer_id) as attempt:
        if attempt is not None and attempt[1].state == TransferState.NEGOTIATING:
            call_again(attempt[1], at=retry_at, cause=cause, http_status=http_status)


def _end(
    transfer_id: int, happening: Happening, cause: str, http_status: int | None, now: datetime
) -> None:
    with locked_attempt(transfer_id) as attempt:
        if attempt is not None and attempt[1].state == TransferState.NEGOTIATING:
            chat, transfer = attempt
            end_unanswered(chat.pk, transfer, happening, cause, http_status, now)


def end_unanswered(
    chat_id: int,
    transfer: Transfer,
    happening: Happening,
    cause: str,
    http_status: int | None,
    now: datetime,
) -> None:
    """End a locked negotiation that came to nothing; the app knows nothing of it."""
    cause = storable_cause(cause)
    move(transfer, happening, now=now, cause=cause, answered_at=now, http_status=http_status)
    data = {"transfer": str(transfer.pk)}
    if happening is Happening.REFUSED:  # a call-taker's words: content, by digest alone
        kind, data["causeSha256"] = "transfer-declined", text_digest(cause)
    else:
        kind, data["cause"], data["target"] = "transfer-failed", cause, transfer.transfer_to
    append_event(chat_id=chat_id, kind=kind, at=now, actor=SYSTEM, data=data)
    transaction.on_commit(wake_worker_and_readers)
