"""Work on the record by Django's ORM, in a thread of its own: rare, and nothing may wait for it."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from django.db import InterfaceError, OperationalError, connection

# PostgreSQL is gone, or the connection was found closed.
UNREACHABLE = (OperationalError, InterfaceError)

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


class RecordThread:
    """One thread with a connection of its own, which is given up when PostgreSQL is gone."""

    def __init__(self, name: str) -> None:
        self._thread = ThreadPoolExecutor(1, name)

    async def run(
        self,
        work: Callable[Parameters, Result],
        *arguments: Parameters.args,
        **named: Parameters.kwargs,
    ) -> Result:
        """Run it and return what it returns; raises what it raises, UNREACHABLE among it."""

        def task() -> Result:
            try:
                return work(*arguments, **named)
            except UNREACHABLE:
                connection.close()
                raise

        return await asyncio.get_running_loop().run_in_executor(self._thread, task)
