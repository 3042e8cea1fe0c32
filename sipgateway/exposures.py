"""Chats to which we write in the clear since TLS failed: told to the record once each."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

from chats.services.protection import Exposure, record_unprotected
from sipgateway.database import Database

AGAIN = 0.2


class Exposures:
    """One task that writes down what the sender had to do."""

    def __init__(self, database: Database, *, recorded: Callable[[], None]) -> None:
        self._database = database
        self._recorded = recorded
        self._waiting: dict[int, Exposure] = {}
        self._filled = asyncio.Event()

    def note(self, chat_id: int, transport: str) -> None:
        """Take a chat whose trunk fell back to this transport."""
        self._waiting.setdefault(chat_id, Exposure(chat_id, transport, datetime.now(UTC)))
        self._filled.set()

    async def run(self) -> None:
        """Write for ever; a chat that is held elsewhere is tried again."""
        while True:
            await self._filled.wait()
            written = await self._database.retry(self._write)
            for chat_id in written:
                del self._waiting[chat_id]
            if written:
                self._recorded()
            if not self._waiting:
                self._filled.clear()
            await asyncio.sleep(AGAIN)

    async def _write(self) -> set[int]:
        connection = await self._database.connection()
        async with connection.transaction():
            return await record_unprotected(connection, list(self._waiting.values()))
