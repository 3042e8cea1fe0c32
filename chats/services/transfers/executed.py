"""The execution request and what the peer has answered to it (clause 6.3.3).

Each of these raises ChatBusy while somebody else holds the chat: call it again. An answer that
comes too late changes nothing: the chat is ours again, and custody notices settle whose it is.
"""

import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta

from django.db import transaction

from chats.models import Chat, Note, OutboxEntry, Session, Transfer, TransferState
from chats.services.chain import SYSTEM, append_event
from chats.services.errands import storable_cause
from chats.services.transfers.attempts import (
    ASKING,
    call_again,
    locked_attempt,
    move,
    put,
    stop_of_app,
    wake_worker_and_readers,
)
from chats.services.transfers.going_over import go_over
from chats.services.transfers.machine import Happening
from chats.services.transfers.offers import SHORTEST_EXPIRY
from chats.services.transfers.reactivation import reactivate
from chats.services.transfers.supersede import supersede_earlier
from psap.models import Psap

BEGUN_ANEW = "the app has started here again"
INTERRUPTED = "we were interrupted while asking"


def record_snapshot(
    *, transfer_id: int, write: Callable[[Transfer], bytes], now: datetime
) -> bytes | None:
    """Return the body of the execution request; None when nothing is to be sent any more.

    The first time `write` makes it, with the chat and the transfer locked and `last_msg_id`,
    `execution_expiry`, `executed_at` (SnapshotAt) and `execution_expires_at` set on the row given
    to it. It is committed before it returns, so a repetition sends the same bytes.
    """
    with locked_attempt(transfer_id) as attempt:
        if attempt is None or attempt[1].state not in ASKING:
            return None
        chat, transfer = attempt
        if transfer.due_at is None or now >= transfer.due_at:
            return None  # the sweep ends it
        if transfer.execution_sha256 is not None:
            _note_interruption(chat, transfer, now)
            return bytes(transfer.execution or b"")
        if chat.session != Session.TRANSFERRING or stop_of_app(transfer):
            return None
        _set_window(transfer, now)
        _note_reason(chat, transfer)
        body = write(transfer)
        _store(chat, transfer, body, now)
        return body


def begins_until(transfer: Transfer, since: datetime, patience: int) -> datetime:
    """When an execution has to have begun whose app stalls since then; `patience` in seconds."""
    until = since + timedelta(seconds=patience)
    return until if transfer.expires_at is None else min(until, transfer.expires_at)


def record_taken(*, transfer_id: int, http_status: int | None, now: datetime) -> None:
    """200: the peer has the chat; what the app has written here meanwhile goes after it."""
    with locked_attempt(transfer_id) as attempt:
        if attempt is None or attempt[1].state not in ASKING:
            return
        chat, transfer = attempt
        put(transfer, http_status=http_status)
        if chat.session == Session.OPEN:  # its latest word was to us
            _fail(chat, transfer, BEGUN_ANEW, now)
            return
        move(transfer, Happening.TAKEN, now=now)
        go_over(chat=chat, transfer=transfer, now=now)


def record_not_taken(
    *, transfer_id: int, cause: str, http_status: int | None, now: datetime
) -> None:
    """503, or an answer that is none: the chat is ours again (reactivation)."""
    with locked_attempt(transfer_id) as attempt:
        if attempt is not None and attempt[1].state in ASKING:
            put(attempt[1], http_status=http_status)
            _fail(*attempt, cause, now)


def record_answer_lost(*, transfer_id: int, cause: str, now: datetime, retry_at: datetime) -> None:
    """It was or may have been sent, and nobody knows: the same bytes again at `retry_at`."""
    with locked_attempt(transfer_id) as attempt:
        if attempt is not None and attempt[1].state in ASKING:
            _lose(*attempt, cause, now)
            call_again(attempt[1], at=retry_at, cause=cause)


