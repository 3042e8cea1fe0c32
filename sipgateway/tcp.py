"""TCP: connections in, connections out, one handling for both."""

import asyncio
import logging
import socket
import weakref
from typing import Protocol, cast

from sipgateway.flows import Flow, Flows, format_address
from sipgateway.protocol.errors import RemoteProtocolError
from sipgateway.protocol.framing import Frame, KeepAlivePing, NeedData, Oversized, StreamFramer
from sipgateway.refusals import RefusalLog

logger = logging.getLogger(__name__)

# Clause 6.1.1 asks for at least three minutes.
IDLE_TIMEOUT = 600.0
CONNECT_TIMEOUT = 5.0
# How long answers may still leave after the peer has said its last.
TIME_FOR_LAST_ANSWERS = 3.0
# What a peer that does not read may pile up before its connection is given up.
LARGEST_BACKLOG = 1024 * 1024
# What all connections together may hold of messages that are not complete, and what each may
# hold all the same: a header block.
LARGEST_BUFFERS = 256 * 1024 * 1024
LARGEST_SHARE = 128 * 1024
# Connections that the kernel holds until we take them.
BACKLOG = 1024


class StreamIntake(Protocol):
    """What a connection tells of its stream, and where it counts whom it does not let in."""

    refusals: RefusalLog

    def receive(self, data: bytes, flow: Flow) -> bool: ...
    def refuse_oversized(self, header: bytes, flow: Flow) -> None: ...
    def refuse(self, error: RemoteProtocolError, flow: Flow) -> None: ...


class Buffers:
    """Counts the bytes of incomplete messages over all connections."""

    def __init__(self) -> None:
        self.total = 0

    def change(self, before: int, now: int) -> bool:
        """Note what one connection holds; False when it must let go, since there is no room."""
        self.total += now - before
        return now <= LARGEST_SHARE or self.total <= LARGEST_BUFFERS


class TcpConnection(asyncio.Protocol):
    """One connection: frames in, answers out, gone after ten idle minutes."""

    transport = "tcp"
    reliable = True
    peer_name = ""
    trusted = None

    def __init__(
        self, flows: Flows, intake: StreamIntake, buffers: Buffers, owner: "TcpListener"
    ) -> None:
        self.peer = ""
        self._owner = owner
        self._flows = flows
        self._intake = intake
        self._buffers = buffers
        self._held = 0
        self._framer = StreamFramer()
        self._stream: asyncio.Transport | None = None
        self._loop = asyncio.get_running_loop()
        self._last_data = self._loop.time()
        self._idle: asyncio.TimerHandle | None = None

    @property
    def trunk(self) -> str:
        """Name of the trunk that it was opened at, or by."""
        return self._owner.trunk

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._stream = cast(asyncio.Transport, transport)
        address = self._stream.get_extra_info("peername")
        if address is None:  # reset before it was accepted, as port scans do
            return self._stream.abort()
        self.peer = format_address(*address[:2])
        self._begin()

    def _begin(self) -> None:
        """Take the connection into use."""
        self._flows.opened(self)
        self._idle = self._loop.call_later(IDLE_TIMEOUT, self._close_when_idle)

    def connection_lost(self, exc: Exception | None) -> None:
        self._flows.closed(self)
        self._hold(0)
        self._stream = None
        if self._idle:
            self._idle.cancel()

    def data_received(self, data: bytes) -> None:
        """Take what the peer says."""
        self._last_data = self._loop.time()
        self._framer.receive_data(data)
        pinged = False
        try:
            while not isinstance(event := self._framer.next_event(), NeedData):
                if isinstance(event, Frame):
                    self._intake.receive(event.data, self)
                elif isinstance(event, KeepAlivePing):
                    pinged = True
                elif isinstance(event, Oversized):
                    self._intake.refuse_oversized(event.data, self)
        except RemoteProtocolError as error:
            self._intake.refuse(error, self)
            self.close()
        if pinged:  # RFC 5626 3.5.1; a segment full of pings gets one answer
            self.send(b"\r\n")
        if not self._hold(self._framer.buffered):
            logger.warning("%s is cut off: too much waits for its end", self.peer)
            self.abort()
            self._hold(0)

    def _hold(self, size: int) -> bool:
        before, self._held = self._held, size
        return self._buffers.change(before, size)

    def eof_received(self) -> bool:
        """Keep our half for the last answers: the peer may still read, though not answer us."""
        self._flows.closed(self)
        if self._idle:
            self._idle.cancel()
        self._idle = self._loop.call_later(TIME_FOR_LAST_ANSWERS, self.close)
        return True

    def send(self, data: bytes) -> bool:
        """Write to the connection; False when it is gone or its peer has stopped reading."""
        if self._stream is None or self._stream.is_closing():
            return False
        if self._stream.get_write_buffer_size() > LARGEST_BACKLOG:
            logger.warning("%s does not read what it is sent: closing", self.peer)
            self._stream.abort()
            return False
        self._write(self._stream, data)
        return True

    def _write(self, stream: asyncio.Transport, data: bytes) -> None:
        stream.write(data)

    def pause(self) -> None:
        """Stop reading: what cannot be taken now waits with the sender."""
        if self._stream is not None and self._stream.is_reading():
            self._stream.pause_reading()

    def resume(self) -> None:
        """Read on."""
        if self._stream is not None and not self._stream.is_closing():
            self._stream.resume_reading()

    def abort(self) -> None:
        """Close at once and forget what was read."""
        if self._stream is not None:
            self._stream.abort()

    def close(self) -> None:
        """Close after what is written has left."""
        if self._stream is not None:
            self._stream.close()

    def _close_when_idle(self) -> None:
        rest = self._last_data + IDLE_TIMEOUT - self._loop.time()
        if rest <= 0:
            self.close()
        else:
            self._idle = self._loop.call_later(rest, self._close_when_idle)


