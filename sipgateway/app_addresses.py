"""Where no app can be, so that nobody makes us write there.

A caller's own words, a 3xx and the AppUri of another PSAP say where a message of ours goes when
there is neither a connection nor an outbound proxy. They must not turn the gateway against what
only this machine or this link can reach, nor against itself: our own answer would be taken for the
app's.
"""

import ipaddress
import socket
from collections.abc import Collection

from psap.https.addresses import Reach, may_reach

WILDCARDS = frozenset({"", "0.0.0.0", "::"})  # noqa: S104


def why_not_called(host: str, port: int, *, bound: str, ports: Collection[int]) -> str:
    """Say why no app is called at an address, "" for nothing against it.

    `bound` is the address that we listen on, with `ports`. Private addresses are called: control
    rooms and providers meet in private networks. This machine's loopback is called by who listens
    nowhere else, as a demo does: its apps are nowhere else either.
    """
    alone = _is_loopback(bound)
    if not may_reach(host, Reach.PRIVATE_TOO if alone else Reach.NEIGHBOURS):
        return f"{host} is no address of an app"
    if port in ports and (is_this_machine(host) if bound in WILDCARDS else host == bound):
        return f"{host}:{port} is ourselves"
    return ""


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def is_this_machine(host: str) -> bool:
    """Ask the system: what is sent to an address of ours would come from it. Sends nothing."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as asking:
        try:
            asking.connect((host, 9))
        except OSError:
            return False
        return str(asking.getsockname()[0]) == host
