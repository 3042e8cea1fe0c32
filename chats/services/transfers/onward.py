"""Three hops: who has a chat that we had taken over and have given to a third PSAP since.

A tells us of a 265 above ours, after the chat has gone on to C. MsgIds decide among all: C is told
A's, and so is whoever C has given the chat to. Where C's is the higher one, A is told that, and
asks the app once more above it (`greet_above`): a number alone takes no chat.
"""

from datetime import datetime

from django.db import transaction
from django.db.models import Q

from chats.models import (
    Chat,
    Direction,
    Message,
    Session,
    Transfer,
    TransferSide,
    TransferState,
)
from chats.services.chain import SYSTEM, append_event
from chats.services.message_types import START_TRANSFER
from chats.services.outbox import wake_readers_and_outbox
from chats.services.transfers.arriving import LARGEST_MESSAGE_ID
from chats.services.transfers.attempts import ASKING, put, rows, wake_worker_and_readers
from chats.services.transfers.going_over import leave
from chats.services.transfers.reactivation import WATCH, greet

MOST_ASKED = 4
"""265s of ours after one execution: each may bring a higher one to light, some hops further."""

_GIVEN = Q(side=TransferSide.OUT, state__in=(*ASKING, TransferState.DONE))
_TAKEN = Q(side=TransferSide.IN, state__in=(*ASKING, TransferState.DONE))


def onward_of(chat: Chat, transfer: Transfer) -> Transfer | None:
    """Lock and return how a locked chat went on after we had taken it over, None where it is here.

    Its outcome may be open still.
    """
    if transfer.side != TransferSide.IN:
        return None
    moved = rows().filter(_GIVEN | _TAKEN, chat=chat, executed_at__isnull=False)
    latest = moved.select_for_update(no_key=True).order_by("-pk").first()
    if latest is None or latest.side != TransferSide.OUT or latest.pk < transfer.pk:
        return None
    return latest


def later_word(onward: Transfer) -> int:
    """The highest MsgId of a 265 that is known from there: that of the PSAP that took the chat.

    Or a higher one that it has told us, of whoever has it since then.
    """
    return max((onward.last_msg_id or 0) + 1, onward.custody_msg_id or 0)


def is_told(chat: Chat, transfer: Transfer, onward: Transfer, msg_id: int, now: datetime) -> bool:
    """Have the PSAP that took a locked chat from us told of a later 265; whether it has answered.

    What it gives back goes on to whose the 265 is, from now on.
    """
    if onward.custody_msg_id == msg_id:
        return onward.call_due_at is None
    leave(chat, transfer.transfer_from, now)
    data = {"transfer": str(transfer.pk), "to": transfer.transfer_from, "messageId": msg_id}
    append_event(chat_id=chat.pk, kind="chat-released", at=now, actor=SYSTEM, data=data)
    put(
        onward,
        custody_msg_id=msg_id,
        call_due_at=now,
        attempts=0,
        lease_until=None,
        lease_holder="",
    )
    transaction.on_commit(wake_worker_and_readers)
    return False


def contradicted(chat: Chat, onward: Transfer, msg_id: int, now: datetime) -> None:
    """Note that the chat is there after all, by a 265 with that MsgId: whoever asks is told it."""
    put(onward, custody_msg_id=msg_id)
    if chat.session == Session.TRANSFERRED:
        leave(chat, onward.transfer_to, now)


def greet_above(chat: Chat, transfer: Transfer, msg_id: int, now: datetime) -> bool:
    """Ask the app of a chat that we have taken back once more, by a 266 and a 265 above that MsgId.

    The peer says that somebody has it by that one: no 265 of the peer's own, so the app has to say.
    A few times for an attempt, or a peer could have the app of its choice asked for ever.
    """
    if transfer.state != TransferState.FAILED or chat.session != Session.OPEN:
        return False
    asked = Message.objects.filter(
        chat=chat,
        direction=Direction.OUT,
        origin="",
        type=START_TRANSFER,
        pk__gt=transfer.stop_message_id or 0,
    )
    if asked.count() not in range(1, MOST_ASKED) or msg_id > LARGEST_MESSAGE_ID:
        return False
    chat.next_msg_id = max(chat.next_msg_id, msg_id + 1)
    start = greet(chat, transfer, now)
    put(transfer, start_message=start, custody_msg_id=None, due_at=now + WATCH)
    transaction.on_commit(wake_readers_and_outbox)
    return True
