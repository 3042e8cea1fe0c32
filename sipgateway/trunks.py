"""A trunk as the gateway uses it: where it listens, whom it trusts, what it shows and demands."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from psap.tls import TlsPolicy

logger = logging.getLogger(__name__)

Network = IPv4Network | IPv6Network
VERDICTS_REMEMBERED = 4096
PLAIN = "plain"
TLS = "tls"


@dataclass(frozen=True, slots=True)
class TrunkSettings:
    """One enabled trunk; `port` None stands for the instance's own port of that transport."""

    name: str = ""
    transport: str = PLAIN
    port: int | None = None
    outbound_proxy: str = ""
    username: str = ""
    password: str = field(default="", repr=False)
    trusted: tuple[Network, ...] = ()
    fallback: str = ""
    upstream_copes_with_503: bool = False
    tls: TlsPolicy = TlsPolicy()
    _verdicts: dict[str, bool] = field(default_factory=dict, compare=False, repr=False)

    def trusts(self, host: str) -> bool:
        """Say whether a P-Asserted-Identity from this address is believed (RFC 3325).

        A TLS trunk without networks believes every peer that it has admitted.
        """
        verdict = self._verdicts.get(host)
        if verdict is None:
            everybody = self.transport == TLS and not self.trusted
            verdict = everybody or _is_within(host, self.trusted)
            if len(self._verdicts) < VERDICTS_REMEMBERED:
                self._verdicts[host] = verdict
        return verdict


def _is_within(host: str, networks: tuple[Network, ...]) -> bool:
    try:
        address = ip_address(host)
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped:  # a socket that takes both
        address = address.ipv4_mapped
    return any(address in network for network in networks)


def read_networks(text: str) -> Iterator[Network]:
    """Read networks as an administrator wrote them."""
    for written in text.split():
        try:
            yield ip_network(written, strict=False)
        except ValueError:  # the admin checks them; whoever wrote it past the admin is told
            logger.error("%r is no network: nobody in it is trusted", written)
