"""Sweeping the leases of desks: Django's ORM in a thread, apart from the gateway's loop."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from django.db import close_old_connections

from chats.services.leases import expire_leases

# Of its own: the loop's threads may all be waiting for the name servers of strangers.
_thread = ThreadPoolExecutor(1, "leases")


async def expire_desk_leases() -> int:
    """Let the chats of silent desks ring again; returns how many."""
    return await asyncio.get_running_loop().run_in_executor(_thread, _expire)


def _expire() -> int:
    close_old_connections()
    try:
        return expire_leases(now=datetime.now(UTC))
    finally:
        close_old_connections()
