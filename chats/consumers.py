"""The console's end of `/ws/console/`: snapshot, events, commands, pings (docs/live.md)."""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Iterable, Sequence
from contextlib import suppress
from typing import Any

from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.db import Error as DatabaseFailure
from django.utils import timezone

from chats import selectors, wire
from chats.access import RoleMissing, SessionEnded
from chats.commands import Command, CommandError, catch_up, execute, parse_command, refusal
from chats.database_threads import database_threads
from chats.frames import Frame, batches, dump, event_frames
from chats.hub import Feed, current_hub
from chats.lanes import lane
from chats.opening import check_session, open_console
from chats.services.errors import ChatError
from chats.services.leases import renew_leases
from psap.models import User

logger = logging.getLogger(__name__)

# Close codes (docs/live.md).
FAILED, TRY_AGAIN, NOT_LOGGED_IN, NO_ROLE = 1011, 1013, 4401, 4403
NO_PONG, TOO_FAR_BEHIND = 4408, 4409

PING_EVERY = 4.0
PONG_WITHIN = 12.0
CHECK_SESSION_EVERY = 15.0
LONGEST_OPENING = 10.0
# Until the browser's first word, so that a catch-up comes before the events that follow it.
HOLD_FIRST_EVENTS = 0.5
MOST_TASKS = 50

Work = Callable[..., Coroutine[Any, Any, None]]


class ConsoleConsumer(AsyncWebsocketConsumer):
    """One browser window. Handlers return at once; whatever may wait runs in a task."""

    async def connect(self) -> None:
        self.session_key: str | None = self.scope["cookies"].get(settings.SESSION_COOKIE_NAME)
        self.takes_batches = b"batch=1" in self.scope["query_string"].split(b"&")
        self.user: User | None = None
        self.feed: Feed | None = None
        self.tasks: set[asyncio.Task[None]] = set()
        self.sent: dict[int, int] = {}  # chat → last event that this browser was told of
        self.sending = asyncio.Lock()
        self.first_word = asyncio.Event()
        self.pong_at = time.monotonic()
        self.renewal: asyncio.Task[None] | None = None
        await self.accept()
        self._start(self._serve)

    async def disconnect(self, code: int) -> None:
        for task in self.tasks:
            task.cancel()
        if self.feed is not None:
            current_hub().leave(self.feed)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        try:
            command = parse_command(text_data)
            if len(self.tasks) > MOST_TASKS:
                raise CommandError("too-many", "Too many commands at once.", command.id)
        except CommandError as error:
            return await self.send(dump(refusal(error, error.re)))
        if command.do == "pong":
            self._pong()
        else:
            self._start(self._answer, command)
        self.first_word.set()

    async def _serve(self) -> None:
        """Open the console: first the feed, then the snapshot, so that nothing falls between."""
        hub = current_hub()
        self.feed = hub.feed()
        async with asyncio.timeout(LONGEST_OPENING):
            await hub.following()
            opening = await database_threads.run(open_console, self.session_key)
        self.user, self.sent = opening.user, opening.reached
        await self.send(dump(opening.frame))
        self._start(self._ping)
        self._start(self._guard)
        with suppress(TimeoutError):
            async with asyncio.timeout(HOLD_FIRST_EVENTS):
                await self.first_word.wait()
        while not self.feed.overflowed:
            frames = await self.feed.take()
            async with self.sending:
                await self._pass_on(frames)
        await self.close(TOO_FAR_BEHIND)

    async def _pass_on(self, frames: Iterable[Frame | str]) -> None:
        """Send what this browser was not told of yet, in one frame if it takes that."""
        texts = []
        for frame in frames:
            if isinstance(frame, str):
                texts.append(frame)
            elif frame.seq > self.sent.get(frame.chat_id, 0):
                self.sent[frame.chat_id] = frame.seq
                texts.append(frame.text)
        await self._send_all(texts)

    async def _send_all(self, texts: Sequence[str]) -> None:
        for text in batches(texts) if self.takes_batches else texts:
            await self.send(text)

    async def _answer(self, command: Command) -> None:
        try:
            if command.do == "catch-up":
                reply = await self._catch_up(command)
            elif command.names_chat:
                async with lane(command.chat_id):
                    reply = await database_threads.run(execute, self.session_key, command)
            else:
                reply = await database_threads.run(execute, self.session_key, command)
        except (CommandError, ChatError, DatabaseFailure, TimeoutError) as error:
            reply = refusal(error, command.id)
        await self.send(dump(reply))

    async def _catch_up(self, command: Command) -> wire.Json:
        """Replay what was missed; live events wait meanwhile, so that the order holds."""
        async with self.sending:
            batch = await database_threads.run(catch_up, self.session_key, command)
            frames = event_frames(batch)
            for frame in frames:
                self.sent[frame.chat_id] = max(frame.seq, self.sent.get(frame.chat_id, 0))
            await self._send_all([frame.text for frame in frames])
        more = len(batch.events) >= selectors.LONGEST_REPLAY
        return {"re": command.id, "ok": True, "more": more}

    def _pong(self) -> None:
        self.pong_at = time.monotonic()
        if self.user is not None and (self.renewal is None or self.renewal.done()):
            self.renewal = self._start(self._renew, self.user)

    async def _ping(self) -> None:
        while time.monotonic() - self.pong_at < PONG_WITHIN:
            read_at = wire.time(current_hub().read_at)
            await self.send(
                dump({"ev": "ping", "at": wire.time(timezone.now()), "readAt": read_at})
            )
            await asyncio.sleep(PING_EVERY)
        await self.close(NO_PONG)

    async def _renew(self, user: User) -> None:
        try:
            await database_threads.run(renew_leases, call_taker=user, now=timezone.now())
        except (ChatError, DatabaseFailure, TimeoutError) as error:
            logger.warning("the leases of %s were not renewed: %s", user, error)

    async def _guard(self) -> None:
        while True:
            await asyncio.sleep(CHECK_SESSION_EVERY)
            with suppress(DatabaseFailure, TimeoutError):
                await database_threads.run(check_session, self.session_key)

    def _start(self, work: Work, *args: Any) -> asyncio.Task[None]:
        task = asyncio.create_task(self._or_close(work, *args))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task

    async def _or_close(self, work: Work, *args: Any) -> None:
        """Run a task of this console; what it cannot go on without closes the socket."""
        try:
            await work(*args)
        except SessionEnded:
            await self.close(NOT_LOGGED_IN)
        except RoleMissing:
            await self.close(NO_ROLE)
        except (DatabaseFailure, TimeoutError):
            await self.close(TRY_AGAIN)
        except Exception:
            logger.exception("a console ends after an error")
            await self.close(FAILED)
