"""What we listen on: opened, closed and changed as the admin says, and never a connection dropped.

A plain trunk has a UDP and a TCP socket on its port, a TLS trunk a TCP socket. A plain trunk with
a certificate can still call over TLS.
"""

import logging
from collections.abc import Coroutine
from datetime import UTC, datetime

from sipgateway.app_addresses import why_not_called
from sipgateway.configuration import Configuration
from sipgateway.flows import Flow, Flows
from sipgateway.tcp import Buffers, StreamIntake, TcpListener
from sipgateway.tls_listener import Seen, TlsListener
from sipgateway.trunks import TLS, TrunkSettings
from sipgateway.udp import UdpListener

logger = logging.getLogger(__name__)


class PlainListener:
    """UDP and TCP on one port."""

    def __init__(
        self, host: str, port: int, flows: Flows, intake: StreamIntake, buffers: Buffers
    ) -> None:
        self._host, self._port, self._receive = host, port, intake.receive
        self.udp: UdpListener | None = None
        self.tcp = TcpListener(flows, intake, buffers)

    @property
    def trunk(self) -> str:
        """The trunk's name."""
        return self.tcp.trunk

    async def listen(self) -> None:
        """Bind both; raises OSError when one is taken."""
        self.udp = UdpListener(self._host, self._port, self._receive, trunk=self.trunk)
        try:
            await self.tcp.listen(self._host, self._port)
        except OSError:
            self.close()
            raise

    def rename(self, trunk: str) -> None:
        """Take another trunk's name, for its connections too."""
        self.tcp.trunk = trunk
        if self.udp is not None:
            self.udp.trunk = trunk

    def close(self) -> None:
        """Stop listening."""
        self.tcp.close()
        if self.udp is not None:
            self.udp.close()
            self.udp = None


