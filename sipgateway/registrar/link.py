"""The registrar's end of the bridge: requests of the gateway's come, their answers go back.

The bridge is opened again for as long as it takes; without it messages are journaled all the same.
"""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from sipgateway.bridge import ENDS, LONGEST_LINE, read_parcel, write_parcel
from sipgateway.protocol.errors import RemoteProtocolError
from sipgateway.protocol.message import Request, parse_message

logger = logging.getLogger(__name__)

AGAIN_AFTER = 0.25

Respond = Callable[[bytes], None]
Requested = Callable[[str, Request, Respond], None]


class GatewayLink:
    """One connection to the gateway, for ever opened again."""

    def __init__(self, path: Path, requested: Requested) -> None:
        self._path = path
        self._requested = requested
        self._writer: asyncio.StreamWriter | None = None

    def tell_journaled(self) -> None:
        """Have the gateway look into the journal; it does so by itself when it starts."""
        if self._writer is not None:
            write_parcel(self._writer, "-")

    async def run(self) -> None:
        """Keep the bridge open, as long as the task is not cancelled."""
        while True:
            try:
                reader, writer = await asyncio.open_unix_connection(self._path, limit=LONGEST_LINE)
            except OSError:  # the gateway is not there yet, or no more
                await asyncio.sleep(AGAIN_AFTER)
                continue
            self._writer = writer
            self.tell_journaled()  # what came while there was no bridge
            try:
                while True:
                    peer, data = await read_parcel(reader)
                    self._take(peer, data, writer)
            except ENDS:
                await asyncio.sleep(AGAIN_AFTER)
            finally:
                self._writer = None
                writer.close()

    def _take(self, peer: str, data: bytes, writer: asyncio.StreamWriter) -> None:
        try:
            message = parse_message(data)
        except RemoteProtocolError as error:
            logger.error("the gateway's request is not understood: %s", error)
            return
        if isinstance(message, Request):
            self._requested(peer, message, lambda answer: _answer(writer, peer, answer))


def _answer(writer: asyncio.StreamWriter, peer: str, answer: bytes) -> None:
    if not writer.transport.is_closing():
        write_parcel(writer, peer, answer)
