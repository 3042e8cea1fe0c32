"""Handing over: the app is told to wait for the other PSAP, with stop|transfer/266 (6.2.6)."""

from datetime import datetime

from chats.models import Transfer
from psap.models import User


def hand_over(*, chat_id: int, call_taker: User | None, now: datetime) -> Transfer:
    """Hand an accepted transfer over at the call-taker's word: from here on nothing of ours leaves.

    Raises ChatUnknown, NotYourChat, NoTransfer (none is accepted, or its time is over),
    SessionNotOpen, ChatBusy.
    """
    raise NotImplementedError
