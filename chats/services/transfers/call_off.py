"""Calling off: a call-taker keeps a chat that was to be transferred."""

from datetime import datetime

from chats.models import Transfer
from psap.models import User


def call_off(*, chat_id: int, call_taker: User | None, now: datetime) -> Transfer:
    """End a transfer before the other PSAP has been asked to execute it.

    An app that has got our 266 is taken back with a fresh 266 and 265. Raises ChatUnknown,
    NotYourChat, NoTransfer, TooLate (from the execution on), ChatBusy.
    """
    raise NotImplementedError
