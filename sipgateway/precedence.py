"""How urgent a MESSAGE is while many wait: live chats, then new ones, then test calls.

Within each of the three by Resource-Priority (clause 6.1.2.5, Table 3): `esnet.2`, critical to an
incident in progress; `esnet.1`, an emergency call; `esnet.0`, not critical; then what carries no
mark, or one that Table 3 does not define: no BCF has looked at it, or none knows what it means.
"""

from enum import IntEnum

from sipgateway.arrivals import Arrival
from sipgateway.presence import HEARTBEATS, Presence
from sipgateway.protocol.lmpe import is_test
from sipgateway.protocol.message import Request
from sipgateway.protocol.priority import esnet_level, resource_priority
from sipgateway.waiting_line import Place

URGENCIES = {2: 0, 1: 1, 0: 2}
LEAST_URGENT = 3


class Kind(IntEnum):
    """What waits; the lower the sooner."""

    LIVE = 0
    NEW = 1
    TEST = 2


def rank(kind: Kind, priority: str = "") -> int:
    """Put kind and Resource-Priority into one number; the lower the sooner."""
    level = esnet_level(priority)
    urgency = LEAST_URGENT if level is None else URGENCIES.get(level, LEAST_URGENT)
    return kind * (LEAST_URGENT + 1) + urgency


def kind_of_rank(number: int) -> Kind:
    """Take the kind out of a rank again."""
    return Kind(number // (LEAST_URGENT + 1))


def place_of(arrival: Arrival, presence: Presence) -> Place:
    """Say where an arrival waits.

    The line is its caller's: the asserted identity, else the From URI. Never the address, since
    all callers come from one BCF.
    """
    request = arrival.request
    if presence.knows(arrival):
        kind = Kind.LIVE
    else:
        kind = Kind.TEST if _is_test(request) else Kind.NEW
    # From those who may not say who somebody is, a mark says nothing either (RFC 4412 5).
    written = request.headers.get("resource-priority") if arrival.trusted_peer else None
    caller = arrival.caller
    return Place(
        rank(kind, resource_priority(written) if written else ""),
        caller.asserted_uri or caller.uri,
    )


def is_expendable(arrival: Arrival, kind: Kind) -> bool:
    """Whether nobody misses it once its sender has given up: a heartbeat or a test.

    A heartbeat that says something to people is none.
    """
    if kind is Kind.TEST:
        return True
    if arrival.identifiers.msg_type not in HEARTBEATS:
        return False
    raw = arrival.request.raw.lower()
    return b"text/plain" not in raw and b"text/html" not in raw


def _is_test(request: Request) -> bool:
    """Whether a request asks for a test, as far as it says so itself."""
    headers = request.headers
    if is_test(request.uri.strip("<> \t"), headers):
        return True
    to = headers.get("to") or ""
    return "test" in to and is_test(to.partition("<")[2].partition(">")[0], headers)
