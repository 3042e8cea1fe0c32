"""The gateway's end of the bridge to the registrar process, which has connections of its own.

Where a NAT forces an account to receive in pjsua2, answers must leave on pjsua2's own connection.
The registrar connects to a Unix socket that its owner alone can open. Requests of ours go over it
and their responses come back, each as `<bytes> <peer>` CRLF and the SIP message. A line with 0
bytes says that something was journaled. What is under way when the bridge is lost is sent again.
"""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from sipgateway.bridged import PJSUA2
from sipgateway.flows import Flow, Receive

logger = logging.getLogger(__name__)

SOCKET_NAME = "registrar.sock"
LARGEST_PARCEL = 1024 * 1024
LONGEST_LINE = 200
# What the registrar may leave unread before the bridge counts as gone.
LARGEST_BACKLOG = 4 * 1024 * 1024
ENDS = (asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError, ValueError)


def write_parcel(writer: asyncio.StreamWriter, peer: str, data: bytes = b"") -> None:
    """Put one parcel on its way over the bridge."""
    writer.write(b"%d %s\r\n%s" % (len(data), peer.encode(), data))


async def read_parcel(reader: asyncio.StreamReader) -> tuple[str, bytes]:
    """Read one parcel, peer and message; raises one of ENDS when there are no more."""
    line = await reader.readuntil(b"\r\n")
    size, _, peer = line.decode("ascii").strip().partition(" ")
    if not 0 <= int(size) <= LARGEST_PARCEL:
        raise ValueError(f"a parcel of {size} bytes")
    return peer, await reader.readexactly(int(size))


class BridgedFlow:
    """The way to a peer on a connection that pjsua2 holds."""

    transport = PJSUA2
    reliable = True  # pjsua2 repeats what has to be repeated, and always tells how it ended
    peer_name = ""
    trusted = None
    trunk = ""

    def __init__(self, writer: asyncio.StreamWriter, peer: str) -> None:
        self._writer = writer
        self.peer = peer

    def send(self, data: bytes) -> bool:
        """Give a request to the registrar, or say that the bridge is down."""
        transport = self._writer.transport
        if transport.is_closing() or transport.get_write_buffer_size() > LARGEST_BACKLOG:
            return False
        write_parcel(self._writer, self.peer, data)
        return True

    def pause(self) -> None:
        """Do nothing: what comes this way comes by the journal."""

    def resume(self) -> None:
        """Do nothing."""


class Bridge:
    """Waits for the registrar, one at a time, and makes flows over it."""

    def __init__(
        self,
        path: Path,
        *,
        receive: Receive,
        journaled: Callable[[], object],
        lost: Callable[[Flow], None],
    ) -> None:
        self._path = path
        self._receive = receive
        self._journaled = journaled
        self._lost = lost
        self._flows: dict[str, BridgedFlow] = {}
        self._writer: asyncio.StreamWriter | None = None
        self._server: asyncio.Server | None = None

    async def listen(self) -> None:
        """Offer the bridge; a gateway that cannot do that works without it."""
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._path.unlink(missing_ok=True)
            self._server = await asyncio.start_unix_server(
                self._serve, self._path, limit=LONGEST_LINE
            )
            self._path.chmod(0o600)
        except OSError as error:
            logger.error("accounts that receive in pjsua2 get no answers: %s", error)

    async def close(self) -> None:
        """Take the bridge away."""
        if self._server is not None:
            self._server.close()
        if self._writer is not None:
            self._writer.close()

    def flow(self, peer: str) -> BridgedFlow | None:
        """Return the flow to a peer, None while no registrar is there."""
        if self._writer is None:
            return None
        flow = self._flows.get(peer)
        if flow is None:
            flow = self._flows[peer] = BridgedFlow(self._writer, peer)
        return flow

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._writer is not None:  # of a registrar that died, or that somebody else restarted
            self._writer.close()
            self._forget_flows()
        self._writer = writer
        try:
            while True:
                peer, data = await read_parcel(reader)
                if data:
                    self._receive(data, BridgedFlow(writer, peer))
                else:
                    self._journaled()
        except ENDS:
            pass
        finally:
            writer.close()
            if self._writer is writer:
                self._writer = None
                self._forget_flows()

    def _forget_flows(self) -> None:
        flows, self._flows = self._flows, {}
        for flow in flows.values():
            self._lost(flow)
