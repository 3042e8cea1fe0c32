"""A connection to PostgreSQL that is opened again, for as long as it takes, when it is lost."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import psycopg

from chats.cancellation import is_cancelled

logger = logging.getLogger(__name__)

RETRY_AFTER = 0.25
CONNECT_TIMEOUT = 5
# Every statement of the gateway finds a few rows by index. The planner, which knows nothing of
# the arrays' length, would rather read whole tables: measured at two thirds of the server's CPU.
OPTIONS = "-c enable_seqscan=off -c jit=off"
# SQLSTATE classes that say the server or the way to it failed, not that it refused what it was
# given: connection, rollback by deadlock, resources, operator intervention, system.
PASSING = frozenset({"08", "40", "53", "57", "58"})

Connection = psycopg.AsyncConnection[tuple[Any, ...]]
Result = TypeVar("Result")


def _is_passing(error: psycopg.Error) -> bool:
    """Whether another attempt may succeed; what the driver itself refuses to send never will."""
    if error.sqlstate:
        return error.sqlstate[:2] in PASSING
    return not isinstance(error, psycopg.DataError | psycopg.ProgrammingError)


class Database:
    """One connection, owned by one task."""

    def __init__(self, url: str, name: str) -> None:
        self._url = url
        self._name = name
        self._connection: Connection | None = None

    async def connection(self) -> Connection:
        """Return the open connection, opening it where needed; raises psycopg.OperationalError."""
        if self._connection is None or self._connection.closed:
            self._connection = await psycopg.AsyncConnection.connect(
                self._url,
                autocommit=True,
                application_name=f"leitstand {self._name}",
                connect_timeout=CONNECT_TIMEOUT,
                options=OPTIONS,
            )
        return self._connection

    async def retry(self, work: Callable[[], Awaitable[Result]]) -> Result:
        """Run work that may be repeated until PostgreSQL is there; other errors are raised."""
        while True:
            try:
                result = await work()
            except psycopg.Error as error:
                if is_cancelled():  # a driver may report it as an error of its connection
                    raise asyncio.CancelledError from error
                if not _is_passing(error):
                    raise
                logger.warning("%s: PostgreSQL does not answer: %s", self._name, error)
                await self.close()
                await asyncio.sleep(RETRY_AFTER)
            else:
                if is_cancelled():  # Python 3.11 may lose one that comes together with the result
                    raise asyncio.CancelledError
                return result

    async def close(self) -> None:
        """Close the connection; the next use opens another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()
