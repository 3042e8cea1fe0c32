"""Importing: the record that a chat had elsewhere, taken over field by field in few statements."""

from dataclasses import dataclass
from datetime import datetime

from chats.models import Chat, Transfer
from chats.services.transfers.history import HandedChat


@dataclass(frozen=True, slots=True)
class Imported:
    """How much of a history was new to us."""

    messages: int
    notes: int
    links: int


def import_history(
    *, chat: Chat, transfer: Transfer, handed: HandedChat, now: datetime
) -> Imported:
    """Write what we do not know yet of a locked chat's history, with an event for each message."""
    raise NotImplementedError
