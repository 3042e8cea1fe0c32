"""Arriving: an execution is committed with the chat's whole history (clause 6.3.3).

One transaction writes the chat, what its record was elsewhere, and our start|transfer/265. Of many
that bring the same execution one writes, and all get the same answer.
"""

from datetime import datetime, timedelta
from typing import Any

from chats.models import Chat, Transfer, TransferSide, TransferState
from chats.services.chain import SYSTEM, actor_of, append_event, canonical_data
from chats.services.locking import bounded_transaction
from chats.services.message_types import START_TRANSFER
from chats.services.outbox import queue_message
from chats.services.texts import text_digest
from chats.services.transfers.arrived_chat import (
    is_here,
    known_chat,
    open_again,
    open_chat,
    take_over,
)
from chats.services.transfers.attempts import move, put, rows
from chats.services.transfers.call_ids import stored_call_id
from chats.services.transfers.history import HandedChat
from chats.services.transfers.importing import import_history
from chats.services.transfers.machine import Happening
from chats.services.transfers.offers import OPEN_HERE
from psap.failpoints import reach
from psap.models import Peer, Psap

OK, SERVICE_UNAVAILABLE = 200, 503
# Longer than an import of the largest history takes.
LOCK_TIMEOUT, STATEMENT_TIMEOUT = "15s", "30s"
LONGEST_EXPIRY = 3600
"""Seconds that an execution is worked at, whatever ExpiryTime it brings."""
LARGEST_MESSAGE_ID = 2**31 - 1_000_000
"""A MsgId from which we still can go on counting."""


class ExecutionRefused(Exception):
    """Base of all refusals; nothing was written. `forbidden`: 403, else StatusCode 503."""

    forbidden = False
    detail = "The execution was refused."

    def __init__(self, detail: str | None = None) -> None:
        self.detail = detail or type(self).detail
        super().__init__(self.detail)


class NoNegotiation(ExecutionRefused):
    """No negotiation of this peer for this CallId was accepted: 403."""

    forbidden = True
    detail = "No negotiation of yours for this CallId has been accepted."


class NegotiationOver(ExecutionRefused):
    """The negotiation has expired, or what it was about is here already: 503."""

    detail = "The negotiation has expired."


class NoAppUri(ExecutionRefused):
    """There is nowhere to send the start|transfer/265 to: 503."""

    detail = "Without Data.AppUri we cannot write to the app."


class OtherBody(ExecutionRefused):
    """The negotiation has been executed with another body: 503."""

    detail = "This negotiation has been executed with another body."


def receive_execution(
    *,
    peer: Peer,
    call_id: str,
    last_msg_id: int,
    expiry: int,
    body_sha256: bytes,
    chat: HandedChat | None,
    now: datetime,
) -> int:
    """Take a chat over as far as we can: commit it, and ask the app to follow; the transfer's id.

    `expiry` in seconds. A repeat with the same body gets the same id. Raises NoNegotiation,
    NegotiationOver, NoAppUri, OtherBody; ChatBusy where nobody knows yet, and the peer had better
    hear nothing than a 503.
    """
    # It may write much, and its repetitions wait for it.
    with bounded_transaction(lock_timeout=LOCK_TIMEOUT, statement_timeout=STATEMENT_TIMEOUT):
        transfer = _attempt(peer, stored_call_id(call_id), body_sha256, now)
        if transfer.execution_sha256 is not None:
            return transfer.pk
        if last_msg_id > LARGEST_MESSAGE_ID:
            raise NegotiationOver("This MessageId leaves us none to go on with.")
        put(transfer, last_msg_id=last_msg_id)
        psap = Psap.objects.first() or Psap()
        arriving = _chat_of(transfer, chat, now)
        take_over(arriving, transfer, chat, now)
        _tell(arriving, transfer, chat, body_sha256, now)
        if chat is not None:
            import_history(
                chat=arriving, transfer=transfer, handed=chat, own_uri=psap.public_uri, now=now
            )
        if transfer.answered_by is not None and arriving.owner_id is not None:
            username = transfer.answered_by.username
            append_event(
                chat_id=arriving.pk,
                kind="chat-claimed",
                at=now,
                actor=actor_of(username),
                data={"owner": username},
            )
        start = queue_message(
            chat=arriving,
            msg_type=START_TRANSFER,
            text=psap.arrival_text,
            author=None,
            now=now,
            msg_id=last_msg_id + 1,
        )
        expiry = min(expiry, LONGEST_EXPIRY)
        expires_at = now + timedelta(seconds=expiry)
        move(
            transfer,
            Happening.EXECUTED,
            now=now,
            chat=arriving,
            executed_at=now,
            execution_expiry=expiry,
            execution_expires_at=expires_at,
            due_at=expires_at,
            execution_sha256=body_sha256,
            start_message=start,
        )
        reach("execution-received")
    reach("execution-committed")
    return transfer.pk


