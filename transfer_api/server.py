"""The process `peerapi`: uvicorn's HTTP under our ports, our gate, Django behind it (ADR 0013)."""

import asyncio
import logging
import os
import signal
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import formatdate
from functools import partial

import uvicorn
from django.conf import settings
from django.core import signals
from django.core.cache import close_caches
from django.db import close_old_connections, reset_queries
from uvicorn.server import ServerState

from chats.cancellation import is_cancelled
from psap import processes
from transfer_api.configuration import Configuration, load_configuration
from transfer_api.connections import Connections
from transfer_api.gate import Gate
from transfer_api.handler import PeerHandler
from transfer_api.outcomes import outcomes
from transfer_api.ports import Ports
from transfer_api.problems import Problem
from transfer_api.protocol import PeerProtocol
from transfer_api.work import work

logger = logging.getLogger(__name__)

NAME = "peerapi"
FOLLOW_EVERY = 1.0
IDLE_TIMEOUT = 20  # seconds that a connection is kept for a next request
# Answers that are decided leave; who waits for a decision asks again. The end comes within 3 s.
FINISH_SECONDS = 1.0
LONGEST_END = 2.5


class PeerServer:
    """Everything of the process, put together."""

    def __init__(self, *, host: str, port: int) -> None:
        self._configuration = Configuration()
        self._gate = Gate(
            PeerHandler(),
            work=work,
            configuration=lambda: self._configuration,
            vet=lambda identity: self._ports.vet(identity),
        )
        config = uvicorn.Config(
            self._gate,
            http=PeerProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=IDLE_TIMEOUT,
        )
        config.load()
        self._state = ServerState()
        make_protocol = partial(PeerProtocol, config, self._state)
        self._connections = Connections(make_protocol)
        self._ports = Ports(self._connections, host=host, port=port)

    async def run(self) -> None:
        """Serve until SIGTERM or SIGINT; raises OSError when the Unix socket is taken."""
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        if settings.ENVIRONMENT.peer_socket is not None:
            self._ports.open_socket(settings.ENVIRONMENT.peer_socket)
        tasks = [asyncio.create_task(self._follow_for_ever()), asyncio.create_task(outcomes.run())]
        stopping = asyncio.create_task(stop.wait())
        done, _ = await asyncio.wait([stopping, *tasks], return_when=asyncio.FIRST_COMPLETED)
        _end_at_the_latest(LONGEST_END)
        try:
            for task in done - {stopping}:
                task.result()  # a dead task ends the process; the supervisor starts it anew
        finally:
            await self._finish()
            for task in tasks:
                task.cancel()

    async def _finish(self) -> None:
        """Let go of everybody; what was decided is told, what was not is asked again."""
        self._ports.close()
        self._connections.finish()
        await _until(lambda: not self._state.tasks, FINISH_SECONDS)
        self._connections.abort()
        await _until(lambda: not self._state.tasks, FINISH_SECONDS)

    async def _follow_for_ever(self) -> None:
        """Go by what the admin says, and give a sign of life; each second."""
        while not is_cancelled():
            self._state.default_headers = [(b"date", formatdate(usegmt=True).encode())]
            try:
                self._configuration = await work.look(load_configuration)
                self._ports.follow(self._configuration.policy, datetime.now(UTC))
                await work.look(_beat, self._figures())
            except Problem as problem:
                logger.warning("the configuration could not be read: %s", problem.__cause__)
            await asyncio.sleep(FOLLOW_EVERY)

    def _figures(self) -> dict[str, object]:
        answers = [[str(status or "gone"), n] for status, n in sorted(self._gate.answers.items())]
        return {
            "leitstand_peer_port_open": int(self._ports.is_open),
            "leitstand_peer_connections": len(self._connections),
            "leitstand_peer_requests_waiting": outcomes.waiting,
            "leitstand_peer_answers_total": answers,
        }


def _beat(figures: dict[str, object]) -> None:
    processes.beat(NAME, datetime.now(UTC), figures=figures)


async def _until(condition: Callable[[], bool], seconds: float) -> None:
    deadline = asyncio.get_running_loop().time() + seconds
    while not condition() and asyncio.get_running_loop().time() < deadline:  # noqa: ASYNC110
        await asyncio.sleep(0.02)


def _end_at_the_latest(seconds: float) -> None:
    """End the process even while a thread waits for the database: nothing is told, nothing lost."""
    timer = threading.Timer(seconds, os._exit, [0])
    timer.daemon = True
    timer.start()


def _spare_threads() -> None:
    """Keep Django from a thread for each request that waits: our threads mind connections."""
    signals.request_started.disconnect(reset_queries)
    signals.request_started.disconnect(close_old_connections)
    signals.request_finished.disconnect(close_old_connections)
    signals.request_finished.disconnect(close_caches)


async def serve() -> None:
    """Run the peer interface of this instance."""
    _spare_threads()
    environment = settings.ENVIRONMENT
    await PeerServer(host=environment.host, port=environment.peer_port).run()
