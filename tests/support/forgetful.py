"""A way to PostgreSQL that loses an answer: what was asked for is done, and nobody is told.

async with forgetful_proxy(record.database_url) as proxy:
    gateway.start(DATABASE_URL=proxy.url)
    proxy.forget("leitstand journal")        # the answer to its next COMMIT
    …
    assert proxy.forgotten == 1
"""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from psycopg.conninfo import conninfo_to_dict

_NAMED = re.compile(rb"application_name\0([^\0]*)\0")
DJANGO = ""


class ForgetfulProxy:
    """Forwards to PostgreSQL; knows connections by their application_name, Django's has none."""

    def __init__(self, database_url: str) -> None:
        given = conninfo_to_dict(database_url)
        self._host, self._port = str(given.get("host", "")), int(given.get("port") or 5432)
        self._user, self._database = given.get("user", ""), given["dbname"]
        self.listening_on = 0
        self.forgotten = 0
        self._wanted: tuple[str, bytes] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"postgresql://{self._user}@127.0.0.1:{self.listening_on}/{self._database}"

    def forget(self, name: str, asked: bytes = b"COMMIT") -> None:
        """Lose the answer to the next thing that a connection asks for with these bytes in it."""
        self._wanted = name, asked

    async def close(self) -> None:
        """Cut all connections and wait until they are gone."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._serve(reader, writer)
        except asyncio.CancelledError:  # by `close`
            pass
        finally:
            self._tasks.discard(task)
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._host.startswith("/"):
            path = f"{self._host}/.s.PGSQL.{self._port}"
            answers, server = await asyncio.open_unix_connection(path)
        else:
            answers, server = await asyncio.open_connection(self._host, self._port)
        loses = asyncio.Event()
        answering = asyncio.create_task(self._answer(answers, writer, loses))
        name = DJANGO
        try:
            while data := await reader.read(65536):
                if found := _NAMED.search(data):
                    name = found[1].decode()
                if self._wanted is not None and self._wanted[0] == name and self._wanted[1] in data:
                    self._wanted = None
                    loses.set()
                server.write(data)
                await server.drain()
        except OSError:
            pass
        finally:
            answering.cancel()
            server.transport.abort()

    async def _answer(
        self, answers: asyncio.StreamReader, writer: asyncio.StreamWriter, loses: asyncio.Event
    ) -> None:
        with suppress(OSError):
            while data := await answers.read(65536):
                if loses.is_set() and data[-6:-1] == b"Z\0\0\0\5":  # all of it is done
                    self.forgotten += 1
                    writer.transport.abort()
                    return
                if not loses.is_set():
                    writer.write(data)
                    await writer.drain()
        writer.close()


@asynccontextmanager
async def forgetful_proxy(database_url: str) -> AsyncIterator[ForgetfulProxy]:
    """Run a proxy in front of a database."""
    proxy = ForgetfulProxy(database_url)
    server = await asyncio.start_server(proxy.accept, "127.0.0.1", 0)
    proxy.listening_on = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        await proxy.close()
