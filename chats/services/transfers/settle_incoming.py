"""Settling the transfers to us: offers that nobody answers, apps that follow or do not."""

from datetime import datetime

from django.db import transaction

from chats.models import (
    Chat,
    ChatEvent,
    DeliveryStatus,
    Disposition,
    EndedBy,
    Liveness,
    Message,
    OutboxEntry,
    Session,
    Transfer,
    TransferState,
)
from chats.services.chain import SYSTEM, Happened, append_event, append_events
from chats.services.message_types import START_TRANSFER
from chats.services.outbox import cancel_waiting
from chats.services.transfers.attempts import ASKING, move, wake_worker_and_readers
from chats.services.transfers.machine import Happening
from chats.services.transfers.offers import NOBODY_ANSWERED, expire_offer

OK = 200
NOT_EXECUTED = "It was not executed in time."
NOT_SENT = "The app could not be told in time."
REFUSED = "The app has refused to follow."
NOT_ACKNOWLEDGED = "The app has not acknowledged in time."


def settle_incoming(
    transfer: Transfer, chat: Chat | None, now: datetime, listening_since: datetime
) -> bool:
    """Decide a locked transfer of side `in` with its locked chat; whether anything changed.

    `chat` is None as long as the transfer has none. The times are promises to the peer: that we
    were away ourselves (`listening_since`) moves none of them.
    """
    if transfer.state in (TransferState.OFFERED, TransferState.ACCEPTED):
        return _settle_offer(transfer, now)
    if chat is None or transfer.state not in ASKING:
        return False
    start = Message.objects.select_for_update().get(pk=transfer.start_message_id or 0)
    if _has_followed(chat, start):
        _arrive(transfer, chat, start, now)
    elif transfer.state == TransferState.UNCERTAIN:
        return _send_no_more(chat, now)
    elif cause := _never_begins(transfer, start, now):
        _not_taken(transfer, chat, cause, now)
    elif _is_due(transfer, now):
        _send_no_more(chat, now)
        _become_uncertain(transfer, chat, now)
    else:
        return False
    transaction.on_commit(wake_worker_and_readers)
    return True


def _settle_offer(offer: Transfer, now: datetime) -> bool:
    if not _is_due(offer, now):
        return False
    cause = NOBODY_ANSWERED if offer.state == TransferState.OFFERED else NOT_EXECUTED
    expire_offer(offer=offer, cause=cause, now=now)
    return True


def _is_due(transfer: Transfer, now: datetime) -> bool:
    return transfer.due_at is not None and transfer.due_at <= now


def _has_followed(chat: Chat, start: Message) -> bool:
    """Whether the app has acknowledged our 265, or has written, which opens or stops the session.

    With 202 it, or something before it, has only taken the 265 to look at it.
    """
    acknowledged = start.status == DeliveryStatus.DELIVERED and start.sip_status == OK
    return acknowledged or chat.session in (Session.OPEN, Session.STOPPED)


def _never_begins(transfer: Transfer, start: Message, now: datetime) -> str:
    """Why the app cannot follow us: it has never got our 265, or has refused the only one.

    The refusal of a second one may mean that the app follows us since the first.
    """
    attempts = OutboxEntry.objects.values_list("attempts", flat=True).get(message_id=start.pk)
    if start.status == DeliveryStatus.FAILED and attempts <= 1:
        return REFUSED
    if attempts == 0 and start.status == DeliveryStatus.CANCELLED:
        return NOT_SENT
    if attempts == 0 and start.status == DeliveryStatus.QUEUED and _is_due(transfer, now):
        return NOT_SENT
    return ""


def _send_no_more(chat: Chat, now: datetime) -> bool:
    """Begin nothing after the expiry: a 265 of ours that came late would stall the app."""
    return cancel_waiting(chat=chat, types=(START_TRANSFER,), cause="transfer", now=now) > 0


