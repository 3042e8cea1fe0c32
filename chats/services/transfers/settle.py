"""Deadlines of transfers and what the app has answered, swept by the gateway."""

import logging
from datetime import datetime

from django.db import OperationalError, transaction
from django.db.models import Q

from chats.models import Chat, DeliveryStatus, Session, TransferSide, TransferState
from chats.services.transfers.attempts import rows
from chats.services.transfers.settle_incoming import settle_incoming
from chats.services.transfers.settle_outgoing import settle_outgoing
from psap.failpoints import reach

logger = logging.getLogger(__name__)

# Uncertain for as long as the app is silent, which may be for ever: our 265 has left, no 200 to it
# has come, and nothing of the app's has opened the session.
_AT_REST = Q(
    side=TransferSide.IN,
    state=TransferState.UNCERTAIN,
    chat__session=Session.ARRIVING,
    start_message__status__in=(
        DeliveryStatus.SENDING, DeliveryStatus.FAILED, DeliveryStatus.CANCELLED
    ),
)  # fmt: skip


def settle_due_transfers(*, now: datetime, listening_since: datetime) -> int:
    """Decide what is due on either side; returns how many transfers have moved.

    `listening_since` is when apps could be heard again: before it their silence says nothing.
    Call it each second, and at once when a 266 or 265 of ours has got its final answer.
    """
    watched = rows().filter(due_at__isnull=False).exclude(_AT_REST).order_by("due_at", "pk")
    settled = 0
    for pk, chat_id in watched.values_list("pk", "chat_id"):
        try:
            moved = _settle(pk, chat_id, now, listening_since)
        except OperationalError:
            raise
        except Exception:  # one transfer's trouble must not keep the others waiting
            logger.exception("transfer %d was not settled", pk)
            continue
        if moved:
            reach("transfer-settled")
            settled += 1
    return settled


@transaction.atomic
def _settle(pk: int, chat_id: int | None, now: datetime, listening_since: datetime) -> bool:
    """Take both rows, the chat's first; what somebody else holds comes in a second again."""
    chat = None
    if chat_id is not None:
        chats = Chat.objects.select_for_update(skip_locked=True, no_key=True)
        chat = chats.filter(pk=chat_id).first()
        if chat is None:
            return False
    watched = rows().select_for_update(skip_locked=True, no_key=True)
    transfer = watched.filter(pk=pk, due_at__isnull=False).first()
    if transfer is None or transfer.chat_id != chat_id:  # settled or executed this very moment
        return False
    if transfer.side == TransferSide.IN:
        return settle_incoming(transfer, chat, now, listening_since)
    return chat is not None and settle_outgoing(transfer, chat, now, listening_since)
