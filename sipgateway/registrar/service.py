"""The registrar process: one thread, one event loop, pjsua2 polled by it.

Without enabled accounts it reads one table a second and does not even load pjsua2.
"""

import asyncio
import importlib
import logging
import signal
from collections.abc import Callable, Coroutine
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from django.conf import settings

from psap.processes import instance_name
from psap.tls import TlsPolicy
from sipgateway.bridge import SOCKET_NAME
from sipgateway.configuration import Configuration, load_configuration
from sipgateway.database import Database
from sipgateway.protocol.message import Request
from sipgateway.registrar.accounts import Account, listener_of, load_accounts, read_accounts
from sipgateway.registrar.inbox import Inbox
from sipgateway.registrar.intake import Intake
from sipgateway.registrar.lifecycle import LEAVE_WITHIN
from sipgateway.registrar.limits import probe_limits, write_limits
from sipgateway.registrar.link import GatewayLink, Respond
from sipgateway.registrar.outbox import CANNOT_SEND, Done, Outbox
from sipgateway.registrar.roster import Roster
from sipgateway.registrar.standings import beat, leave_others_off, write_standings
from sipgateway.trunks import TLS

if TYPE_CHECKING:
    from sipgateway.registrar.engine import Engine

logger = logging.getLogger(__name__)

FOLLOW_EVERY = 1.0
POLL_EVERY = 0.02
LAST_WORDS = 0.4


