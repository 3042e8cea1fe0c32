"""The TLS side of a trunk: its gate as the admin has it now, and the connections it has let in."""

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import datetime

from psap.certificates import Identity
from psap.tls import TlsGate, TlsPolicy
from sipgateway.flows import Flow, Flows, format_address
from sipgateway.tcp import CONNECT_TIMEOUT, Buffers, StreamIntake, TcpConnection, TcpListener
from sipgateway.tls_connection import TlsConnection

logger = logging.getLogger(__name__)

# Handshakes under way; of more the oldest is given up, since half-open ones cost nothing.
MOST_HANDSHAKES = 4000
# How long a peer that hung up on our certificate is taken for one that TLS does not reach.
REJECTION_LASTS = 30.0

Seen = Callable[[str, Identity, datetime], None]


class TlsListener(TcpListener):
    """Accepts and opens connections by a policy that may change at any time."""

    transport = "tls"

    def __init__(self, flows: Flows, intake: StreamIntake, buffers: Buffers, *, seen: Seen) -> None:
        super().__init__(flows, intake, buffers)
        self._gate: TlsGate | None = None
        self._refused_policy: TlsPolicy | None = None
        self._seen = seen
        self._shaking: dict[TlsConnection, None] = {}
        self._open_ones: set[TlsConnection] = set()
        self._rejected_by: dict[str, float] = {}

    @property
    def is_usable(self) -> bool:
        """Whether it has certificates to work with."""
        return self._gate is not None

    def follow(self, policy: TlsPolicy, now: datetime) -> None:
        """Go by this policy from now on; one that cannot be used leaves everything as it was.

        Open connections stay, but for those of peers that it would not admit.
        """
        gate = self._gate
        stale = gate is not None and gate.stale_at is not None and gate.stale_at <= now
        if (gate is not None and policy == gate.policy and not stale) or (
            policy == self._refused_policy
        ):
            return
        try:
            self._gate = TlsGate(policy, now=now)
        except (ValueError, OSError) as error:  # SSLError is an OSError
            logger.error("trunk %s: its certificates cannot be used: %s", self.trunk, error)
            self._refused_policy = policy
            return
        self._refused_policy = None
        for connection in list(self._open_ones):
            connection.reconsider(self._gate)

    def began(self, connection: TlsConnection) -> None:
        """Keep count of handshakes under way."""
        if len(self._shaking) >= MOST_HANDSHAKES:
            next(iter(self._shaking)).abort()
        self._shaking[connection] = None

    def admitted(self, connection: TlsConnection, identity: Identity, now: datetime) -> None:
        """Keep a connection whose peer was let in."""
        self._shaking.pop(connection, None)
        self._open_ones.add(connection)
        self._seen(self.trunk, identity, now)

    def ended(self, connection: TlsConnection) -> None:
        """Forget a connection; of TLS 1.3 a peer's refusal comes after our handshake."""
        self._shaking.pop(connection, None)
        if connection in self._open_ones and connection.is_ours and not connection.has_heard:
            self._rejected_by[connection.peer] = time.monotonic() + REJECTION_LASTS
        self._open_ones.discard(connection)

    def _connection(self) -> TcpConnection:
        return self._make(None)

    def _make(self, host: str | None) -> TlsConnection:
        if self._gate is None:
            raise OSError(f"trunk {self.trunk} has no certificate for TLS")
        return TlsConnection(self._flows, self._intake, self._buffers, self, self._gate, host=host)

    def _serves(self, flow: Flow, name: str) -> bool:
        return isinstance(flow, TlsConnection) and flow.is_of_host(name)

    async def _open(self, host: str, port: int, name: str) -> Flow:
        peer = format_address(host, port)
        if self._rejected_by.get(peer, 0.0) > time.monotonic():
            raise OSError(f"{peer} hung up on our certificate")
        try:
            connection = self._make(name)
        except ValueError as error:  # what no certificate can name
            raise OSError(f"{name} is no host name: {error}") from error
        async with asyncio.timeout(CONNECT_TIMEOUT):
            await asyncio.get_running_loop().create_connection(lambda: connection, host, port)
            try:
                await connection.ready
            except BaseException:
                connection.abort()
                raise
        return connection
