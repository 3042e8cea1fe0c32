"""Threads for database work of the consoles, beside Django's single thread-sensitive one.

A command may wait 3 s for a locked row. In the thread that all WebSocket code shares by default
this would stop every other console; here it holds one thread of several.
"""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from django.db import connection, connections

P = ParamSpec("P")
T = TypeVar("T")

THREADS = 16
# Longer than any lock or statement may take: only a hung database gets here.
LONGEST_WAIT = 15.0


class DatabaseThreads:
    """A pool of threads, each with a database connection of its own; starts when first used."""

    def __init__(self, count: int = THREADS) -> None:
        self._count = count
        self._executor: ThreadPoolExecutor | None = None

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function in a thread of the pool; raises TimeoutError after 15 s."""
        if self._executor is None:
            self._executor = ThreadPoolExecutor(self._count, thread_name_prefix="console")
        loop = asyncio.get_running_loop()
        job = loop.run_in_executor(self._executor, lambda: _call(function, *args, **kwargs))
        async with asyncio.timeout(LONGEST_WAIT):  # wait_for may swallow a cancellation (3.11)
            return await job

    def close(self) -> None:
        """End the threads and close their connections; the pool starts anew when used again."""
        executor, self._executor = self._executor, None
        if executor is None:
            return
        everyone = threading.Barrier(self._count)

        def leave() -> None:
            everyone.wait(LONGEST_WAIT)  # so that each thread runs this once
            connections.close_all()

        for job in [executor.submit(leave) for _ in range(self._count)]:
            job.result()
        executor.shutdown()


def _call(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    # PostgreSQL may have restarted since this thread's last job.
    if connection.connection is not None and not connection.is_usable():
        connection.close()
    try:
        return function(*args, **kwargs)
    finally:
        if connection.errors_occurred:
            connection.close_if_unusable_or_obsolete()


database_threads = DatabaseThreads()
