"""Waiting for what becomes of a transfer: one look at the database for all who wait.

Who waits holds no thread and no connection of the database. A wake-up makes the look come sooner;
without Redis there is one each second.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from django.db import Error as DatabaseFailure

from chats import wakeup
from chats.cancellation import is_cancelled
from transfer_api.problems import Problem
from transfer_api.work import Work, work

logger = logging.getLogger(__name__)

LOOK_EVERY = 1.0
SHORTEST_PAUSE = 0.03  # each look asks once for each who waits

T = TypeVar("T")
Look = Callable[[], T | None]


@dataclass(eq=False, slots=True)
class _Waiter:
    look: Look[Any]
    outcome: asyncio.Future[Any]


class Outcomes:
    """Everybody in this process who waits."""

    def __init__(self, threads: Work) -> None:
        self._threads = threads
        self._waiters: set[_Waiter] = set()
        self._wake = asyncio.Event()

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiters)

    async def wait_for(self, look: Look[T], seconds: float) -> T | None:
        """Return what `look` returns, called in a thread, once that is not None; None: too late."""
        waiter = _Waiter(look, asyncio.get_running_loop().create_future())
        self._waiters.add(waiter)
        self._wake.set()
        try:
            async with asyncio.timeout(seconds):
                found: T = await waiter.outcome
                return found
        except TimeoutError:
            return None
        finally:
            self._waiters.discard(waiter)

    async def run(self) -> None:
        """Look for all who wait, whenever somebody may have decided; until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(wakeup.listen(wakeup.TRANSFERS, self._wake.set))
            group.create_task(self._look_for_ever())

    async def _look_for_ever(self) -> None:
        while not is_cancelled():
            try:
                async with asyncio.timeout(LOOK_EVERY if self._waiters else None):
                    await self._wake.wait()
            except TimeoutError:
                pass
            self._wake.clear()
            await self._look()
            await asyncio.sleep(SHORTEST_PAUSE)

    async def _look(self) -> None:
        waiters = list(self._waiters)
        if not waiters:
            return
        try:
            found = await self._threads.look(lambda: [_ask(waiter.look) for waiter in waiters])
        except Problem as problem:
            logger.warning("no outcomes of transfers: %s", problem.detail)
            return
        for waiter, outcome in zip(waiters, found, strict=True):
            if waiter.outcome.done() or outcome is None:
                continue
            if isinstance(outcome, Exception):
                waiter.outcome.set_exception(outcome)
            else:
                waiter.outcome.set_result(outcome)


def _ask(look: Look[Any]) -> Any:
    """One that fails costs its own waiter alone, unless the database is the trouble."""
    try:
        return look()
    except DatabaseFailure:
        raise
    except Exception as error:  # noqa: BLE001 - whoever waits gets it
        return error


outcomes = Outcomes(work)