def record_not_sent(*, transfer_id: int, cause: str, now: datetime, retry_at: datetime) -> None:
    """Certainly not a byte of this attempt has reached the peer: tried again at `retry_at`.

    Unless an earlier one may have, the next attempt takes a new snapshot: an old one would give the
    peer more time than we have.
    """
    with locked_attempt(transfer_id) as attempt:
        if attempt is None or attempt[1].state not in ASKING:
            return
        transfer = attempt[1]
        if transfer.state == TransferState.UNCERTAIN:
            call_again(transfer, at=retry_at, cause=cause)
            return
        due_at = _begins_until(transfer) or transfer.due_at
        call_again(
            transfer,
            at=retry_at,
            cause=cause,
            due_at=due_at,
            execution=None,
            execution_sha256=None,
            executed_at=None,
            execution_expires_at=None,
        )


def _note_reason(chat: Chat, transfer: Transfer) -> None:
    """Keep why we give the chat away where all that have it later can read it."""
    if transfer.reason:
        Note.objects.get_or_create(
            chat=chat, at=transfer.requested_at, text=transfer.reason, origin=""
        )


def _set_window(transfer: Transfer, now: datetime) -> None:
    """Give the peer what remains of our patience, so that it gives up when we do."""
    patience = transfer.peer.execution_time if transfer.peer else SHORTEST_EXPIRY
    waited = now - (_stalled_at(transfer) or now)
    remaining = patience - int(waited.total_seconds())
    expiry = max(SHORTEST_EXPIRY, min(remaining, patience))
    transfer.last_msg_id = transfer.stop_message.msg_id if transfer.stop_message else 1
    transfer.execution_expiry, transfer.executed_at = expiry, now
    transfer.execution_expires_at = now + timedelta(seconds=expiry)


def _begins_until(transfer: Transfer) -> datetime | None:
    stalled_at = _stalled_at(transfer)
    if stalled_at is None or transfer.peer is None:
        return None
    return begins_until(transfer, stalled_at, transfer.peer.execution_time)


def _stalled_at(transfer: Transfer) -> datetime | None:
    """When the app acknowledged our 266."""
    stop = OutboxEntry.objects.filter(message=transfer.stop_message)
    return stop.values_list("tried_at", flat=True).first()


def _store(chat: Chat, transfer: Transfer, body: bytes, now: datetime) -> None:
    margin = timedelta(seconds=(Psap.objects.first() or Psap()).transfer_margin)
    digest = hashlib.sha256(body).digest()
    expires_at = now + timedelta(seconds=transfer.execution_expiry or 0)
    put(
        transfer,
        execution=body,
        execution_sha256=digest,
        last_msg_id=transfer.last_msg_id,
        execution_expiry=transfer.execution_expiry,
        executed_at=now,
        execution_expires_at=expires_at,
        due_at=expires_at + margin,
    )
    append_event(
        chat_id=chat.pk,
        kind="transfer-executing",
        at=now,
        actor=SYSTEM,
        data={
            "transfer": str(transfer.pk),
            "messageId": transfer.last_msg_id,
            "bodySha256": digest.hex(),
        },
    )
    supersede_earlier(chat=chat, transfer=transfer, now=now)
    transaction.on_commit(wake_worker_and_readers)


def _note_interruption(chat: Chat, transfer: Transfer, now: datetime) -> None:
    """Somebody has had these bytes before and has not said what became of them."""
    if transfer.state == TransferState.EXECUTING:
        _lose(chat, transfer, INTERRUPTED, now)


def _lose(chat: Chat, transfer: Transfer, cause: str, now: datetime) -> None:
    """Go from EXECUTING to UNCERTAIN; what is due stays due."""
    if transfer.state == TransferState.UNCERTAIN:
        return
    kept = {
        name: getattr(transfer, name)
        for name in ("due_at", "call_due_at", "attempts", "lease_until", "lease_holder")
    }
    move(transfer, Happening.ANSWER_LOST, now=now, cause=cause, **kept)
    append_event(
        chat_id=chat.pk,
        kind="custody-uncertain",
        at=now,
        actor=SYSTEM,
        data={"transfer": str(transfer.pk), "cause": transfer.cause},
    )
    transaction.on_commit(wake_worker_and_readers)


def _fail(chat: Chat, transfer: Transfer, cause: str, now: datetime) -> None:
    reactivate(
        chat=chat,
        transfer=transfer,
        happening=Happening.NOT_TAKEN,
        cause=storable_cause(cause),
        actor=SYSTEM,
        now=now,
    )
