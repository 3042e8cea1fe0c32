"""The journal writer: group commit of what has arrived; a 200 leaves only after its COMMIT.

One writer takes whatever waits and inserts it in one statement into a table that nothing locks,
so nothing that happens to a chat can stop intake. A batch that PostgreSQL refuses is halved until
the one row that it cannot take stands alone; that one is stored raw.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import psycopg

from psap.failpoints import reach
from sipgateway.arrivals import Arrival
from sipgateway.database import Database
from sipgateway.figures import GatewayFigures
from sipgateway.interpret import storable
from sipgateway.journal_queue import JournalQueue
from sipgateway.pace import Pace

logger = logging.getLogger(__name__)

LARGEST_BATCH = 256
CYCLE = 0.02
LARGEST_BATCH_BYTES = 32 * 1024 * 1024

INSERT = (
    b"INSERT INTO chats_journal (received_at, trunk, transport, peer, trusted, request_key,"
    b" call_id, raw) SELECT * FROM unnest(%b::timestamptz[], %b::text[], %b::text[], %b::text[],"
    b" %b::boolean[], %b::bytea[], %b::text[], %b::bytea[]) ON CONFLICT (request_key) DO NOTHING"
    b" RETURNING request_key, id"
)

_UNPROJECTED = (
    b"SELECT j.request_key, j.id FROM chats_journal j WHERE j.request_key = ANY(%b::bytea[])"
    b" AND NOT EXISTS (SELECT FROM chats_message m WHERE m.journal_id = j.id) ORDER BY j.id"
)

Journaled = list[tuple[int, Arrival]]


class JournalWriter:
    """Commits in batches what waits in its queue, then lets it be acknowledged."""

    def __init__(
        self,
        database: Database,
        queue: JournalQueue,
        *,
        acknowledge: Callable[[Arrival], None],
        hand_over: Callable[[Journaled], None],
        is_behind: Callable[[], bool] = lambda: False,
        figures: GatewayFigures | None = None,
    ) -> None:
        self._database = database
        self._is_behind = is_behind
        self._figures = figures or GatewayFigures()
        self._clock = asyncio.get_running_loop().time
        self._pace = Pace(self._clock, cycle=CYCLE)
        self._acknowledge = acknowledge
        self._hand_over = hand_over
        self._queue = queue
        self._filled = asyncio.Event()
        self._stuck_since: float | None = None

    @property
    def stuck_for(self) -> float:
        """Seconds for which nothing was committed though something waits."""
        return 0.0 if self._stuck_since is None else self._clock() - self._stuck_since

    @property
    def is_crowded(self) -> bool:
        """Whether more wait than fit into a batch."""
        return self._queue.is_long

    def offer(self, arrival: Arrival) -> bool:
        """Queue an arrival; False when there is no room for one of its kind."""
        if not self._queue.offer(arrival):
            return False
        self._filled.set()
        return True

    def hold(self, arrival: Arrival) -> None:
        """Queue what came over a connection though there is no room, and read no more from it."""
        self._queue.hold(arrival)
        self._filled.set()

    async def run(self) -> None:
        """Write for ever; what cannot be committed yet waits, unacknowledged."""
        queue = self._queue
        taken_at, taken = self._clock(), 0
        while True:
            await self._filled.wait()
            now = self._clock()
            if self._stuck_since is None:
                self._stuck_since = now
            if self._is_behind():  # what is journaled waits in memory: rather let it wait outside
                await asyncio.sleep(CYCLE)
                continue
            if taken and queue.is_long:
                queue.measured(taken, now - taken_at)
            batch = queue.take(LARGEST_BATCH, LARGEST_BATCH_BYTES)
            taken_at, taken = now, len(batch) if queue.is_long else 0
            if batch:
                await self._write(batch)
            self._stuck_since = None
            if not queue:
                self._filled.clear()
            await asyncio.sleep(self._pace.pause(len(batch)))

    async def _write(self, batch: list[Arrival]) -> None:
        begun = time.perf_counter()  # the loop's clock has milliseconds alone
        try:
            ids = await self._database.retry(lambda: self._insert(batch))
        except psycopg.Error as error:  # refused for what it holds, not for the connection
            if len(batch) > 1:
                middle = len(batch) // 2
                await self._write(batch[:middle])
                await self._write(batch[middle:])
                return
            logger.error("the journal refuses %s, storing it raw: %s", batch[0].flow.peer, error)
            ids = await self._database.retry(lambda: self._insert(batch, raw_alone=True))
        reach("after-commit")
        self._figures.commit.observe(time.perf_counter() - begun)
        self._figures.journaled += len(batch)
        for arrival in batch:
            try:
                self._acknowledge(arrival)
            except Exception:  # one answer that cannot be written must not cost the others theirs
                logger.exception("no answer to %s", arrival.flow.peer)
        reach("after-200")
        waited = datetime.now(UTC) - min(arrival.received_at for arrival in batch)
        self._figures.answer.observe(waited.total_seconds())
        arrivals = {arrival.key: arrival for arrival in reversed(batch)}  # each key once
        self._hand_over([(ids[key], a) for key, a in reversed(arrivals.items()) if key in ids])
        if len(ids) < len(arrivals):
            missing = [key for key in arrivals if key not in ids]
            known = await self._database.retry(lambda: self._unprojected(missing))
            self._hand_over([(journal_id, arrivals[key]) for key, journal_id in known])

    async def _unprojected(self, keys: list[bytes]) -> list[tuple[bytes, int]]:
        """Find what was in the journal before and is on no chat.

        The answer to our COMMIT was lost, or it came to a gateway that died and is sent again.
        """
        connection = await self._database.connection()
        cursor = await connection.execute(_UNPROJECTED, (keys,))
        return [(bytes(key), journal_id) for key, journal_id in await cursor.fetchall()]

    async def _insert(
        self, batch: Sequence[Arrival], *, raw_alone: bool = False
    ) -> dict[bytes, int]:
        connection = await self._database.connection()
        reach("before-insert")
        # One round trip: BEGIN, INSERT and COMMIT travel together.
        async with connection.pipeline(), connection.transaction():
            cursor = await connection.execute(
                INSERT,
                (
                    [a.received_at for a in batch],
                    [storable(a.trunk) for a in batch],
                    [a.flow.transport for a in batch],
                    [a.flow.peer for a in batch],
                    [a.trusted_peer for a in batch],
                    [a.key for a in batch],
                    ["" if raw_alone else storable(a.identifiers.call_id) for a in batch],
                    [a.request.raw for a in batch],
                ),
            )
            reach("before-commit")
        return {bytes(key): journal_id for key, journal_id in await cursor.fetchall()}
