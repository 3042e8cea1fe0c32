"""The PSAP's configuration as the gateway uses it, read from the admin's rows.

Read again every second, so that a change in the admin works without a restart.
"""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

from psycopg import AsyncConnection

logger = logging.getLogger(__name__)

Network = IPv4Network | IPv6Network
VERDICTS_REMEMBERED = 4096


@dataclass(frozen=True, slots=True)
class Configuration:
    """Names, texts and timers (seconds) of the PSAP and its trunk."""

    psap_name: str = ""
    public_uri: str = "sip:psap@invalid"
    greeting: str = ""
    heartbeat_interval: int = 15
    lost_after: int = 45
    numbers: Mapping[str, str] = field(default_factory=dict)
    trunk: str = ""
    outbound_proxy: str = ""
    username: str = ""
    password: str = ""
    trusted: tuple[Network, ...] = ()
    _verdicts: dict[str, bool] = field(default_factory=dict, compare=False, repr=False)

    def trusts(self, host: str) -> bool:
        """Say whether a P-Asserted-Identity from this address is believed (RFC 3325)."""
        verdict = self._verdicts.get(host)
        if verdict is None:
            verdict = _is_within(host, self.trusted)
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


def _networks(text: str) -> Iterator[Network]:
    for written in text.split():
        try:
            yield ip_network(written, strict=False)
        except ValueError:  # the admin checks them; whoever wrote it past the admin is told
            logger.error("%r is no network: nobody in it is trusted", written)


async def load_configuration(connection: AsyncConnection[tuple[Any, ...]]) -> Configuration:
    """Read the one PSAP row, the number table and the first trunk; defaults where there is none."""
    cursor = await connection.execute(
        "SELECT name, public_uri, greeting, heartbeat_interval, lost_after FROM psap_psap LIMIT 1"
    )
    psap = await cursor.fetchone()
    cursor = await connection.execute("SELECT number, service FROM psap_servicenumber")
    numbers = dict(await cursor.fetchall())
    cursor = await connection.execute(
        "SELECT name, outbound_proxy, username, password, trusted_networks"
        " FROM psap_trunk ORDER BY id LIMIT 1"
    )
    trunk = await cursor.fetchone() or ("", "", "", "", "")
    if psap is None:
        return Configuration(numbers=numbers)
    return Configuration(
        *psap,
        numbers=numbers,
        trunk=trunk[0],
        outbound_proxy=trunk[1],
        username=trunk[2],
        password=trunk[3],
        trusted=tuple(_networks(trunk[4])),
    )