class TcpListener:
    """Accepts connections of a trunk, and opens those that nobody opened to us."""

    transport = "tcp"

    def __init__(self, flows: Flows, intake: StreamIntake, buffers: Buffers) -> None:
        self.trunk = ""
        self._flows = flows
        self._intake = intake
        self._buffers = buffers
        self._server: asyncio.Server | None = None
        self._connecting: dict[tuple[str, str], asyncio.Task[Flow]] = {}
        self._made: weakref.WeakSet[TcpConnection] = weakref.WeakSet()

    async def listen(self, host: str, port: int) -> None:
        """Bind and accept; raises OSError when the port is taken. `::` takes IPv4 as well."""
        loop = asyncio.get_running_loop()
        bound = _bound_socket(host, port)
        try:
            self._server = await loop.create_server(self._connection, sock=bound, backlog=BACKLOG)
        except BaseException:
            bound.close()
            raise

    async def connect(self, host: str, port: int, *, name: str = "") -> Flow:
        """Return the connection to a peer, opening one at most once; raises OSError.

        `name` is the host as the URI has it, which a TLS peer must prove to be.
        """
        peer, name = format_address(host, port), name or host
        if (flow := self._flows.find(self.transport, peer)) and self._serves(flow, name):
            return flow
        key = (peer, name)
        if key not in self._connecting:
            task = asyncio.create_task(self._open(host, port, name))
            self._connecting[key] = task
            task.add_done_callback(lambda _: self._connecting.pop(key, None))
        return await asyncio.shield(self._connecting[key])

    @property
    def is_listening(self) -> bool:
        """Whether its socket is bound."""
        return self._server is not None

    def close(self) -> None:
        """Stop accepting; connections that are open stay."""
        if self._server is not None:
            self._server.close()
            self._server = None

    def abort_connections(self) -> None:
        """Cut off every connection that it has accepted or opened."""
        for connection in list(self._made):
            connection.abort()

    def _connection(self) -> TcpConnection:
        connection = TcpConnection(self._flows, self._intake, self._buffers, self)
        self._made.add(connection)
        return connection

    def _serves(self, flow: Flow, name: str) -> bool:
        """Whether a connection that is open may be used for this name."""
        return True

    async def _open(self, host: str, port: int, name: str) -> Flow:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(CONNECT_TIMEOUT):
            _, connection = await loop.create_connection(self._connection, host, port)
        return connection


def _bound_socket(host: str, port: int) -> socket.socket:
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if bound.family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, host != "::")
        bound.bind((host, port))
    except OSError:
        bound.close()
        raise
    return bound
