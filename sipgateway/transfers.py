"""Transfers under way: whatever may decide one is looked at, at once and each second.

An app that was told to wait (stop|transfer/266) waits until the other PSAP's 265: each
millisecond here is one of its caller's.
"""

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime

from chats.services.transfers.settle import settle_due_transfers
from sipgateway.record_thread import UNREACHABLE, RecordThread

logger = logging.getLogger(__name__)

# Seconds from a wake-up on: what somebody held at first is free soon after.
PAUSES = (0.02, 0.05, 0.1, 0.3, 1.0)


class Transfers:
    """One task, in a thread of its own: what goes wrong there keeps no other deadline waiting."""

    def __init__(
        self, *, listening_since: Callable[[], datetime], changed: Callable[[], None]
    ) -> None:
        self._listening_since = listening_since
        self._changed = changed
        self._thread = RecordThread("transfers")
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """Look now: an app has answered a 266 or 265 of ours, has written, or somebody asked."""
        self._wake.set()

    async def run(self) -> None:
        """Settle what is due for ever."""
        looked = 0  # times since the last wake-up
        while True:
            if self._wake.is_set():
                self._wake.clear()
                looked = 0
            await self._settle()
            try:
                async with asyncio.timeout(PAUSES[min(looked, len(PAUSES) - 1)]):
                    await self._wake.wait()
            except TimeoutError:
                looked += 1

    async def _settle(self) -> None:
        try:
            settled = await self._thread.run(
                settle_due_transfers,
                now=datetime.now(UTC),
                listening_since=self._listening_since(),
            )
        except UNREACHABLE as error:
            logger.warning("transfers were not settled: %s", error)
        except Exception:  # a fault of ours: in a second again, and the other deadlines go on
            logger.exception("transfers were not settled")
        else:
            if settled:
                self._changed()
