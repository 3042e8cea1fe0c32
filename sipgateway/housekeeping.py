"""What the gateway does every second or so: deadlines are rows, and here they are swept.

All on one connection. What it learns on the way, the configuration and whether commits succeed,
is what the rest of the gateway goes by.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from chats.services.incoming import IncomingMessage
from chats.services.liveness import (
    SignOfLife,
    mark_lost,
    record_signs_of_life,
    requeue_deferred,
)
from sipgateway.configuration import Configuration, load_configuration
from sipgateway.database import Database
from sipgateway.presence import LiveChat, Presence
from sipgateway.set_aside import forget_projected, retry_set_aside
from sipgateway.unprojected import advance_mark, load_unprojected

logger = logging.getLogger(__name__)

TURN = 1.0
FLUSH_EVERY = 2
SWEEP_EVERY = 5
COMMITS_ARE_STALE_AFTER = 3.0
PATIENCE_AFTER_OUTAGE = 15.0
# A journal row that is younger is on its way through memory.
SETTLED_AFTER = timedelta(seconds=5)

_BEAT = b"""
INSERT INTO psap_serviceprocess (name, instance, started_at, beat_at, figures)
VALUES ('gateway', %b, %b, %b, %b)
ON CONFLICT (name, instance) DO UPDATE
SET started_at = excluded.started_at, beat_at = excluded.beat_at, figures = excluded.figures
"""
# Whose start of ours is still on its way has not been greeted: it may be waiting for another PSAP.
_OPEN_CHATS = """
SELECT id, call_id, unique_part, element, caller_uri, target_uri, local_tag, liveness, transport,
    peer, last_sign_of_life, asserted_uri,
    EXISTS (SELECT FROM chats_message m
            WHERE m.chat_id = c.id AND m.direction = 'out' AND m.status = 'delivered')
    AND NOT EXISTS (SELECT FROM chats_message m WHERE m.chat_id = c.id AND m.type IN (257, 265)
                    AND m.status IN ('queued', 'sending', 'deferred')),
    trunk
