"""What pjsua2 has received goes to the journal, by the statement that the gateway uses.

pjsua2 has acknowledged it before we see it, so it waits here for its COMMIT for as long as that
takes. What pjsua2 has cut or thrown away goes the same way as far as there are bytes of it: a
call-taker sees what is left, marked as cut.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import blake2b

import psycopg

from sipgateway.bridged import PJSUA2, read_message
from sipgateway.configuration import Configuration
from sipgateway.database import Connection, Database
from sipgateway.flows import split_address
from sipgateway.interpret import storable
from sipgateway.journal import INSERT
from sipgateway.protocol.lmpe import identify, request_key
from sipgateway.protocol.message import Request

logger = logging.getLogger(__name__)

LARGEST_BATCH = 64


@dataclass(slots=True)
class Parcel:
    """One message on its way to the journal; `committed` is called once after COMMIT."""

    peer: str
    raw: bytes
    received_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    committed: Callable[[], None] = lambda: None


class Inbox:
    """Writes what has been received, in order, and says when something was written."""

    def __init__(
        self,
        database: Database,
        *,
        configuration: Callable[[], Configuration],
        journaled: Callable[[], None],
    ) -> None:
        self._database = database
        self._configuration = configuration
        self._journaled = journaled
        self._queue: deque[Parcel] = deque()
        self._filled = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()

    def put(self, parcel: Parcel) -> None:
        """Take a message; it is kept in memory until it is committed."""
        self._queue.append(parcel)
        self._empty.clear()
        self._filled.set()

    async def run(self) -> None:
        """Write for ever."""
        while True:
            await self._filled.wait()
            batch = [self._queue[n] for n in range(min(len(self._queue), LARGEST_BATCH))]
            await self._write(batch)
            for parcel in batch:
                self._queue.popleft()
                parcel.committed()
            self._journaled()
            if not self._queue:
                self._filled.clear()
                self._empty.set()

    async def wait_until_empty(self) -> None:
        """Return once all that was received is committed."""
        await self._empty.wait()

    async def _write(self, batch: list[Parcel]) -> None:
        try:
            await self._database.retry(lambda: self._insert(batch))
        except psycopg.Error as error:  # refused for what one of them holds
            if len(batch) > 1:
                middle = len(batch) // 2
                await self._write(batch[:middle])
                await self._write(batch[middle:])
                return
            logger.error("the journal refuses %s, storing it raw: %s", batch[0].peer, error)
            await self._database.retry(lambda: self._insert(batch, raw_alone=True))

    async def _insert(self, batch: list[Parcel], *, raw_alone: bool = False) -> None:
        connection: Connection = await self._database.connection()
        trunk = self._configuration().default_trunk
        requests = [None if raw_alone else read_message(parcel.raw) for parcel in batch]
        async with connection.transaction():
            await connection.execute(
                INSERT,
                (
                    [parcel.received_at for parcel in batch],
                    [storable(trunk.name) for _ in batch],
                    [PJSUA2 for _ in batch],
                    [parcel.peer for parcel in batch],
                    [trunk.trusts(split_address(parcel.peer)[0]) for parcel in batch],
                    [_key(r, p) for r, p in zip(requests, batch, strict=True)],
                    [storable(identify(r.headers).call_id) if r else "" for r in requests],
                    [parcel.raw for parcel in batch],
                ),
            )


def _key(request: Request | None, parcel: Parcel) -> bytes:
    return request_key(request) if request else blake2b(parcel.raw, digest_size=16).digest()
