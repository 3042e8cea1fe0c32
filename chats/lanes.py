"""One command at a time per chat and process, so that a locked chat holds one thread, not all."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary

from chats.services.errors import ChatBusy

LONGEST_WAIT = 3.0

_lanes: "WeakValueDictionary[tuple[asyncio.AbstractEventLoop, int], asyncio.Lock]" = (
    WeakValueDictionary()
)


@asynccontextmanager
async def lane(chat_id: int) -> AsyncIterator[None]:
    """Wait for a chat's turn, first come, first served; raises ChatBusy after 3 s."""
    key = (asyncio.get_running_loop(), chat_id)
    lock = _lanes.setdefault(key, asyncio.Lock())
    try:
        async with asyncio.timeout(LONGEST_WAIT):
            await lock.acquire()
    except TimeoutError as error:
        raise ChatBusy from error
    try:
        yield
    finally:
        lock.release()
