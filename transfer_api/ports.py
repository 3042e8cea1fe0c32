"""Where peers come in: the port with TLS, as the admin has its certificates now, and the socket.

Each connection takes the context of the moment in which it is accepted. So a certificate, an
authority or a revocation list changes without a port being closed or a connection dropped.
"""

import asyncio
import errno
import logging
import os
import socket
import stat
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from psap.certificates import Identity
from psap.tls import TlsGate, TlsPolicy, Vetting
from transfer_api.connections import Connections

logger = logging.getLogger(__name__)

BACKLOG = 512
PAUSE = 0.2  # when no connection can be accepted, such as for want of file descriptors
NO_CERTIFICATE = "no port for peers: the PSAP's page names no peer certificate"

Take = Callable[[socket.socket, object], None]


class Ports:
    """Follows the configuration: opens the port once there is a certificate."""

    def __init__(self, connections: Connections, *, host: str, port: int) -> None:
        self._connections = connections
        self._host, self._port = host, port
        self._loop = asyncio.get_running_loop()
        self._gate: TlsGate | None = None
        self._refused_policy: TlsPolicy | None = None
        self._vetting, self._vetted_policy = Vetting(()), TlsPolicy()
        self._door: _Door | None = None
        self._proxy_door: _Door | None = None
        self._socket: Path | None = None
        self._complaint = ""
        self._wanted = False

    @property
    def is_open(self) -> bool:
        """Whether peers can come by TLS, or need not, since there is no certificate."""
        return self._door is not None or not self._wanted

    def follow(self, policy: TlsPolicy, now: datetime) -> None:
        """Go by this policy from now on; one that cannot be used leaves everything as it was."""
        self._wanted = bool(policy.chain)
        if not policy.chain:
            self._close_port()
            self._vet_for_proxy(policy)
        elif self._is_news(policy, now):
            try:
                self._gate = TlsGate(policy, now=now)
                self._refused_policy = None
            except (ValueError, OSError) as error:  # SSLError is an OSError
                self._refused_policy = policy
                logger.error("the certificates for peers cannot be used: %s", error)
        if self._gate is not None and self._door is None:
            self._open_port()

    def vet(self, identity: Identity) -> None:
        """Look at a verified certificate once more, by what the admin says now; NotAdmitted."""
        (self._gate or self._vetting).vet(identity)

    def open_socket(self, path: Path) -> None:
        """Listen for a TLS proxy on this Unix socket; raises OSError."""
        _remove_stale(path)
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            listening.bind(str(path))
            os.chmod(path, 0o660)  # whoever may write here may say that it is any peer
            listening.listen(BACKLOG)
        except OSError:
            listening.close()
            raise
        self._proxy_door = _Door(listening, self._take_from_proxy)
        self._socket = path

    def close(self) -> None:
        """Accept nobody any more."""
        if self._door is not None:
            self._door.close()
        if self._proxy_door is not None:
            self._proxy_door.close()
        if self._socket is not None:
            self._socket.unlink(missing_ok=True)
        self._door = self._proxy_door = self._socket = None

    def _vet_for_proxy(self, policy: TlsPolicy) -> None:
        """Without a port of ours a proxy verifies; what was revoked here is so there too."""
        if policy == self._vetted_policy:
            return
        self._vetted_policy = policy
        try:
            self._vetting = Vetting(policy.authorities)
        except ValueError as error:
            logger.error("the revocation lists for peers cannot be used: %s", error)

    def _is_news(self, policy: TlsPolicy, now: datetime) -> bool:
        gate = self._gate
        if gate is None:
            return policy != self._refused_policy
        stale = gate.stale_at is not None and gate.stale_at <= now
        return stale or policy not in (gate.policy, self._refused_policy)

    def _open_port(self) -> None:
        try:
            family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
            listening = socket.create_server(
                (self._host, self._port), family=family, backlog=BACKLOG
            )
        except OSError as error:
            if str(error) != self._complaint:
                logger.error("port %d for peers cannot be opened: %s", self._port, error)
            self._complaint = str(error)
            return
        self._complaint = ""
        self._door = _Door(listening, self._take)
        logger.info("peers are served on %s, port %d", self._host, self._port)

    def _close_port(self) -> None:
        if self._door is not None:
            self._door.close()
        if self._gate is not None or self._complaint != NO_CERTIFICATE:
            logger.info(NO_CERTIFICATE)
        self._door = self._gate = self._refused_policy = None
        self._complaint = NO_CERTIFICATE

    def _take(self, accepted: socket.socket, address: object) -> None:
        host = str(address[0]) if isinstance(address, tuple) else ""
        if self._gate is None:
            accepted.close()
            return
        self._connections.take(accepted, host, self._gate.server)

    def _take_from_proxy(self, accepted: socket.socket, _address: object) -> None:
        self._connections.take(accepted, "", None)


class _Door:
    """A listening socket and who accepts at it."""

    def __init__(self, listening: socket.socket, take: Take) -> None:
        listening.setblocking(False)
        self._listening, self._take = listening, take
        self._accepting = asyncio.create_task(self._accept())

    def close(self) -> None:
        # First the loop must have let go of the descriptor, which the next socket may get.
        self._accepting.add_done_callback(lambda _: self._listening.close())
        self._accepting.cancel()

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                accepted, address = await loop.sock_accept(self._listening)
            except OSError as error:
                logger.warning("a connection of a peer could not be accepted: %s", error)
                await asyncio.sleep(PAUSE)
                continue
            self._take(accepted, address)


def _remove_stale(path: Path) -> None:
    """Remove what a process left that died; raises OSError where somebody listens."""
    if not path.exists() or not stat.S_ISSOCK(path.stat().st_mode):
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            path.unlink(missing_ok=True)
            return
    raise OSError(errno.EADDRINUSE, "another process listens", str(path))
