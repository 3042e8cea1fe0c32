"""An attempt at a transfer under our lock, and the one way in which its row moves.

Lock order everywhere: the chat's row, then the transfer's.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from chats import wakeup
from chats.models import (
    UNDER_WAY,
    Chat,
    DeliveryStatus,
    Direction,
    Message,
    Transfer,
    TransferSide,
    TransferState,
)
from chats.services.errands import storable_cause
from chats.services.locking import bounded_transaction, lock_chat
from chats.services.message_types import STOP
from chats.services.transfers.machine import Happening, following

ASKING = (TransferState.EXECUTING, TransferState.UNCERTAIN)
"""The execution is asked for, and its outcome is open."""

ACCEPTED = 202
NOT_ASSERTED = "not-asserted"
"""Flag of messages whose sender may be anybody."""


def rows() -> "QuerySet[Transfer]":
    """Transfers without the execution's body, which may have many MiB."""
    return Transfer.objects.defer("execution")


@contextmanager
def locked_attempt(transfer_id: int) -> Iterator[tuple[Chat, Transfer] | None]:
    """Lock a transfer with its chat for the block, which is one transaction; raises ChatBusy.

    None where there is no such transfer, or it has no chat yet.
    """
    with bounded_transaction():
        chat_id = Transfer.objects.filter(pk=transfer_id).values_list("chat_id", flat=True).first()
        if chat_id is None:
            yield None
            return
        chat = lock_chat(chat_id)
        yield chat, rows().select_for_update(no_key=True).get(pk=transfer_id)


def outgoing_of(chat: Chat) -> Transfer | None:
    """Lock and return the transfer of a locked chat that we have under way, if any."""
    under_way = rows().filter(chat=chat, side=TransferSide.OUT, state__in=UNDER_WAY)
    return under_way.select_for_update(no_key=True).first()


def is_under_way(chat_id: int) -> bool:
    """Whether we are transferring a chat."""
    return Transfer.objects.filter(
        chat=chat_id, side=TransferSide.OUT, state__in=UNDER_WAY
    ).exists()


def move(
    transfer: Transfer, happening: Happening, *, now: datetime, cause: str = "", **values: Any
) -> None:
    """Move a locked transfer by the table; raises NotPossible before anything is written.

    Whatever call was due or under way is over: `values` say what is due next.
    """
    values = {
        "state": following(transfer.side, transfer.state, happening),
        "cause": storable_cause(cause),
        "due_at": None,
        "call_due_at": None,
        "attempts": 0,
        "lease_until": None,
        "lease_holder": "",
        **values,
    }
    values.setdefault("ended_at", None if values["state"] in UNDER_WAY else now)
    put(transfer, **values)


def put(transfer: Transfer, **values: Any) -> None:
    """Write columns of a locked transfer."""
    for name, value in values.items():
        setattr(transfer, name, value)
    transfer.save(update_fields=list(values))


def call_again(transfer: Transfer, *, at: datetime | None, cause: str, **values: Any) -> None:
    """Have the worker call once more at that time (never, with None) in the same state."""
    put(
        transfer,
        call_due_at=at,
        lease_until=None,
        lease_holder="",
        cause=storable_cause(cause),
        **values,
    )


def stop_of_app(transfer: Transfer) -> Message | None:
    """Return the stop|258 by which the app has ended the chat after our 266, if it has.

    While the outcome is open it is held as all that the app writes; the session goes on. Who writes
    after it has not ended the chat.
    """
    held = Message.objects.filter(
        chat=transfer.chat, direction=Direction.IN, pk__gt=transfer.stop_message_id or 0
    )
    stops = held.filter(type=STOP).exclude(flags__contains=[NOT_ASSERTED])
    stop = stops.order_by("-pk").first()
    if stop is None or held.filter(pk__gt=stop.pk).exclude(text="").exists():
        return None
    return stop


def is_acknowledged(message: Message | None) -> bool:
    """Whether the app itself has taken a 266 or 265 of ours; by 202 somebody has kept it for it."""
    if message is None or message.status != DeliveryStatus.DELIVERED:
        return False
    return message.sip_status != ACCEPTED


def wake_worker_and_readers() -> None:
    """Tell the worker, peers' waiting requests and the hubs; call it after the commit."""
    wakeup.publish(wakeup.TRANSFERS)
    wakeup.publish(wakeup.EVENTS)