FROM chats_chat c WHERE session = 'open' AND disposition IS NULL
"""
_COMING = ("arriving", "transferring")


async def _ignore(anything: object) -> None:
    """Do nothing: what a gateway without this chore does."""


class Housekeeping:
    """The gateway's chores."""

    def __init__(
        self,
        database: Database,
        presence: Presence,
        *,
        name: str,
        take_up: Callable[[list[IncomingMessage]], None],
        projector_is_busy: Callable[[], bool],
        chats_changed: Callable[[], None],
        outbox_filled: Callable[[], None],
        expire_leases: Callable[[], Awaitable[object]],
        figures: Callable[[], dict[str, Any]] = dict,
        configured: Callable[[Configuration], Awaitable[None]] = _ignore,
        flush_more: Callable[[Database], Awaitable[None]] = _ignore,
        clock: Callable[[], float],
    ) -> None:
        self.configuration = Configuration()
        self._database = database
        self._presence = presence
        self._name = name
        self._take_up = take_up
        self._projector_is_busy = projector_is_busy
        self._chats_changed = chats_changed
        self._outbox_filled = outbox_filled
        self._expire_leases = expire_leases
        self._figures = figures
        self._configured = configured
        self._flush_more = flush_more
        self._clock = clock
        self._started_at = datetime.now(UTC)
        self.listening_since = self._started_at  # before that nobody could be heard
        self._last_commit = float("-inf")
        self._patient_until = float("-inf")

    def commits_succeed(self) -> bool:
        """Say whether PostgreSQL has committed something for us just now."""
        return self._clock() - self._last_commit < COMMITS_ARE_STALE_AFTER

    def desks_could_answer(self) -> bool:
        """Say whether a desk that is silent is so by itself: not while PostgreSQL was away.

        No lease could be renewed then; afterwards each desk gets the time for a ping or two.
        """
        return self.commits_succeed() and self._clock() >= self._patient_until

    async def start(self) -> None:
        """Load the configuration and the open chats; waits until PostgreSQL is there."""
        await self._database.retry(self._beat)
        await self._database.retry(self._sweep_journal)  # nothing is on its way in memory yet
        await self._database.retry(
            retry_set_aside(self._database, lambda: self.configuration, self._take_up)
        )
        await self._database.retry(self._load_presence)

    async def run(self) -> None:
        """Do the chores for ever, one turn a second."""
        turn = 0
        while True:
            await asyncio.sleep(TURN)
            turn += 1
            await self._do(self._beat)
            if turn % FLUSH_EVERY == 0:
                await self._do(self._flush)
                await self._do(self._flush_others)
                await self._do(self._forget_ended)
                await self._do(self._find_opened)
            await self._do(self._find_lost)
            if turn % SWEEP_EVERY == 0:
                await self._do(self._sweep_settled_journal)

    async def run_leases(self) -> None:
        """Let the chats of silent desks ring again, apart from the other chores."""
        while True:
            await asyncio.sleep(TURN)
            if not self.desks_could_answer():
                continue
            try:
                await self._expire_leases()
            except Exception:  # a sweep that fails is tried again in a second
                logger.exception("leases were not swept")

    async def _do(self, chore: Callable[[], Awaitable[None]]) -> None:
        """Do one chore; one that fails waits for its next turn and keeps no other from its own."""
        try:
            await self._database.retry(chore)
        except Exception:  # a chore that fails must not end those that do not
            logger.exception("%s failed", chore.__name__)

    async def _beat(self) -> None:
        connection = await self._database.connection()
        now = datetime.now(UTC)
        figures = Jsonb(self._figures())
        await connection.execute(_BEAT, (self._name, self._started_at, now, figures))
        committed_at = self._clock()
        configuration = await load_configuration(connection)
        if configuration != self.configuration:  # the one in use remembers what it has worked out
            self.configuration = configuration
        await self._configured(self.configuration)
        if COMMITS_ARE_STALE_AFTER < committed_at - self._last_commit < float("inf"):
            self._patient_until = committed_at + PATIENCE_AFTER_OUTAGE
            self.listening_since = now
        self._last_commit = committed_at

    async def _load_presence(self) -> None:
        connection = await self._database.connection()
        cursor = await connection.execute(_OPEN_CHATS)
        self._keep(await cursor.fetchall())

    def _keep(self, rows: Iterable[tuple[Any, ...]]) -> None:
        for row in rows:
            self._presence.add(
                LiveChat(
                    id=row[0],
                    call_id=row[1],
                    key=(row[2], row[3], row[4]),
                    remote_uri=row[5],
                    local_tag=row[6],
                    liveness=row[7],
                    transport=row[8],
                    peer=row[9],
                    last_sign_of_life=row[10],
                    heartbeat_due=self._clock() + self.configuration.heartbeat_interval,
                    asserted_uri=row[11],
                    greeted=row[12],
                    trunk=row[13],
                )
            )

    async def _flush(self) -> None:
        """Write signs of life that made no row, and send again what waited for one."""
        chats = self._presence.take_unflushed()
        heard = self._presence.take_heard()
        if not heard:
            return
        try:
            connection = await self._database.connection()
            signs = [
                SignOfLife(c.id, c.last_sign_of_life, c.transport, c.peer, c.trunk) for c in chats
            ]
            async with connection.transaction():
                written = await record_signs_of_life(connection, signs)
            requeued = await requeue_deferred(connection, heard, now=datetime.now(UTC))
        except psycopg.Error:
            self._presence.put_back(chats, heard)
            raise
        self._presence.put_back([chat for chat in chats if chat.id not in written], {})
        if requeued:
            self._outbox_filled()

    async def _flush_others(self) -> None:
        await self._flush_more(self._database)

    async def _forget_ended(self) -> None:
        """Drop the chats that somebody else has ended: a call-taker, or another gateway."""
        connection = await self._database.connection()
        cursor = await connection.execute(
            "SELECT id FROM chats_chat WHERE id = ANY(%s) AND session <> 'open'",
            (self._presence.ids(),),
        )
        for (chat_id,) in await cursor.fetchall():
            self._presence.forget(chat_id)

    async def _find_opened(self) -> None:
        """Take up the chats that somebody else has opened: a transfer, here or back to us."""
        awaited = self._presence.take_awaited()
        if not awaited:
            return
        try:
            connection = await self._database.connection()
            cursor = await connection.execute(f"{_OPEN_CHATS} AND id = ANY(%s)", (awaited,))
            opened = await cursor.fetchall()
            cursor = await connection.execute(
                "SELECT id FROM chats_chat WHERE id = ANY(%s) AND session = ANY(%s)",
                (awaited, list(_COMING)),
            )
            self._presence.await_still(row[0] for row in await cursor.fetchall())
        except psycopg.Error:
            self._presence.await_still(awaited)
            raise
        self._keep(opened)

    async def _find_lost(self) -> None:
        """Mark silent chats lost; while we were away ourselves nobody could be heard."""
        now = datetime.now(UTC)
        silence = timedelta(seconds=self.configuration.lost_after)
        if now - self._started_at < silence:
            return
        connection = await self._database.connection()
        heard = self._presence.unflushed_ids()
        async with connection.transaction():
            lost = await mark_lost(connection, silent_since=now - silence, heard=heard, now=now)
        if lost:
            self._presence.mark_lost(lost)
            self._chats_changed()

    async def _sweep_journal(self, age: timedelta = timedelta()) -> None:
        """Take up what is in the journal and on no chat, as far as it is older than `age`."""
        connection = await self._database.connection()
        before = datetime.now(UTC) - age
        after = 0
        while found := await load_unprojected(
            connection, after=after, before=before, configuration=self.configuration
        ):
            self._take_up(found)
            after = found[-1].journal_id

    async def _sweep_settled_journal(self) -> None:
        if self._projector_is_busy():
            return  # what is behind is behind in memory: reading it again would only add to it
        await self._sweep_journal(SETTLED_AFTER)
        connection = await self._database.connection()
        await forget_projected(connection)
        await advance_mark(connection, before=datetime.now(UTC) - SETTLED_AFTER)
