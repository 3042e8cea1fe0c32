"""The way out to a chat's app.

The live connection that the chat came on, else the trunk's outbound proxy, else the caller's URI
(RFC 3263).
"""

from collections.abc import Callable

from sipgateway.flows import Flow, Flows, split_address
from sipgateway.outbound import ViaAddress
from sipgateway.resolve import Resolver, Target, UnresolvableUri
from sipgateway.tcp import TcpListener


class NoRoute(Exception):
    """There is no way to the app just now; the text says why."""


class Routes:
    """Finds flows, opening a connection where none is open."""

    def __init__(
        self,
        flows: Flows,
        tcp: TcpListener,
        *,
        outbound_proxy: Callable[[str], str],
        host: str,
        port: int,
        clock: Callable[[], float],
    ) -> None:
        self._resolver = Resolver(clock)
        self._flows = flows
        self._tcp = tcp
        self._outbound_proxy = outbound_proxy
        self._host = host
        self._port = port
        self._proxy_hosts: dict[str, str] = {}

    def via(self, flow: Flow) -> ViaAddress:
        """Say what our Via names on this flow."""
        return ViaAddress(flow.transport.upper(), self._host, self._port)

    def live(self, transport: str, peer: str) -> Flow | None:
        """Return the flow that a chat came on, while it is open."""
        return self._flows.find(transport, peer) if peer else None

    async def find(self, transport: str, peer: str, uri: str, *, trunk: str) -> Flow:
        """Find the way to an app of a trunk's chat; raises NoRoute."""
        flow = self.live(transport, peer)
        if flow is not None:
            return flow
        proxy = self._outbound_proxy(trunk)
        if not proxy:
            return await self._resolve(uri)
        flow = await self._resolve(proxy)
        self._proxy_hosts[proxy], _ = split_address(flow.peer)
        return flow

    def is_of_proxy(self, flow: Flow, trunk: str) -> bool:
        """Say whether a flow leads to a trunk's outbound proxy."""
        proxy = self._outbound_proxy(trunk)
        return bool(proxy) and split_address(flow.peer)[0] == self._proxy_hosts.get(proxy)

    async def _resolve(self, uri: str) -> Flow:
        """Find the way to where a URI leads (RFC 3263); raises NoRoute."""
        try:
            return await self._reach(await self._resolver.resolve(uri))
        except UnresolvableUri as error:
            raise NoRoute(str(error)) from error
        except (OSError, TimeoutError) as error:
            raise NoRoute(f"no connection to {uri}: {error}") from error

    async def _reach(self, target: Target) -> Flow:
        if target.transport == "tcp":
            return await self._tcp.connect(target.host, target.port)
        peer = f"[{target.host}]" if ":" in target.host else target.host
        flow = self._flows.find("udp", f"{peer}:{target.port}")
        if flow is None:
            raise NoRoute("no UDP socket")
        return flow
