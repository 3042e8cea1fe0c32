"""Settling the transfers to us: offers that nobody answers, apps that follow or do not."""

from datetime import datetime

from chats.models import Chat, Transfer


def settle_incoming(
    transfer: Transfer, chat: Chat | None, now: datetime, listening_since: datetime
) -> bool:
    """Decide a locked transfer of side `in` with its locked chat; whether anything changed.

    `chat` is None as long as the transfer has none.
    """
    raise NotImplementedError
