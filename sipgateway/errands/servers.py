"""The administrator's list of servers that are asked without a question."""

from collections.abc import Mapping
from dataclasses import dataclass

from psap.https.addresses import Reach
from psap.https.trust import Trust, trust_of
from psap.https.urls import Target
from psap.models import LocationServer


@dataclass(frozen=True, slots=True)
class Server:
    """A listed server: what both sides prove, for real chats and for test calls, and its reach."""

    trust: Trust
    test_trust: Trust
    reach: Reach


Servers = Mapping[str, Server]
# What a call-taker wants fetched from elsewhere: the system's authorities, no certificate of ours.
STRANGER = Server(Trust(), Trust(), Reach.PUBLIC)


def load_servers() -> Servers:
    """Read the list, by host or host:port in lower case."""
    rows = LocationServer.objects.select_related("certificate", "test_certificate")
    return {
        row.host.lower(): _server(row)
        for row in rows.prefetch_related("authorities").order_by("pk")
    }


def _server(row: LocationServer) -> Server:
    authorities = list(row.authorities.all())
    return Server(
        trust_of(authorities, row.certificate),
        trust_of(authorities, row.test_certificate or row.certificate),
        Reach.PRIVATE_TOO if row.may_be_private else Reach.PUBLIC,
    )


def find_server(servers: Servers, target: Target) -> Server | None:
    """Return the server that a URL leads to, None for a stranger; the port has to fit as well."""
    return servers.get(target.place)
