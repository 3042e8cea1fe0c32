"""Deadlines of transfers and what the app has answered, swept by the gateway."""

from datetime import datetime


def settle_due_transfers(*, now: datetime, listening_since: datetime) -> int:
    """Decide what is due on either side; returns how many transfers have moved.

    `listening_since` is when apps could be heard again: before it their silence says nothing.
    Call it each second, and at once when a 266 or 265 of ours has got its final answer.
    """
    raise NotImplementedError
