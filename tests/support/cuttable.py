"""A TCP proxy between a browser and the web process that a test can cut, hold and heal."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress


class CuttableProxy:
    """Forwards 127.0.0.1:`port` to the target port; new connections fail while it is cut."""

    def __init__(self, target_port: int) -> None:
        self.target_port = target_port
        self.port = 0
        self._cut = False
        self._answers_flow = asyncio.Event()
        self._answers_flow.set()
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def cut(self) -> None:
        """Break every connection and refuse further ones."""
        self._cut = True
        for writer in self._writers:
            writer.transport.abort()

    def heal(self) -> None:
        """Take connections again."""
        self._cut = False

    def hold_answers(self) -> None:
        """Keep what the server says; what the browser says still arrives."""
        self._answers_flow.clear()

    def release_answers(self) -> None:
        """Hand over what was held, and go on."""
        self._answers_flow.set()

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._cut:
            writer.transport.abort()
            return
        upstream = await asyncio.open_connection("127.0.0.1", self.target_port)
        self._writers |= {writer, upstream[1]}
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._forward(reader, upstream[1], None))
                both.create_task(self._forward(upstream[0], writer, self._answers_flow))
        finally:
            self._writers -= {writer, upstream[1]}

    async def _forward(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        gate: asyncio.Event | None,
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                if gate is not None:
                    await gate.wait()
                writer.write(data)
                await writer.drain()
        writer.close()


@asynccontextmanager
async def cuttable_proxy(target_port: int) -> AsyncIterator[CuttableProxy]:
    """Run a proxy in front of a port of 127.0.0.1."""
    proxy = CuttableProxy(target_port)
    server = await asyncio.start_server(proxy.accept, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        proxy.cut()
        proxy.release_answers()
        await server.wait_closed()
