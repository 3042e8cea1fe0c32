"""The accounts as the admin has them, and the Contact that each registers."""

from dataclasses import dataclass, field
from typing import Any

from psycopg import AsyncConnection

from sipgateway.configuration import Configuration
from sipgateway.trunks import TLS

WILDCARDS = frozenset({"0.0.0.0", "::", ""})  # noqa: S104  (compared with, not bound to)
TLS_PORT = 5061
TRANSPORTS = ("udp", "tcp", "tls")

_ACCOUNTS = """
SELECT id, name, address_of_record, registrars, username, password, realm, expires, retry_after,
    contact, feature_tags, receive_in_pjsua2
FROM psap_sipaccount WHERE enabled ORDER BY id
"""


@dataclass(frozen=True, slots=True)
class Account:
    """One enabled row of the admin; equal as long as nothing has to be registered anew."""

    id: int
    name: str
    address_of_record: str
    registrars: tuple[str, ...]
    username: str
    password: str = field(repr=False)
    realm: str
    expires: int
    retry_after: int
    contacts: tuple[str, ...]  # name-addr with parameters for each registrar; none: pjsua2's own
    parameters: str  # feature tags as Contact parameters, with a leading semicolon
    receives: bool


@dataclass(frozen=True, slots=True)
class Listener:
    """Where our own listener is reached: the Contact of every account without one of its own."""

    host: str
    port: int
    tls_port: int | None = None

    def uri(self, user: str, transport: str) -> str:
        """Write the URI for a core that speaks this transport.

        For UDP the parameter is left out: RFC 3261 18.1.1 then has the core take TCP for what is
        too long for a datagram.
        """
        port = self.port
        if transport == "tls" and self.tls_port is None:
            transport = "tcp"
        elif transport == "tls":
            port = self.tls_port or TLS_PORT
        host = f"[{self.host}]" if ":" in self.host else self.host
        parameter = "" if transport == "udp" else f";transport={transport}"
        return f"sip:{user}@{host}:{port}{parameter}" if user else f"sip:{host}:{port}{parameter}"


def named_host(host: str, public_uri: str) -> str:
    """Name the host that a core reaches us at: what we are bound to, else what is public."""
    if host not in WILDCARDS:
        return host
    address = public_uri.partition(":")[2].rpartition("@")[2].partition(";")[0]
    if address.startswith("["):
        return address[1:].partition("]")[0]
    return address.partition(":")[0]


def transport_of(uri: str) -> str:
    """Return the transport that a SIP URI asks for; UDP where it says nothing (RFC 3263 4.1)."""
    if uri.lower().startswith("sips:"):
        return "tls"
    for parameter in uri.lower().rpartition("@")[2].split(";")[1:]:
        name, _, value = parameter.partition("=")
        if name.strip() == "transport" and value.strip() in TRANSPORTS:
            return value.strip()
    return "udp"


def user_of(uri: str) -> str:
    """Return the user part of a SIP URI."""
    return uri.partition(":")[2].rpartition("@")[0]


def contact_parameters(feature_tags: str) -> str:
    """Write feature tags (RFC 3840 9) as Contact parameters: one a line or with semicolons."""
    tags = [tag.strip().strip(";").strip() for tag in feature_tags.splitlines()]
    return "".join(f";{tag}" for tag in tags if tag)


def make_contact(
    *, contact: str, address_of_record: str, registrar: str, parameters: str, listener: Listener
) -> str:
    """Write the Contact of an account: its own where the admin gave one, else our listener."""
    uri = contact.strip().removeprefix("<").removesuffix(">")
    uri = uri or listener.uri(user_of(address_of_record), transport_of(registrar))
    return f"<{uri}>{parameters}"


def listener_of(
    configuration: Configuration, *, host: str, public_uri: str, port: int, sips_port: int
) -> Listener:
    """Say where our listener is; the ports are those of the instance, unless a trunk has one."""
    tls = next((t for t in configuration.trunks.values() if t.transport == TLS), None)
    tls_port = None if tls is None else tls.port or sips_port
    return Listener(named_host(host, public_uri), port, tls_port)


async def load_accounts(connection: AsyncConnection[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Read the rows of the enabled accounts."""
    return await (await connection.execute(_ACCOUNTS)).fetchall()


def read_accounts(rows: list[tuple[Any, ...]], listener: Listener) -> list[Account]:
    """Make accounts of their rows."""
    return [_account(row, listener) for row in rows]


def _account(row: tuple[Any, ...], listener: Listener) -> Account:
    number, name, record, written, *credentials, expires, retry, contact, tags, receives = row
    registrars = tuple(line.strip() for line in written.splitlines() if line.strip())
    parameters = contact_parameters(tags)
    return Account(
        number,
        name,
        record,
        registrars,
        *credentials,
        expires,
        retry,
        contacts=()
        if receives
        else tuple(
            make_contact(
                contact=contact,
                address_of_record=record,
                registrar=registrar,
                parameters=parameters,
                listener=listener,
            )
            for registrar in registrars
        ),
        parameters=parameters,
        receives=receives,
    )
