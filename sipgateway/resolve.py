"""Where a SIP URI leads: transport, address and port (RFC 3263)."""

import asyncio
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import dns.asyncresolver
import dns.exception
import dns.rdatatype
import dns.resolver

from sipgateway.flows import port_number

DEFAULT_PORT = 5060
DEFAULT_TLS_PORT = 5061
RESOLVE_TIMEOUT = 4.0
ANSWER_LIFETIME = 30.0
ANSWERS_REMEMBERED = 2000
# NAPTR services of the transports that we send over, and their SRV prefixes.
NAPTR_SERVICES = {"SIP+D2T": "tcp", "SIP+D2U": "udp", "SIPS+D2T": "tls"}
SRV_PREFIXES = {"tcp": "_sip._tcp.", "udp": "_sip._udp.", "tls": "_sips._tcp."}
# What is looked for where nobody says which.
UNPROTECTED = ("tcp", "udp")


class UnresolvableUri(Exception):
    """The URI leads nowhere."""


@dataclass(frozen=True, slots=True)
class Target:
    """One place to send to."""

    transport: str
    host: str
    port: int


class Resolver:
    """Remembers for a short while where URIs lead, and that they lead nowhere.

    Chats of one provider share their host, and what does not resolve is tried again and again.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._answers: dict[tuple[str, str, str], tuple[float, asyncio.Task[Target]]] = {}

    async def resolve(self, uri: str, *, over: str = "") -> Target:
        """Find the first place that a URI leads to, as `resolve` does; raises UnresolvableUri."""
        now = self._clock()
        key = (*_place(uri), over)  # the user part plays no part in where a URI leads
        until, task = self._answers.get(key, (0.0, None))
        if task is None or until <= now:
            if len(self._answers) >= ANSWERS_REMEMBERED:
                self._answers.clear()
            task = asyncio.create_task(resolve(uri, over=over))
            self._answers[key] = (now + ANSWER_LIFETIME, task)
        return await asyncio.shield(task)


def asks_for_tls(uri: str) -> bool:
    """Say whether a URI leads over TLS by its own words."""
    scheme, place = _place(uri)
    parameters = [parameter.replace(" ", "").lower() for parameter in place.split(";")[1:]]
    return scheme == "sips" or "transport=tls" in parameters


def host_of(uri: str) -> str:
    """Return the host that a URI names, as its certificate would."""
    return _split(_place(uri)[1].partition(";")[0])[0]


async def resolve(uri: str, *, default_transport: str = "udp", over: str = "") -> Target:
    """Find the first place that a `sip:` or `sips:` URI leads to; raises UnresolvableUri.

    Order of RFC 3263: transport parameter; numeric address or given port; NAPTR; SRV; address.
    `over` overrides the transport. Where it takes TLS from a URI that asks for it, the URI's port,
    which is one for TLS, goes too.
    """
    scheme, place = _place(uri)
    if scheme not in ("sip", "sips"):
        raise UnresolvableUri(f"no way to send to {scheme}: URIs")
    hostport, *parameters = place.split(";")
    host, port = _split(hostport)
    if not host:
        raise UnresolvableUri("the URI names no host")
    transport = over or _transport_of(parameters)
    if asks_for_tls(uri):
        transport = over or "tls"
        if transport != "tls":
            port = None
    try:
        async with asyncio.timeout(RESOLVE_TIMEOUT):
            if port is None and not _is_numeric(host):
                found = await _by_service(host, transport)
                if found is not None:
                    return found
            address = await _address_of(host)
    except (TimeoutError, OSError, ValueError, dns.exception.DNSException) as error:
        raise UnresolvableUri(f"{host} does not resolve") from error
    transport = transport or default_transport
    default_port = DEFAULT_TLS_PORT if transport == "tls" else DEFAULT_PORT
    return Target(transport, address, port or default_port)


def _place(uri: str) -> tuple[str, str]:
    """The scheme, and host, port and parameters, which alone say where a URI leads."""
    scheme, _, rest = uri.partition(":")
    return scheme.lower(), rest.partition("?")[0].rpartition("@")[2]


def _transport_of(parameters: list[str]) -> str:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "transport":
            transport = value.strip().lower()
            if transport not in SRV_PREFIXES:
                raise UnresolvableUri(f"no way to send over {transport}")
            return transport
    return ""


def _split(hostport: str) -> tuple[str, int | None]:
    host, colon, written = hostport.rpartition(":")
    if not colon or hostport.endswith("]") or (":" in host and not host.endswith("]")):
        return hostport.strip("[]"), None
    port = port_number(written)
    if written and port is None:
        raise UnresolvableUri(f"{written[:20]} is no port")
    return host.strip("[]"), port


def _is_numeric(host: str) -> bool:
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host)
        except OSError:
            continue
        return True
    return False


async def _by_service(host: str, transport: str) -> Target | None:
    if not transport:
        for record in await _lookup(host, dns.rdatatype.NAPTR):
            service = record.service.decode("ascii", "replace").upper()
            if NAPTR_SERVICES.get(service) in UNPROTECTED:
                name = record.replacement.to_text()
                if target := await _by_srv(name, NAPTR_SERVICES[service]):
                    return target
    for candidate in [transport] if transport else UNPROTECTED:
        if target := await _by_srv(SRV_PREFIXES[candidate] + host, candidate):
            return target
    return None


async def _by_srv(name: str, transport: str) -> Target | None:
    for record in await _lookup(name, dns.rdatatype.SRV):
        address = await _address_of(record.target.to_text(omit_final_dot=True))
        return Target(transport, address, record.port)
    return None


async def _lookup(name: str, kind: dns.rdatatype.RdataType) -> list[Any]:
    """Return the records of a name by priority, none where there is nothing."""
    try:
        answer = await dns.asyncresolver.resolve(name, kind, lifetime=RESOLVE_TIMEOUT / 2)
    except dns.exception.DNSException:
        return []
    return sorted(answer, key=lambda r: (getattr(r, "order", 0), getattr(r, "priority", 0)))


async def _address_of(host: str) -> str:
    if _is_numeric(host):
        return host
    found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_DGRAM)
    return str(found[0][4][0])
