"""The UDP side of the listener: datagrams in and out of one socket."""

import asyncio
import logging
import socket
import time
from collections import deque

from sipgateway.flows import Receive, format_address, split_address

logger = logging.getLogger(__name__)

RECEIVE_BUFFER = 8 * 1024 * 1024
# Datagrams taken before the loop gets to do something else. What waits longer in the socket's
# buffer waits in no order, so while there is more, reading gets this part of the time; once most of
# it is turned away unread, less. What does not fit into the buffer is lost, and sent again.
DRAIN = 32
READING = 0.5
SKIMMING = 0.25
LARGEST_DATAGRAM = 65535
# What an address that is none makes of sending; a datagram may always be lost.
UNSENDABLE = (OSError, ValueError, OverflowError)


class UdpFlow:
    """The way back to one datagram peer."""

    __slots__ = ("_listener", "address", "peer")
    transport = "udp"
    reliable = False
    peer_name = ""
    trusted = None

    def __init__(self, listener: "UdpListener", address: tuple[str, int]) -> None:
        self._listener = listener
        self.address = address
        self.peer = format_address(address[0], address[1])

    @property
    def trunk(self) -> str:
        """Name of the listener's trunk."""
        return self._listener.trunk

    def send(self, data: bytes) -> bool:
        """Send one datagram; UDP never knows that the peer is gone."""
        self._listener.send(data, self.address)
        return True

    def pause(self) -> None:
        """Do nothing: a datagram that is not read is lost."""

    def resume(self) -> None:
        """Do nothing."""

    def to_port(self, port: int) -> "UdpFlow":
        """Return the flow to another port of the same host (RFC 3261 18.2.2)."""
        return UdpFlow(self._listener, (self.address[0], port))


class UdpListener:
    """One bound datagram socket, drained by the event loop."""

    def __init__(self, host: str, port: int, receive: Receive, *, trunk: str = "") -> None:
        self.trunk = trunk
        self._receive = receive
        self._unsent: deque[tuple[bytes, tuple[str, int]]] = deque(maxlen=10_000)
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        _enlarge_buffer(self._socket)
        self._socket.bind((host, port))
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._socket.fileno(), self._drain)
        self._drained_at = time.monotonic()

    def flow(self, peer: str) -> UdpFlow:
        """Return the flow to `peer` (host:port)."""
        return UdpFlow(self, split_address(peer))

    def send(self, data: bytes, address: tuple[str, int]) -> None:
        """Send now, or as soon as the socket takes it."""
        if self._unsent:
            self._unsent.append((data, address))
            return
        try:
            self._socket.sendto(data, address)
        except BlockingIOError:
            self._unsent.append((data, address))
            self._loop.add_writer(self._socket.fileno(), self._flush)
        except UNSENDABLE as error:
            logger.warning("no datagram to %s: %s", address, error)

    def close(self) -> None:
        """Stop listening."""
        self._loop.remove_reader(self._socket.fileno())
        self._loop.remove_writer(self._socket.fileno())
        self._socket.close()

    def _drain(self) -> None:
        clock = time.monotonic  # the loop's own stands still while a callback runs
        begun = clock()
        elsewhere = begun - self._drained_at
        while True:
            turned_away, more = self._read(DRAIN)
            if not more:
                break
            share = SKIMMING if turned_away > DRAIN // 2 else READING
            spent = clock() - begun
            if spent >= elsewhere * share / (1 - share):
                break
        self._drained_at = clock()

    def _read(self, most: int) -> tuple[int, bool]:
        """Take so many datagrams; returns how many were turned away, and whether there are more."""
        receive, receive_from = self._receive, self._socket.recvfrom
        turned_away = 0
        for _ in range(most):
            try:
                data, address = receive_from(LARGEST_DATAGRAM)
            except BlockingIOError:
                return turned_away, False
            except OSError:  # an ICMP error of something sent earlier
                continue
            if receive(data, UdpFlow(self, (address[0], address[1]))):
                turned_away += 1
        return turned_away, True

    def _flush(self) -> None:
        while self._unsent:
            data, address = self._unsent[0]
            try:
                self._socket.sendto(data, address)
            except BlockingIOError:
                return
            except UNSENDABLE as error:
                logger.warning("no datagram to %s: %s", address, error)
            self._unsent.popleft()
        self._loop.remove_writer(self._socket.fileno())


def _enlarge_buffer(sock: socket.socket) -> None:
    """Ask for room for a burst; beyond net.core.rmem_max only root gets it."""
    force = getattr(socket, "SO_RCVBUFFORCE", 33)
    try:
        sock.setsockopt(socket.SOL_SOCKET, force, RECEIVE_BUFFER)
    except OSError:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
