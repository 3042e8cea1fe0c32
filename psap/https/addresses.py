"""Where a host is, asked once, and whether we go there.

A caller chooses the URLs that we fetch. Whoever points one at an address inside the control room's
network must not make us ask there; nor may a name lead elsewhere between the look and the visit.
So the addresses are looked up once, all of them are checked, and only these are connected to.
"""

import ipaddress
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as TooSlow
from enum import Enum

MOST_LOOKUPS = 8
MOST_ADDRESSES = 4
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Reach(Enum):
    """How far an errand may go."""

    PUBLIC = "public"
    PRIVATE_TOO = "private too"  # an administrator has listed the host as one inside
    NEIGHBOURS = "private too, but not this machine"
    ANYWHERE = "anywhere"  # the administrator wrote the URL


class AddressRefused(Exception):
    """The host is where we do not go."""


class NameUnknown(Exception):
    """The name did not resolve, or not in time."""


_lookups: ThreadPoolExecutor | None = None
_start = threading.Lock()


def find_addresses(host: str, *, reach: Reach, patience: float) -> list[str]:
    """Return the addresses of a host, in order of preference; `patience` in seconds.

    Raises NameUnknown, and AddressRefused when any one of them is out of reach: a name that leads
    inside and outside at once means no good.
    """
    # getaddrinfo knows no timeout: a slow name server costs its thread, not the errand's.
    looking = _pool().submit(_look_up, host)
    try:
        found = looking.result(patience)
    except TooSlow:
        looking.cancel()
        raise NameUnknown(f"{host} did not resolve in time") from None
    except (OSError, UnicodeError):
        raise NameUnknown(f"{host} does not resolve") from None
    addresses = list(dict.fromkeys(found))[:MOST_ADDRESSES]
    for address in addresses:
        if not may_reach(address, reach):
            raise AddressRefused(f"{host} leads to {address}, which is not asked")
    return addresses


def may_reach(address: str, reach: Reach) -> bool:
    """Whether an address is within reach; one that wraps another counts as that other too."""
    if reach is Reach.ANYWHERE:
        return True
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        for inner in (ip.ipv4_mapped, ip.sixtofour, _behind_nat64(ip)):
            if inner is not None:
                return _may_reach(inner, reach)
    return _may_reach(ip, reach)


def _behind_nat64(ip: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF) if ip in _NAT64 else None


def _may_reach(ip: Address, reach: Reach) -> bool:
    if ip.is_multicast or ip.is_unspecified or ip.is_link_local:
        return False  # link-local: where clouds hand out credentials
    if isinstance(ip, ipaddress.IPv6Address) and ip.is_site_local:
        return reach is not Reach.PUBLIC  # fec0::/10, which Python takes for global
    if reach is Reach.NEIGHBOURS:
        return not ip.is_loopback and not ip.is_reserved
    if reach is Reach.PRIVATE_TOO:
        return ip.is_loopback or not ip.is_reserved
    return ip.is_global and not ip.is_private and not ip.is_reserved


def _look_up(host: str) -> list[str]:
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


def _pool() -> ThreadPoolExecutor:
    global _lookups
    with _start:
        if _lookups is None:
            _lookups = ThreadPoolExecutor(MOST_LOOKUPS, thread_name_prefix="name")
        return _lookups
