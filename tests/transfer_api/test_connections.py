"""Who makes room when there are as many connections as there may be, over plain sockets."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from transfer_api import connections
from transfer_api.configuration import Configuration
from transfer_api.connections import Connections
from transfer_api.gate import Gate
from transfer_api.protocol import PeerProtocol
from transfer_api.work import Work

ROOM = 3
UNKNOWN = b"POST /transfer/v1/negotiation HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{"
PATIENCE = 10.0


async def _serve(_scope: Any, _receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


class Crowd:
    """Connections as the process holds them; each caller has an address of its own."""

    def __init__(self, work: Work) -> None:
        gate = Gate(_serve, work=work, configuration=Configuration, vet=lambda _: None)
        config = uvicorn.Config(gate, http=PeerProtocol, ws="none", lifespan="off", log_config=None)
        config.load()
        self.connections = Connections(partial(PeerProtocol, config, ServerState()))
        self._writers: list[asyncio.StreamWriter] = []

    async def call(self, address: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        theirs, ours = socket.socketpair()
        self.connections.take(ours, address, None)
        reader, writer = await asyncio.open_connection(sock=theirs)
        self._writers.append(writer)
        return reader, writer

    async def ask(self, address: str, request: bytes) -> bytes:
        """Send a request; returns the first line of the answer, empty when it was hung up."""
        reader, writer = await self.call(address)
        try:
            writer.write(request)
            async with asyncio.timeout(PATIENCE):
                return (await reader.readline()).strip()
        except ConnectionError:
            return b""

    def end(self) -> None:
        self.connections.abort()
        for writer in self._writers:
            writer.close()


@asynccontextmanager
async def crowd() -> AsyncIterator[Crowd]:
    work = Work()
    made = Crowd(work)
    try:
        yield made
    finally:
        made.end()
        work.close()


def test_strangers_that_were_refused_keep_no_peer_out(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(connections, "MOST_CONNECTIONS", ROOM)

    async def run() -> None:
        async with crowd() as made:
            for number in range(ROOM):  # each goes on sending, so that we linger
                assert await made.ask(f"192.0.2.{number}", UNKNOWN) == b"HTTP/1.1 401 Unauthorized"
            assert len(made.connections) == ROOM
            known = await made.ask("198.51.100.1", b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert known == b"HTTP/1.1 204 No Content"
            assert len(made.connections) == ROOM

    asyncio.run(run())


def test_what_is_being_answered_makes_no_room(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(connections, "MOST_CONNECTIONS", ROOM)
    begun = asyncio.Event()

    async def waits(_scope: Any, _receive: Any, _send: Any) -> None:
        begun.set()
        await asyncio.Event().wait()

    monkeypatch.setitem(globals(), "_serve", waits)

    async def run() -> None:
        async with crowd() as made:
            for number in range(ROOM):
                begun.clear()
                _, writer = await made.call(f"192.0.2.{number}")
                writer.write(b"GET /transfer/ HTTP/1.1\r\nHost: x\r\n\r\n")
                async with asyncio.timeout(PATIENCE):
                    await begun.wait()
            healthz = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
            assert await made.ask("198.51.100.1", healthz) == b""

    asyncio.run(run())