def outcome_of(transfer_id: int) -> int | None:
    """The StatusCode of an execution: 200, 503, or None while the app has not followed yet.

    After 503 it may become 200 all the same, when the app turns out to have followed us.
    """
    state = Transfer.objects.values_list("state", flat=True).get(pk=transfer_id)
    if state == TransferState.EXECUTING:
        return None
    return OK if state == TransferState.DONE else SERVICE_UNAVAILABLE


def _attempt(peer: Peer, call_id: str, body_sha256: bytes, now: datetime) -> Transfer:
    """Lock the attempt that an execution belongs to: its own already, or one that waits for it."""
    asked = rows().filter(peer=peer, call_id=call_id, side=TransferSide.IN)
    # The latest that was accepted; whoever comes second waits here for the first.
    accepted = asked.filter(expiry__isnull=False).order_by("-pk")
    repeated = accepted.filter(execution_sha256=body_sha256).first()
    if repeated is not None:
        return repeated
    latest = accepted.values_list("pk", flat=True).first()
    if latest is None:
        raise NoNegotiation
    transfer = (
        rows()
        .select_for_update(no_key=True, of=("self",))
        .select_related("answered_by")
        .get(pk=latest)
    )
    if transfer.execution_sha256 is not None:
        if bytes(transfer.execution_sha256) != body_sha256:
            raise OtherBody
    elif transfer.state != TransferState.ACCEPTED or (transfer.expires_at or now) <= now:
        raise NegotiationOver
    return transfer


def _chat_of(transfer: Transfer, handed: HandedChat | None, now: datetime) -> Chat:
    """Open the chat that is handed over, anew or again; raises NoAppUri, NegotiationOver."""
    known = known_chat(transfer, handed)
    if known is None and handed is not None and handed.app_uri:
        # Where somebody opens it at this very moment it is known the next time.
        opened = open_chat(transfer, handed, now)
        if opened is not None:
            return opened
        known = known_chat(transfer, handed)
    if known is None:
        raise NoAppUri
    if is_here(known, transfer):
        raise NegotiationOver(OPEN_HERE)
    open_again(known, transfer, now)
    return known


def _tell(
    chat: Chat, transfer: Transfer, handed: HandedChat | None, sha256: bytes, now: datetime
) -> None:
    by = transfer.answered_by
    data: dict[str, Any] = {
        "transfer": str(transfer.pk),
        "from": transfer.transfer_from,
        "peer": transfer.peer_name,
        "reasonSha256": text_digest(transfer.reason),
        "by": by.username if by else None,
        "automatic": transfer.automatic,
        "requestedAt": _time(transfer.requested_at),
        "acceptedAt": _time(transfer.answered_at or now),
        "messageId": transfer.last_msg_id,
        "bodySha256": sha256.hex(),
    }
    if handed is not None and handed.clock_shift:
        data["clockShift"] = repr(handed.clock_shift)  # an event holds no fraction
    if handed is not None and handed.signalling:
        data["signallingSha256"] = text_digest(canonical_data(chat.signalling))
    append_event(chat_id=chat.pk, kind="chat-arriving", at=now, actor=SYSTEM, data=data)


def _time(at: datetime) -> str:
    return at.isoformat(timespec="microseconds")
