"""Flows: the ways back to a peer. A chat's answers leave on the flow that it came on."""

from collections import Counter
from collections.abc import Callable
from typing import Protocol

from sipgateway.bridged import PJSUA2


class Flow(Protocol):
    """Where bytes came from and where the answers go."""

    transport: str  # "udp", "tcp" or "tls"
    reliable: bool
    peer: str  # host:port, the host of an IPv6 address in brackets
    peer_name: str  # what the peer's certificate proves that it is, "" without one
    trusted: bool | None  # may assert identities (RFC 3325); None: as its trunk's networks say

    @property
    def trunk(self) -> str:
        """Name of the trunk that it belongs to, as the admin has it now."""
        ...

    def send(self, data: bytes) -> bool:
        """Send now, or say that this flow is gone."""
        ...

    def pause(self) -> None:
        """Stop reading, where the other side then keeps what it has to say."""
        ...

    def resume(self) -> None:
        """Read on."""
        ...


Receive = Callable[[bytes, Flow], bool]
"""Takes a message; True when it was turned away unread."""


def format_address(host: str, port: int) -> str:
    """Write an address as host:port, IPv6 in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def split_address(address: str) -> tuple[str, int]:
    """Take host:port apart again."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def port_number(text: str) -> int | None:
    """Read a port as somebody wrote it; None for what is none, such as digits beyond ASCII."""
    if text.isascii() and text.isdigit() and len(text) <= 5 and 0 < int(text) < 65536:
        return int(text)
    return None


class Flows:
    """Connections that are open now, by peer; a datagram peer needs none."""

    def __init__(self, lost: Callable[[Flow], None]) -> None:
        self._lost = lost
        self._connections: dict[tuple[str, str], Flow] = {}
        self._datagrams: Callable[[str, str], Flow | None] = _no_datagrams
        self._bridged: Callable[[str], Flow | None] = _not_bridged

    def serve_datagrams(self, make_flow: Callable[[str, str], Flow | None]) -> None:
        """Give the way to reach any datagram peer from a trunk; None where it has no socket."""
        self._datagrams = make_flow

    def serve_bridged(self, make_flow: Callable[[str], Flow | None]) -> None:
        """Give the way to peers whose connections the registrar process holds."""
        self._bridged = make_flow

    def opened(self, flow: Flow) -> None:
        """Remember a connection."""
        self._connections[flow.transport, flow.peer] = flow

    def closed(self, flow: Flow) -> None:
        """Forget a connection, unless a newer one has its place."""
        if self._connections.get((flow.transport, flow.peer)) is flow:
            del self._connections[flow.transport, flow.peer]
        self._lost(flow)

    def by_transport(self) -> Counter[str]:
        """Count the open connections."""
        return Counter(transport for transport, _ in self._connections)

    def find(self, transport: str, peer: str, trunk: str = "") -> Flow | None:
        """Return the live flow to a peer, None when its connection is gone."""
        if transport == "udp":
            return self._datagrams(peer, trunk)
        if transport == PJSUA2:
            return self._bridged(peer)
        return self._connections.get((transport, peer))


def _no_datagrams(peer: str, trunk: str) -> Flow | None:
    return None


def _not_bridged(peer: str) -> Flow | None:
    return None
