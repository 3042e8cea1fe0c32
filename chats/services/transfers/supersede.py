"""Earlier attempts at transferring a chat, once a later one is executed: it decides for them."""

from datetime import datetime

from chats.models import Chat, Transfer, TransferSide
from chats.services.transfers.attempts import ASKING, move, put, rows
from chats.services.transfers.machine import Happening

LATER = "a later transfer decides"


def supersede_earlier(*, chat: Chat, transfer: Transfer, now: datetime) -> None:
    """Let earlier attempts of a locked chat rest: nobody is told or asked about them any more.

    Call it when an execution is asked for (out) or received (in). One that we had taken over
    without knowing whether the app follows is the transferor's, who transfers it again.
    """
    earlier = rows().filter(chat=chat, pk__lt=transfer.pk).select_for_update(no_key=True)
    for old in earlier.order_by("pk"):
        if old.side == TransferSide.IN and old.state in ASKING:
            move(old, Happening.LET_GO, now=now, cause=LATER)
        elif old.due_at is not None or old.call_due_at is not None:
            put(old, due_at=None, call_due_at=None, lease_until=None, lease_holder="")
