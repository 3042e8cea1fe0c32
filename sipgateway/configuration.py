"""The PSAP's configuration as the gateway uses it, read from the admin's rows.

Read again every second, so that a change in the admin works without a restart.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from psycopg import AsyncConnection

from psap.tls import Authority, TlsPolicy
from sipgateway.trunks import PLAIN, TrunkSettings, read_networks

NOBODY = TrunkSettings()

_PSAP = """
SELECT name, public_uri, greeting, heartbeat_interval, lost_after, test_calls, test_interval,
    test_limit, redirect_patience
FROM psap_psap LIMIT 1
"""
_TRUNKS = """
SELECT t.name, t.transport, t.port, t.outbound_proxy, t.username, t.password, t.trusted_networks,
    t.fallback, t.upstream_copes_with_503, coalesce(c.chain, ''), coalesce(c.private_key, ''),
    t.allowed_names, t.tls_version,
    (SELECT coalesce(json_agg(json_build_array(a.name, a.certificates, a.revocation_list)
                              ORDER BY a.id), '[]')
     FROM psap_trunk_authorities j JOIN psap_certificateauthority a
         ON a.id = j.certificateauthority_id
     WHERE j.trunk_id = t.id)
FROM psap_trunk t LEFT JOIN psap_certificate c ON c.id = t.certificate_id
WHERE t.enabled ORDER BY t.id
"""


@dataclass(frozen=True, slots=True)
class Configuration:
    """Names, texts, timers (seconds) and limits of the PSAP, and its enabled trunks by name."""

    psap_name: str = ""
    public_uri: str = "sip:psap@invalid"
    greeting: str = ""
    heartbeat_interval: int = 15
    lost_after: int = 45
    test_calls: bool = True
    test_interval: int = 120
    test_limit: int = 30
    redirect_patience: int = 20
    numbers: Mapping[str, str] = field(default_factory=dict)
    trunks: Mapping[str, TrunkSettings] = field(default_factory=dict)
    has_trunk_rows: bool = False

    def trunk_of(self, name: str) -> TrunkSettings:
        """Return a trunk; one that is unknown or switched off trusts nobody and has no proxy."""
        return self.trunks.get(name, NOBODY)

    def way_out(self, name: str) -> TrunkSettings:
        """Return the trunk that a chat's messages leave by: its own, else the default, else any."""
        named = self.trunks.get(name)
        if named is None and self.default_trunk is NOBODY:
            return next(iter(self.trunks.values()), NOBODY)
        return named or self.default_trunk

    @property
    def default_trunk(self) -> TrunkSettings:
        """The trunk on PSAP_SIP_PORT: the first plain one without a port of its own."""
        for trunk in self.trunks.values():
            if trunk.transport == PLAIN and trunk.port is None:
                return trunk
        return NOBODY


async def load_configuration(connection: AsyncConnection[tuple[Any, ...]]) -> Configuration:
    """Read the one PSAP row, the number table and the trunks; defaults where there is none."""
    psap = await (await connection.execute(_PSAP)).fetchone()
    cursor = await connection.execute("SELECT number, service FROM psap_servicenumber")
    numbers = dict(await cursor.fetchall())
    cursor = await connection.execute(_TRUNKS)
    trunks = [_trunk(*row) for row in await cursor.fetchall()]
    any_rows = bool(trunks)
    if not any_rows:
        cursor = await connection.execute("SELECT EXISTS (SELECT FROM psap_trunk)")
        any_rows = bool((await cursor.fetchone() or (False,))[0])
    return Configuration(
        *(psap or ()),
        numbers=numbers,
        trunks={trunk.name: trunk for trunk in trunks},
        has_trunk_rows=any_rows,
    )


def _trunk(
    name: str,
    transport: str,
    port: int | None,
    outbound_proxy: str,
    username: str,
    password: str,
    trusted_networks: str,
    fallback: str,
    upstream_copes_with_503: bool,
    chain: str,
    private_key: str,
    allowed_names: str,
    tls_version: str,
    authorities: list[list[str]],
) -> TrunkSettings:
    return TrunkSettings(
        name=name,
        transport=transport,
        port=port,
        outbound_proxy=outbound_proxy,
        username=username,
        password=password,
        trusted=tuple(read_networks(trusted_networks)),
        fallback=fallback,
        upstream_copes_with_503=upstream_copes_with_503,
        tls=TlsPolicy(
            chain=chain,
            private_key=private_key,
            authorities=tuple(Authority(*written) for written in authorities),
            allowed_names=tuple(allowed_names.lower().split()),
            oldest_version=tls_version,
        ),
    )
