"""Sweeping the leases of desks: Django's ORM in a thread, apart from the gateway's loop."""

import asyncio
from datetime import UTC, datetime

from django.db import close_old_connections

from chats.services.leases import expire_leases


async def expire_desk_leases() -> int:
    """Let the chats of silent desks ring again; returns how many."""
    return await asyncio.to_thread(_expire)


def _expire() -> int:
    close_old_connections()
    try:
        return expire_leases(now=datetime.now(UTC))
    finally:
        close_old_connections()
