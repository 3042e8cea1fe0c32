"""Settling the transfers away from us: deadlines, and what the app has done meanwhile."""

from datetime import datetime, timedelta

from django.db import transaction

from chats.models import Chat, DeliveryStatus, Message, Session, Transfer, TransferState
from chats.services.chain import SYSTEM, append_event
from chats.services.transfers.attempts import (
    is_acknowledged,
    move,
    put,
    stop_of_app,
    wake_worker_and_readers,
)
from chats.services.transfers.call_off import end_negotiation
from chats.services.transfers.executed import BEGUN_ANEW, begins_until
from chats.services.transfers.handing_over import may_go
from chats.services.transfers.machine import Happening
from chats.services.transfers.negotiated import ENDED, end_unanswered
from chats.services.transfers.reactivation import reactivate
from psap.models import Psap

NO_ANSWER = "the other control room has not answered"
NOT_EXECUTED = "the other control room has not taken the chat in time"
NOT_ASKED = "the other control room could not be asked in time"
NOT_ACKNOWLEDGED = "the app has not acknowledged"
APP_ENDED = "the app has ended the chat"
_NO_MORE = (DeliveryStatus.DELIVERED, DeliveryStatus.FAILED, DeliveryStatus.CANCELLED)
_H = Happening


def settle_outgoing(
    transfer: Transfer, chat: Chat, now: datetime, listening_since: datetime
) -> bool:
    """Decide a locked transfer of side `out` with its locked chat; whether anything changed."""
    match transfer.state:
        case TransferState.NEGOTIATING | TransferState.ACCEPTED:
            return _settle_negotiation(transfer, chat, now)
        case TransferState.STALLING:
            return _settle_stalling(transfer, chat, now, listening_since)
        case TransferState.EXECUTING | TransferState.UNCERTAIN:
            return _settle_execution(transfer, chat, now)
        case _:
            return _settle_custody(transfer, now)


def _settle_negotiation(transfer: Transfer, chat: Chat, now: datetime) -> bool:
    if not may_go(chat):
        end_negotiation(chat=chat, transfer=transfer, cause=ENDED, actor=SYSTEM, now=now)
    elif not _is_over(transfer, now):
        return False
    elif transfer.state == TransferState.NEGOTIATING:
        end_unanswered(chat.pk, transfer, _H.UNANSWERED, NO_ANSWER, None, now)
    else:
        move(transfer, _H.EXPIRED, now=now)
        _tell(chat, "transfer-expired", transfer, now)
    return True


def _settle_stalling(
    transfer: Transfer, chat: Chat, now: datetime, listening_since: datetime
) -> bool:
    """Look whether the app has acknowledged our 266, and is still there."""
    stop = transfer.stop_message
    if chat.session != Session.TRANSFERRING or stop_of_app(transfer):
        cause = BEGUN_ANEW if chat.session == Session.OPEN else APP_ENDED
        return _fail(chat, transfer, _H.NOT_STALLED, cause, now)
    if is_acknowledged(stop):
        return _execute(transfer, chat, now)
    if stop is None or stop.status in _NO_MORE or _is_over(transfer, now, listening_since):
        return _fail(chat, transfer, _H.NOT_STALLED, NOT_ACKNOWLEDGED, now)
    return False


def _execute(transfer: Transfer, chat: Chat, now: datetime) -> bool:
    patience = transfer.peer.execution_time if transfer.peer else 0
    move(
        transfer,
        _H.STALLED,
        now=now,
        execution_expiry=patience,
        due_at=begins_until(transfer, now, patience),
        call_due_at=now,
    )
    _tell(chat, "transfer-stalled", transfer, now)
    return True


def _settle_execution(transfer: Transfer, chat: Chat, now: datetime) -> bool:
    asked = transfer.execution_sha256 is not None
    if chat.session == Session.OPEN:
        return _fail(chat, transfer, _H.NOT_TAKEN, BEGUN_ANEW, now)
    if not asked and (chat.session != Session.TRANSFERRING or stop_of_app(transfer)):
        return _fail(chat, transfer, _H.NOT_TAKEN, APP_ENDED, now)
    if _is_over(transfer, now):
        cause = NOT_EXECUTED if asked else transfer.cause or NOT_ASKED
        return _fail(chat, transfer, _H.OVERDUE, cause, now)
    return False


def _settle_custody(transfer: Transfer, now: datetime) -> bool:
    """After a reactivation: as soon as our 265 has got its answer the peer is told, or asked."""
    start: Message | None = transfer.start_message
    if start is not None and start.status not in _NO_MORE and not _is_over(transfer, now):
        return False
    custody = start.msg_id if start is not None and is_acknowledged(start) else None
    put(transfer, due_at=None, custody_msg_id=custody, call_due_at=now, attempts=0)
    transaction.on_commit(wake_worker_and_readers)
    return True


def _is_over(transfer: Transfer, now: datetime, listening_since: datetime | None = None) -> bool:
    """Whether its time is over; an app gets its time from when it could be heard again.

    But never more than the 202's ExpiryTime: after it the peer takes nothing.
    """
    if transfer.due_at is None or now < transfer.due_at:
        return False
    if listening_since is None or transfer.expires_at is None or now >= transfer.expires_at:
        return True
    patience = timedelta(seconds=(Psap.objects.first() or Psap()).stop_patience)
    return now >= listening_since + patience


def _fail(chat: Chat, transfer: Transfer, happening: Happening, cause: str, now: datetime) -> bool:
    reactivate(
        chat=chat, transfer=transfer, happening=happening, cause=cause, actor=SYSTEM, now=now
    )
    return True


def _tell(chat: Chat, kind: str, transfer: Transfer, now: datetime) -> None:
    append_event(
        chat_id=chat.pk, kind=kind, at=now, actor=SYSTEM, data={"transfer": str(transfer.pk)}
    )
    transaction.on_commit(wake_worker_and_readers)
