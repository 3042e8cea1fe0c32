"""Asking the programs of an instance whether they answer, from outside as their clients do."""

import http.client
import secrets
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from psap.project.environment import Environment

TIMEOUT = 0.5
WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104
# What listens on the instance's own ports, PSAP_SIP_PORT (plain) and PSAP_SIPS_PORT (tls).
LISTENING = """
SELECT transport FROM psap_trunk
WHERE enabled AND (port IS NULL OR port = CASE transport WHEN 'tls' THEN %s ELSE %s END)
UNION SELECT 'plain' WHERE NOT EXISTS (SELECT FROM psap_trunk)
"""
# The program for peers says in its figures when its port is due and cannot be had (a certificate
# that has expired, say): no reason to have the chats wait.
PEER_PORT = """
SELECT EXISTS (SELECT FROM psap_psap WHERE peer_certificate_id IS NOT NULL),
    (SELECT (figures ->> 'leitstand_peer_port_open')::numeric FROM psap_serviceprocess
     WHERE name = 'peerapi' ORDER BY beat_at DESC LIMIT 1) = 0
"""
LATEST_BEATS = "SELECT name, max(beat_at) FROM psap_serviceprocess GROUP BY name"


def reachable_host(environment: Environment) -> str:
    """Return an address that leads to the instance, also where it listens on all of them."""
    return WILDCARDS.get(environment.host, environment.host)


def url(environment: Environment) -> str:
    host = reachable_host(environment)
    return f"http://{f'[{host}]' if ':' in host else host}:{environment.http_port}/"


def web_answers(environment: Environment) -> bool:
    """Whether GET /healthz gets 200."""
    connection = http.client.HTTPConnection(
        reachable_host(environment), environment.http_port, timeout=2
    )
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def gateway_answers(environment: Environment) -> bool:
    """Whether every port that a trunk has listens: OPTIONS gets 200 over UDP and over TCP
    (RFC 3261 clause 11), the port for TLS takes connections.
    """
    kinds = (("UDP", socket.SOCK_DGRAM), ("TCP", socket.SOCK_STREAM))
    answering = set()
    if all(_options(environment, name, kind) for name, kind in kinds):
        answering.add("plain")
    if _takes_connections(environment, environment.sips_port):
        answering.add("tls")
    return answering == {"plain", "tls"} or _listening(environment) <= answering


def peers_answered(environment: Environment) -> bool:
    """Whether peers get through: TLS on PSAP_PEER_PORT where there is a certificate for it, GET
    /healthz over PSAP_PEER_SOCKET where there is one.
    """
    if environment.peer_socket is not None and not _is_healthy(environment.peer_socket):
        return False
    return _takes_connections(environment, environment.peer_port) or not _peer_port_due(environment)


def _peer_port_due(environment: Environment) -> bool:
    try:
        with psycopg.connect(environment.database_url, connect_timeout=2) as connection:
            has_certificate, is_refused = connection.execute(PEER_PORT).fetchone() or (True, None)
    except psycopg.Error:
        return True
    return has_certificate and not is_refused


def _is_healthy(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(2)
        try:
            connection.connect(str(path))
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            return b" 200 " in connection.recv(64)
        except OSError:
            return False


def _listening(environment: Environment) -> set[str]:
    """Return the transports that ought to listen; both while the database does not say."""
    try:
        with psycopg.connect(environment.database_url, connect_timeout=2) as connection:
            rows = connection.execute(LISTENING, (environment.sips_port, environment.sip_port))
            return {transport for (transport,) in rows}
    except psycopg.Error:
        return {"plain", "tls"}


def _takes_connections(environment: Environment, port: int) -> bool:
    try:
        socket.create_connection((reachable_host(environment), port), TIMEOUT).close()
    except OSError:
        return False
    return True


def _options(environment: Environment, transport: str, kind: socket.SocketKind) -> bool:
    host, port = reachable_host(environment), environment.sip_port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    shown = f"[{host}]" if ":" in host else host
    with socket.socket(family, kind) as connection:
        connection.settimeout(TIMEOUT)
        try:
            connection.connect((host, port))
            own_port = connection.getsockname()[1]
            request = (
                f"OPTIONS sip:{shown}:{port} SIP/2.0\r\n"
                f"Via: SIP/2.0/{transport} {shown}:{own_port}"
                f";branch=z9hG4bK{secrets.token_hex(8)}\r\n"
                f"From: <sip:launcher@{shown}>;tag={secrets.token_hex(4)}\r\n"
                f"To: <sip:{shown}:{port}>\r\n"
                f"Call-ID: {secrets.token_hex(8)}\r\n"
                "CSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
            )
            connection.sendall(request.encode())
            return connection.recv(65536).startswith(b"SIP/2.0 200 ")
        except OSError:
            return False


class BeatReader:
    """Reads which programs have left a sign of life in the database since the start."""

    def __init__(self, environment: Environment) -> None:
        self._url = environment.database_url
        self._since = datetime.now(UTC)
        self._connection: psycopg.Connection | None = None

    def beating(self) -> Iterator[str]:
        """Yield the names of the programs that have."""
        try:
            if self._connection is None:
                self._connection = psycopg.connect(self._url, autocommit=True, connect_timeout=2)
            rows = self._connection.execute(LATEST_BEATS).fetchall()
        except psycopg.Error:
            self.close()
            return
        yield from (name for name, beat_at in rows if beat_at >= self._since)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None
