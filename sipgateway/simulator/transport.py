"""Sockets of one app: a UDP socket of its own, or a TCP or TLS connection with its framing."""

import asyncio
import re
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from sipgateway.simulator.message import SipSyntaxError

LONGEST_MESSAGE = 1 << 24
LONGEST_HEADERS = 1 << 16
_CONTENT_LENGTH = re.compile(rb"\r\n(?:content-length|l)[ \t]*:[ \t]*(\d{1,9})[ \t]*\r\n", re.I)
_ADDRESSED = re.compile(
    r"sip(s?):(?:[^@\s;?]*@)?(\d{1,3}(?:\.\d{1,3}){3}|\[[0-9a-f:.]+\])(?::(\d{1,5}))?([;?].*|)",
    re.IGNORECASE,
)
_TRANSPORT = re.compile(r";transport=(udp|tcp|tls)\b", re.IGNORECASE)

Answer = Callable[[bytes], None]
Receiver = Callable[[bytes, Answer], None]
"""Takes a whole message and what sends an answer back to where it came from."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where the PSAP (or the proxy before it) listens; the transport is "udp", "tcp" or "tls".

    `security` is what TLS shows and whom it believes.
    """

    transport: str
    host: str
    port: int
    security: ssl.SSLContext | None = field(default=None, compare=False, repr=False)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def target_of(uri: str, like: Target) -> Target | None:
    """Where a SIP URI with an address leads; `like` tells transport and what TLS shows.

    None where it names no address: then it needs a proxy, or a resolver, which no app here has.
    """
    found = _ADDRESSED.fullmatch(uri)
    if not found:
        return None
    secured, host, port, rest = found.groups()
    transport = _TRANSPORT.search(rest)
    over = transport[1].lower() if transport else ("tls" if secured else like.transport)
    number = int(port) if port else (5061 if over == "tls" else 5060)
    return Target(over, host.strip("[]"), number, like.security)


def secure(authority: str, certificate: str, key: str) -> ssl.SSLContext:
    """Read the PEM files of mutual TLS: whom we believe, and what we show.

    The PSAP's name is not checked: in a trial it is called by its address. Raises ValueError.
    """
    try:
        context = ssl.create_default_context(cafile=authority)
        context.check_hostname = False
        context.load_cert_chain(certificate, key)
    except OSError as error:  # ssl.SSLError is one too
        raise ValueError(f"certificates: {error}") from None
    return context


def parse_target(transport: str, text: str, security: ssl.SSLContext | None = None) -> Target:
    """Read HOST:PORT or [IPV6]:PORT; raises ValueError with one clear line."""
    host, colon, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ValueError(f"target {text!r}: an IPv6 address stands in brackets")
    if not colon or not host:
        raise ValueError(f"target {text!r} is not HOST:PORT")
    if not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError(f"target {text!r}: {port!r} is no port number")
    return Target(transport, host, int(port), security)


class Link(Protocol):
    """An open way to the target; `lost` completes when a connection has ended."""

    reliable: bool
    local: tuple[str, int]
    lost: asyncio.Future[None]

    def send(self, data: bytes) -> None: ...
    def close(self) -> None: ...


async def open_link(target: Target, receive: Receiver) -> Link:
    """Open a socket whose whole messages go to `receive`; raises OSError."""
    if target.transport != "udp":
        return await _open_tcp(target, receive)
    return await _open_udp(target, receive)


class UdpLink(asyncio.DatagramProtocol):
    """An unconnected socket: an ICMP error of a PSAP that restarts is no reason to stop."""

    reliable = False

    def __init__(self, receive: Receiver, remote: tuple[Any, ...]) -> None:
        self.lost = asyncio.get_running_loop().create_future()
        self.local = ("", 0)
        self._receive = receive
        self._remote = remote
        self._transport: asyncio.DatagramTransport

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self._transport = transport
        self.local = transport.get_extra_info("sockname")[:2]

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if data.strip(b"\r\n\0"):  # else a keep-alive (RFC 5626 4.4)
            self._receive(data, lambda answer: self._transport.sendto(answer, addr))

    def send(self, data: bytes) -> None:
        self._transport.sendto(data, self._remote)

    def close(self) -> None:
        self._transport.close()


class TcpLink(asyncio.Protocol):
    """One connection, ours or the PSAP's; what it brings is answered on it."""

    reliable = True

    def __init__(self, receive: Receiver) -> None:
        self.lost = asyncio.get_running_loop().create_future()
        self.local = ("", 0)
        self._receive = receive
        self._stream = Stream()
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._transport = transport
        self.local = transport.get_extra_info("sockname")[:2]

    def data_received(self, data: bytes) -> None:
        try:
            for message in self._stream.feed(data):
                self._receive(message, self.send)
        except SipSyntaxError:
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.lost.done():
            self.lost.set_result(None)

    def send(self, data: bytes) -> None:
        self._transport.write(data)

    def close(self) -> None:
        self._transport.close()


class Stream:
    """Cuts a byte stream into messages by their Content-Length (RFC 3261 18.3)."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """Take what arrived; return the messages it completes. Raises SipSyntaxError."""
        self._buffer += data
        messages = []
        while message := self._next():
            messages.append(message)
        return messages

    def _next(self) -> bytes:
        while self._buffer[:2] == b"\r\n":  # keep-alives (RFC 5626 4.4.1)
            del self._buffer[:2]
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self._buffer) > LONGEST_HEADERS:
                raise SipSyntaxError("the headers never end")
            return b""
        found = _CONTENT_LENGTH.search(self._buffer, 0, end + 2)
        if not found or int(found[1]) > LONGEST_MESSAGE:
            raise SipSyntaxError("a message on a stream without a usable Content-Length")
        size = end + 4 + int(found[1])
        if len(self._buffer) < size:
            return b""
        message = bytes(self._buffer[:size])
        del self._buffer[:size]
        return message


async def open_door(host: str, receive: Receiver) -> asyncio.Server:
    """Let others open connections to us, on a free port of that address."""
    loop = asyncio.get_running_loop()
    return await loop.create_server(lambda: TcpLink(receive), host, 0)


async def _open_tcp(target: Target, receive: Receiver) -> TcpLink:
    loop = asyncio.get_running_loop()
    _, link = await loop.create_connection(
        lambda: TcpLink(receive), target.host, target.port, ssl=target.security
    )
    return link


async def _open_udp(target: Target, receive: Receiver) -> UdpLink:
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(target.host, target.port, type=socket.SOCK_DGRAM)
    family, *_, remote = found[0]
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.connect(remote)  # sends nothing; tells which of our addresses leads there
        own = probe.getsockname()[0]
    _, link = await loop.create_datagram_endpoint(
        lambda: UdpLink(receive, remote), local_addr=(own, 0)
    )
    return link
