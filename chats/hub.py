"""The hub: reads new events once for a web process and hands them to all its consoles.

It polls PostgreSQL each second and looks sooner when woken over Redis. Consoles join no groups
and never await Redis: a dead or hung one costs them the second, nothing else.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Iterable
from weakref import WeakKeyDictionary

import psycopg
from django.db import Error as DatabaseFailure
from django.utils import timezone

from chats import wakeup, wire
from chats.cancellation import is_cancelled
from chats.database_threads import database_threads
from chats.event_reader import Connection, EventReader, TooFarBehind
from chats.frames import Frame, dump, event_frames
from chats.rows import OPEN_OFFERS, TransferRow
from psap.alarms import ALARM, Alarm, current_alarms

logger = logging.getLogger(__name__)

POLL = 1.0
# Wake-ups closer together than this are answered by one read, and that goes out together: each
# frame wakes every console, and a read costs the same for one event and for ten.
SHORTEST_PAUSE = 0.04
SIGNS_EVERY = 2.0
RECONNECT_AFTER = 1.0
LOOK_FOR_ALARMS_EVERY = 2.0
LONGEST_FEED = 5000
OUT_OF_REACH = Alarm("database-out-of-reach", ALARM, "The database does not answer.")


class Feed:
    """The frames that wait for one console; a console that falls too far behind is cut off."""

    def __init__(self) -> None:
        self.overflowed = False
        self._frames: deque[Frame | str] = deque()
        self._filled = asyncio.Event()

    def offer(self, frames: Iterable[Frame | str]) -> None:
        """Append frames; beyond the bound the feed ends instead."""
        if len(self._frames) > LONGEST_FEED:
            self.end()
        elif not self.overflowed:
            self._frames.extend(frames)
            self._filled.set()

    def end(self) -> None:
        """End the feed: its console starts over from a snapshot."""
        self.overflowed = True
        self._frames.clear()
        self._filled.set()

    async def take(self) -> list[Frame | str]:
        """Wait for frames and take all of them."""
        await self._filled.wait()
        self._filled.clear()
        taken = list(self._frames)
        self._frames.clear()
        return taken


class Hub:
    """One reader of the event table and the feeds of all consoles of this process."""

    def __init__(self) -> None:
        self.read_at = timezone.now()
        self._feeds: set[Feed] = set()
        self.tasks: list[asyncio.Task[None]] = []
        self._reader = EventReader()
        self._connected = asyncio.Event()
        self._woken = asyncio.Event()
        self._alarms: list[wire.Json] = []
        self._offers: list[TransferRow] = []

    @property
    def consoles(self) -> int:
        """How many consoles are connected."""
        return len(self._feeds)

    def feed(self) -> Feed:
        """Return a feed of everything from now on; starts the hub with the first one."""
        feed = Feed()
        self._feeds.add(feed)
        if not self.tasks:
            self._reader = EventReader()
            self._connected.clear()
            self.tasks = [
                asyncio.create_task(self._follow_for_ever()),
                asyncio.create_task(wakeup.listen(wakeup.EVENTS, self._woken.set)),
                asyncio.create_task(self._watch_alarms()),
            ]
        return feed

    async def following(self) -> None:
        """Wait until feeds miss nothing: a snapshot read after this is complete with them."""
        await self._connected.wait()

    def leave(self, feed: Feed) -> None:
        """Drop a feed; the hub stops with the last one."""
        self._feeds.discard(feed)
        if not self._feeds:
            for task in self.tasks:
                task.cancel()
            self.tasks = []

    async def _follow_for_ever(self) -> None:
        while not is_cancelled():
            try:
                async with await self._reader.connect() as connection:
                    self._connected.set()
                    await self._follow(connection)
            except (psycopg.Error, OSError) as error:
                logger.warning("the event table is out of reach: %s", error)
            except Exception as error:
                if not isinstance(error, TooFarBehind):
                    logger.exception("following the event table failed")
                for feed in self._feeds:  # they may miss what was read last
                    feed.end()
            await asyncio.sleep(RECONNECT_AFTER)

    async def _watch_alarms(self) -> None:
        """Tell consoles what needs attention, as often as that changes."""
        while not is_cancelled():
            try:
                found = wire.alarms(await database_threads.run(current_alarms, timezone.now()))
            except (DatabaseFailure, TimeoutError):
                found = wire.alarms([OUT_OF_REACH])
            if found != self._alarms:
                self._alarms = found
                self._hand_out([dump({"ev": "alarms", "alarms": found})])
            await asyncio.sleep(LOOK_FOR_ALARMS_EVERY)

    async def _follow(self, connection: Connection) -> None:
        signs_due = time.monotonic()
        while not is_cancelled():
            started = time.monotonic()
            self._woken.clear()
            batch = await self._reader.read(connection)
            self.read_at = timezone.now()
            if batch is not None:
                self._hand_out(event_frames(batch))
            await self._tell_offers(connection)
            if started >= signs_due:
                signs_due = started + SIGNS_EVERY
                signs = await self._reader.signs(connection)
                if signs:
                    self._hand_out([dump(wire.signs(self.read_at, signs))])
            await self._pause(started)

    async def _tell_offers(self, connection: Connection) -> None:
        """Tell consoles what peers offer, after the events: a chat comes before what names it."""
        found = await self._reader.offers(connection, [row.id for row in self._offers])
        if found == self._offers:
            return
        self._offers = [row for row in found if row.state in OPEN_OFFERS]
        self._hand_out([dump(wire.offers(found))])

    async def _pause(self, started: float) -> None:
        try:
            async with asyncio.timeout(POLL):
                await self._woken.wait()
        except TimeoutError:
            return
        await asyncio.sleep(max(0.0, started + SHORTEST_PAUSE - time.monotonic()))

    def _hand_out(self, frames: Iterable[Frame | str]) -> None:
        frames = list(frames)
        for feed in self._feeds:
            feed.offer(frames)


_hubs: "WeakKeyDictionary[asyncio.AbstractEventLoop, Hub]" = WeakKeyDictionary()


def current_hub() -> Hub:
    """Return the hub of the running event loop: one a process, outside tests."""
    return _hubs.setdefault(asyncio.get_running_loop(), Hub())
