"""Work in threads: who asks is found out apart from what takes long; of that each peer has a share.

A peer whose requests take long (a chat with all its history is written, a row is locked) fills its
own share of the threads and no other's.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from django.db import Error as DatabaseFailure

from chats.database_threads import DatabaseThreads
from chats.services.errors import ChatBusy
from transfer_api.problems import OutcomeOpen, not_now

P = ParamSpec("P")
T = TypeVar("T")

QUICK_THREADS = 4
SLOW_THREADS = 12
SHARE_OF_A_PEER = 4
NOTHING_KNOWN = "Nothing can be read or written at the moment; ask again."
OPEN = "The database does not answer; the outcome is open, ask again."
BUSY = "The chat is being changed by something else; ask again."


class Work:
    """The process's threads with their database connections."""

    def __init__(self) -> None:
        self._quick = DatabaseThreads(QUICK_THREADS)
        self._slow = DatabaseThreads(SLOW_THREADS)
        self._shares: dict[int, asyncio.Semaphore] = defaultdict(
            lambda: asyncio.Semaphore(SHARE_OF_A_PEER)
        )

    async def look(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Read a little; raises Problem 503 when the database does not answer."""
        try:
            return await self._quick.run(function, *args, **kwargs)
        except (DatabaseFailure, TimeoutError) as error:
            raise not_now(NOTHING_KNOWN) from error

    async def do(
        self, peer_id: int, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Do something for a peer; raises OutcomeOpen where rows are held or the database is gone.

        Whoever holds them may be doing the same: of two executions alike one commits.
        """
        async with self._shares[peer_id]:
            try:
                return await self._slow.run(function, *args, **kwargs)
            except ChatBusy as error:
                raise OutcomeOpen(BUSY) from error
            except (DatabaseFailure, TimeoutError) as error:
                raise OutcomeOpen(OPEN) from error

    def close(self) -> None:
        """End the threads and close their connections."""
        self._quick.close()
        self._slow.close()


work = Work()