class Registrar:
    """The parts of the process, put together."""

    def __init__(self) -> None:
        environment = settings.ENVIRONMENT
        self._environment = environment
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        self._changed = asyncio.Event()
        self._begins_anew = False
        self._started_at = datetime.now(UTC)
        self._rows = Database(environment.database_url, "registrar")
        self._configuration = Configuration()
        self._engine: Engine | None = None
        self._tls = TlsPolicy()
        self._roster = Roster(self._loop.time)
        self._link = GatewayLink(environment.runtime_dir / SOCKET_NAME, self._requested)
        self._inbox = Inbox(
            Database(environment.database_url, "registrar inbox"),
            configuration=lambda: self._configuration,
            journaled=self._link.tell_journaled,
        )
        self._intake = Intake(self._inbox, self._roster)
        self._outbox = Outbox(self._send)
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def run(self) -> bool:
        """Serve until SIGTERM or SIGINT, then take all bindings away; True: start me anew."""
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, self._end)
        try:
            await self._work()
        finally:
            if self._engine is not None:
                self._engine.close()
        return self._begins_anew

    def _end(self) -> None:
        self._begins_anew = False
        self._stop.set()

    async def _work(self) -> None:
        self._start("follow", self._follow)
        stopping = asyncio.create_task(self._stop.wait())
        while not stopping.done():
            tasks = self._tasks.values()
            await asyncio.wait([stopping, *tasks], return_when=asyncio.FIRST_COMPLETED)
            for name in [name for name, task in self._tasks.items() if task.done()]:
                self._tasks.pop(name).result()  # a dead one ends the process: it is started anew
        await self._leave()

    def _start(self, name: str, work: Callable[[], Coroutine[None, None, None]]) -> None:
        self._tasks[name] = asyncio.create_task(work())

    async def _follow(self) -> None:
        """Follow the admin's rows, and show in rows how accounts stand."""
        await self._rows.retry(self._take_over)
        while True:
            await self._rows.retry(self._look)
            looked_at = self._loop.time()
            while self._loop.time() < looked_at + FOLLOW_EVERY:
                self._changed.clear()
                await self._rows.retry(self._show)
                with suppress(TimeoutError):
                    async with asyncio.timeout_at(looked_at + FOLLOW_EVERY):
                        await self._changed.wait()

    async def _take_over(self) -> None:
        connection = await self._rows.connection()
        await leave_others_off(connection, (), datetime.now(UTC))

    async def _look(self) -> None:
        connection = await self._rows.connection()
        rows = await load_accounts(connection)
        if rows:
            self._configuration = await load_configuration(connection)
            self._tls = next(
                (t.tls for t in self._configuration.trunks.values() if t.transport == TLS),
                TlsPolicy(),
            )
            if self._engine is None:
                self._open_engine()
        elif not len(self._roster):
            return
        environment = self._environment
        listener = listener_of(
            self._configuration,
            host=environment.host,
            public_uri=environment.public_uri,
            port=environment.sip_port,
            sips_port=environment.sips_port,
        )
        self._roster.follow(read_accounts(rows, listener))
        if self._engine is not None and self._engine.tls_is_outdated(self._tls):
            logger.info("the certificates have changed: starting anew with them")
            self._begins_anew = True
            self._stop.set()

    def _open_engine(self) -> None:
        """Load pjsua2: only now, as most instances never need it."""
        engine = importlib.import_module("sipgateway.registrar.engine")
        self._engine = engine.Engine(lambda: self._tls)
        logger.info("pjsua2 %s is loaded", self._engine.version)
        self._start("poll", self._poll)
        self._start("inbox", self._inbox.run)
        self._start("link", self._link.run)
        self._start("limits", self._find_limits)

    async def _find_limits(self) -> None:
        found = await probe_limits()
        for code, detail in found.items():
            logger.info("pjsua2: %s: %s", code, detail)
        database = Database(self._environment.database_url, "registrar limits")

        async def write() -> None:
            await write_limits(await database.connection(), found, datetime.now(UTC))

        await database.retry(write)
        await database.close()

    async def _show(self) -> None:
        connection = await self._rows.connection()
        now = datetime.now(UTC)
        if rows := self._roster.changes():
            await write_standings(connection, rows, now)
            self._roster.written(rows)
        await beat(
            connection,
            instance=instance_name(),
            started_at=self._started_at,
            now=now,
            figures=self._intake.figures,
        )

    async def _poll(self) -> None:
        while True:
            self._turn()
            await asyncio.sleep(POLL_EVERY)

    def _turn(self) -> None:
        if self._engine is not None:
            for event in self._engine.poll():
                self._intake.take(event)
            self._roster.tick(self._engine)
            if self._roster.changes():
                self._changed.set()

    def _requested(self, peer: str, request: Request, respond: Respond) -> None:
        """Send for the gateway, by the account that this peer was heard on."""
        chosen = self._roster.sender(self._intake.account_of(peer))
        self._outbox.take(chosen[1] if chosen else None, request, respond)

    def _send(
        self,
        account: Account,
        uri: str,
        headers: list[tuple[str, str]],
        content_type: str,
        body: str,
        done: Done,
    ) -> None:
        chosen = self._roster.sender(account.id)
        if chosen is None or self._engine is None:
            done(CANNOT_SEND, "the account is not registered", b"")
            return
        self._engine.send(
            chosen[0], uri=uri, headers=headers, content_type=content_type, body=body, done=done
        )

    async def _leave(self) -> None:
        """Take the bindings away and write down what was received, all within a few seconds."""
        following = self._tasks.pop("follow")
        following.cancel()
        await asyncio.wait([following], timeout=LAST_WORDS)
        self._roster.stop()
        deadline = self._loop.time() + LEAVE_WITHIN + LAST_WORDS
        while not self._roster.is_off and self._loop.time() < deadline:  # noqa: ASYNC110 (polled)
            await asyncio.sleep(POLL_EVERY)
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_WORDS):
                await self._inbox.wait_until_empty()
        for task in self._tasks.values():
            task.cancel()
        with suppress(Exception):  # PostgreSQL may be ending, too
            async with asyncio.timeout(LAST_WORDS):
                await self._rows.close()
                await self._show()


async def serve() -> bool:
    """Run the registrar of this instance; True when it wants to be started anew."""
    return await Registrar().run()