class Listeners:
    """Every socket that is bound, by its port, and the ways out that belong to each trunk."""

    def __init__(
        self,
        *,
        host: str,
        sip_port: int,
        sips_port: int,
        flows: Flows,
        intake: StreamIntake,
        seen: Seen,
    ) -> None:
        self._host = host
        self._sip_port = sip_port
        self._sips_port = sips_port
        self._flows = flows
        self._intake = intake
        self._seen = seen
        self._buffers = Buffers()
        self._plain: dict[int, PlainListener] = {}
        self._tls: dict[int, TlsListener] = {}
        self._callers: dict[str, TlsListener] = {}  # of plain trunks, by name
        self._failed: dict[int, str] = {}
        flows.serve_datagrams(self.datagrams)

    async def begin(self) -> None:
        """Listen on PSAP_SIP_PORT before anything is known; raises OSError when it is taken."""
        await self._open_plain(self._sip_port, "")

    async def follow(self, configuration: Configuration) -> None:
        """Listen on what the trunks say from now on; what is taken is tried again next time."""
        plain, tls = self._wanted(configuration)
        for port in [port for port in self._plain if port not in plain]:
            closed = self._plain.pop(port)
            closed.close()
            if not closed.trunk:  # it was open before anybody knew that it should not be
                closed.tcp.abort_connections()
            logger.info("no longer listening on port %d, UDP and TCP", port)
        for port in [port for port in self._tls if port not in tls]:
            self._tls.pop(port).close()
            logger.info("no longer listening on port %d, TLS", port)
        self._failed = {p: why for p, why in self._failed.items() if p in plain or p in tls}
        for port, trunk in plain.items():
            if port in self._plain:
                self._plain[port].rename(trunk.name)
            else:
                await self._try(port, self._open_plain(port, trunk.name))
        now = datetime.now(UTC)
        for port, trunk in tls.items():
            listener = self._tls.setdefault(port, self._new_tls())
            listener.trunk = trunk.name
            listener.follow(trunk.tls, now)
            if listener.is_usable and not listener.is_listening:
                await self._try(port, self._open_tls(port, listener))
        self._follow_callers(list(plain.values()), now)

    def datagrams(self, peer: str, trunk: str) -> Flow | None:
        """Return the way to a datagram peer from a trunk's socket, else from any."""
        listener = self._plain_of(trunk)
        return listener.udp.flow(peer) if listener is not None and listener.udp else None

    def tcp(self, trunk: str) -> TcpListener | None:
        """Return what opens TCP connections for a trunk."""
        listener = self._plain_of(trunk)
        return listener.tcp if listener is not None else None

    def tls(self, trunk: str) -> TlsListener | None:
        """Return what opens TLS connections for a trunk: its own, else that of the first."""
        usable = [one for one in (*self._tls.values(), *self._callers.values()) if one.is_usable]
        named = [one for one in usable if one.trunk == trunk]
        return next(iter(named or usable), None)

    def port_of(self, flow: Flow) -> int:
        """Return the port that our Via names on a flow."""
        listeners: dict[int, PlainListener] | dict[int, TlsListener]
        listeners, default = (
            (self._tls, self._sips_port) if flow.transport == TLS else (self._plain, self._sip_port)
        )
        ports = (port for port, listener in listeners.items() if listener.trunk == flow.trunk)
        return next(ports, default)

    def why_not_called(self, host: str, port: int) -> str:
        """Say why no app is called at an address, "" for nothing against it (docs/sip.md)."""
        return why_not_called(host, port, bound=self._host, ports={*self._plain, *self._tls})

    def close(self) -> None:
        """Stop listening everywhere."""
        for listener in (*self._plain.values(), *self._tls.values()):
            listener.close()

    def _wanted(
        self, configuration: Configuration
    ) -> tuple[dict[int, TrunkSettings], dict[int, TrunkSettings]]:
        """Trunks by port, plain and TLS; of two on one port the first has it."""
        plain: dict[int, TrunkSettings] = {}
        tls: dict[int, TrunkSettings] = {}
        if not configuration.has_trunk_rows:
            plain[self._sip_port] = TrunkSettings()
        for trunk in configuration.trunks.values():
            own, default = (
                (tls, self._sips_port) if trunk.transport == TLS else (plain, self._sip_port)
            )
            port = trunk.port or default
            if port in plain or port in tls:
                self._complain(port, f"trunk {trunk.name}: port {port} belongs to another trunk")
            else:
                own[port] = trunk
        return plain, tls

    def _plain_of(self, trunk: str) -> PlainListener | None:
        listeners = list(self._plain.values())
        named = [listener for listener in listeners if listener.trunk == trunk]
        return next(iter(named or listeners), None)

    async def _open_plain(self, port: int, trunk: str) -> None:
        listener = PlainListener(self._host, port, self._flows, self._intake, self._buffers)
        listener.rename(trunk)
        await listener.listen()
        self._plain[port] = listener
        logger.info("listening on %s:%d, UDP and TCP", self._host, port)

    async def _open_tls(self, port: int, listener: TlsListener) -> None:
        await listener.listen(self._host, port)
        logger.info("listening on %s:%d, TLS", self._host, port)

    def _new_tls(self) -> TlsListener:
        return TlsListener(self._flows, self._intake, self._buffers, seen=self._seen)

    def _follow_callers(self, plain: list[TrunkSettings], now: datetime) -> None:
        """Keep ready what opens TLS connections for plain trunks that have a certificate."""
        with_certificate = {trunk.name: trunk for trunk in plain if trunk.tls.chain}
        for name in [name for name in self._callers if name not in with_certificate]:
            del self._callers[name]
        for name, trunk in with_certificate.items():
            caller = self._callers.setdefault(name, self._new_tls())
            caller.trunk = name
            caller.follow(trunk.tls, now)

    async def _try(self, port: int, opening: Coroutine[None, None, None]) -> None:
        try:
            await opening
        except OSError as error:
            self._complain(port, f"not listening on port {port}: {error}")
        else:
            self._failed.pop(port, None)

    def _complain(self, port: int, why: str) -> None:
        if self._failed.get(port) != why:  # once, not at each look
            logger.error("%s", why)
        self._failed[port] = why
