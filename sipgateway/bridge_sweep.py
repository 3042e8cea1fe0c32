"""Takes up what the registrar has journaled, as soon as it says so."""

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime

from chats.services.incoming import IncomingMessage
from sipgateway.bridged import PJSUA2
from sipgateway.configuration import Configuration
from sipgateway.database import Database
from sipgateway.unprojected import load_unprojected

logger = logging.getLogger(__name__)


class BridgeSweep:
    """One task: rows of the journal that this process has not written itself."""

    def __init__(
        self,
        database: Database,
        *,
        configuration: Callable[[], Configuration],
        take_up: Callable[[list[IncomingMessage]], None],
    ) -> None:
        self._database = database
        self._configuration = configuration
        self._take_up = take_up
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """Look now."""
        self._wake.set()

    async def run(self) -> None:
        """Take up for ever; what is missed here the sweep of the whole journal finds."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                await self._database.retry(self._sweep)
            except Exception:  # the other sweep comes by in a few seconds
                logger.exception("what the registrar has journaled was not taken up")

    async def _sweep(self) -> None:
        connection = await self._database.connection()
        after = 0
        while found := await load_unprojected(
            connection,
            after=after,
            before=datetime.now(UTC),
            configuration=self._configuration(),
            transport=PJSUA2,
        ):
            self._take_up(found)
            after = found[-1].journal_id