def _arrive(transfer: Transfer, chat: Chat, start: Message, now: datetime) -> None:
    """Note that the chat is ours; it rings unless somebody has it."""
    late = transfer.state == TransferState.UNCERTAIN or _is_due(transfer, now)
    # After a 503, or none at all, the transferor has to learn it from us.
    move(
        transfer,
        Happening.FOLLOWED,
        now=now,
        custody_msg_id=start.msg_id,
        call_due_at=now if late else None,
    )
    append_event(
        chat_id=chat.pk,
        kind="chat-arrived",
        at=now,
        actor=SYSTEM,
        data={"transfer": str(transfer.pk), "messageId": start.msg_id},
    )
    if chat.session == Session.ARRIVING:
        chat.session = Session.OPEN
    if chat.disposition is not None and chat.session == Session.OPEN:
        chat.disposition = chat.closed_at = chat.owner = chat.lease_until = None
        append_event(chat_id=chat.pk, kind="session-reopened", at=now, actor=SYSTEM, data={})
    if chat.owner_id is None and chat.ringing_since is None and chat.disposition is None:
        chat.ringing_since = now
    chat.last_sign_of_life = max(chat.last_sign_of_life, now)
    if chat.session == Session.OPEN and chat.liveness == Liveness.LOST:
        chat.liveness = Liveness.ALIVE
        append_event(
            chat_id=chat.pk,
            kind="liveness-changed",
            at=now,
            actor=SYSTEM,
            data={"liveness": Liveness.ALIVE.value},
        )
    chat.save(
        update_fields=[
            "session", "disposition", "closed_at", "owner", "lease_until", "ringing_since",
            "last_sign_of_life", "liveness",
        ]
    )  # fmt: skip


def _become_uncertain(transfer: Transfer, chat: Chat, now: datetime) -> None:
    """Give the peer its 503, and keep the chat: the app may have followed us all the same.

    `due_at` stays, in the past: each sweep looks whether it has.
    """
    move(
        transfer,
        Happening.OVERDUE,
        now=now,
        cause=NOT_ACKNOWLEDGED,
        due_at=transfer.due_at or now,
    )
    append_event(
        chat_id=chat.pk,
        kind="custody-uncertain",
        at=now,
        actor=SYSTEM,
        data={"transfer": str(transfer.pk), "cause": NOT_ACKNOWLEDGED},
    )


def _not_taken(transfer: Transfer, chat: Chat, cause: str, now: datetime) -> None:
    """Give up a chat that the transferor has: it leaves the queue.

    One that we had passed on before is where it was: what its app still sends here goes there.
    """
    _send_no_more(chat, now)
    move(transfer, Happening.NEVER_BEGUN, now=now, cause=cause)
    told: list[tuple[str, dict[str, str]]] = []
    if with_whom := _with_whom_it_was(transfer, chat):
        chat.session, chat.gone_to = Session.TRANSFERRED, with_whom
    else:
        chat.session, chat.ended_by, chat.ended_at = Session.STOPPED, EndedBy.PEER, now
        told.append(("session-stopped", {"endedBy": EndedBy.PEER.value}))
    if chat.disposition is None:  # else a call-taker has said what became of it
        chat.disposition, chat.closed_at = Disposition.NOT_TAKEN, now
        told.append(("chat-closed", {"disposition": Disposition.NOT_TAKEN.value}))
    told.append(("chat-not-taken", {"transfer": str(transfer.pk), "cause": cause}))
    chat.ringing_since = chat.lease_until = None
    chat.save(
        update_fields=[
            "session", "ended_by", "ended_at", "gone_to", "disposition", "closed_at",
            "lease_until", "ringing_since",
        ]
    )  # fmt: skip
    append_events(
        chat_id=chat.pk, events=[Happened(kind, now, SYSTEM, data) for kind, data in told]
    )


def _with_whom_it_was(transfer: Transfer, chat: Chat) -> str:
    """The URI of the PSAP that we had passed the chat on to, "" where it was not elsewhere.

    It has gone on from there by itself, if at all: a third one that only says so gets nothing.
    """
    opened_again = ChatEvent.objects.filter(
        chat=chat, kind="session-reopened", data__transfer=str(transfer.pk)
    )
    data = opened_again.values_list("data", flat=True).first() or {}
    if data.get("was") not in (Session.TRANSFERRED, Session.REDIRECTED, Session.ARRIVING):
        return ""
    return str(data.get("goneTo") or transfer.transfer_from)
