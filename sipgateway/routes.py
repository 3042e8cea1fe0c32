"""The way out to a chat's app.

The live connection that the chat came on, else the trunk's outbound proxy, else the caller's URI
(RFC 3263). What belongs to a TLS trunk leaves over TLS alone, unless the trunk allows more.
"""

import logging
from collections.abc import Callable

from sipgateway.flows import Flow, Flows, split_address
from sipgateway.listeners import Listeners
from sipgateway.outbound import ViaAddress
from sipgateway.protocol.overload import OFFER
from sipgateway.resolve import Resolver, Target, UnresolvableUri, asks_for_tls, host_of
from sipgateway.trunks import TLS, TrunkSettings

logger = logging.getLogger(__name__)

# How long what TLS did not reach is sent to by the fallback without trying TLS first.
FALLBACK_LASTS = 30.0

Exposed = Callable[[str], None]


class NoRoute(Exception):
    """There is no way to the app just now; the text says why."""


class Routes:
    """Finds flows, opening a connection where none is open."""

    def __init__(
        self,
        flows: Flows,
        listeners: Listeners,
        *,
        way_out: Callable[[str], TrunkSettings],
        host: str,
        clock: Callable[[], float],
    ) -> None:
        self._resolver = Resolver(clock)
        self._flows = flows
        self._listeners = listeners
        self._way_out = way_out
        self._host = host
        self._clock = clock
        self._proxy_hosts: dict[str, str] = {}
        self._without_tls: dict[str, float] = {}

    def via(self, flow: Flow) -> ViaAddress:
        """Say what our Via names on this flow; the outbound proxy may ask us for less."""
        offer = OFFER if self.is_of_proxy(flow, flow.trunk) else ""
        return ViaAddress(flow.transport.upper(), self._host, self._listeners.port_of(flow), offer)

    def live(self, transport: str, peer: str, trunk: str = "") -> Flow | None:
        """Return the flow that a chat came on, while it is open."""
        return self._flows.find(transport, peer, trunk) if peer else None

    async def find(
        self,
        transport: str,
        peer: str,
        uri: str,
        *,
        trunk: str,
        exposed: Exposed = lambda transport: None,
        of_stranger: bool = True,
    ) -> Flow:
        """Find the way to an app of a trunk's chat; raises NoRoute.

        `exposed` is told the transport when TLS failed and the trunk's fallback takes its place.
        `of_stranger` is False for a URI that the administrator wrote: it leads anywhere.
        """
        flow = self.live(transport, peer, trunk)
        if flow is not None:
            return flow
        settings = self._way_out(trunk)
        proxy = settings.outbound_proxy
        guarded = of_stranger and not proxy
        if settings.transport == TLS or asks_for_tls(proxy or uri):
            flow = await self._secure(proxy or uri, settings, exposed, guarded)
        else:
            flow = await self._plain(proxy or uri, settings, guarded)
        if proxy:
            self._proxy_hosts[proxy], _ = split_address(flow.peer)
        return flow

    def is_of_proxy(self, flow: Flow, trunk: str) -> bool:
        """Say whether a flow leads to a trunk's outbound proxy."""
        proxy = self._way_out(trunk).outbound_proxy
        return bool(proxy) and split_address(flow.peer)[0] == self._proxy_hosts.get(proxy)

    async def _secure(
        self, uri: str, settings: TrunkSettings, exposed: Exposed, guarded: bool
    ) -> Flow:
        """Find the way over TLS, else by what the trunk allows instead (clause 6.1.1)."""
        failed_until = self._without_tls.get(uri, 0.0)
        if not settings.fallback or failed_until <= self._clock():
            try:
                return await self._reach_securely(uri, settings, guarded)
            except NoRoute as error:
                if not settings.fallback:
                    raise
                logger.warning("%s: falling back to %s", error, settings.fallback)
                self._without_tls[uri] = self._clock() + FALLBACK_LASTS
        flow = await self._plain(uri, settings, guarded, instead_of_tls=settings.fallback)
        exposed(flow.transport)
        return flow

    async def _reach_securely(self, uri: str, settings: TrunkSettings, guarded: bool) -> Flow:
        listener = self._listeners.tls(settings.name)
        if listener is None:
            raise NoRoute(f"no TLS to {uri}: there is no certificate to show")
        try:
            target = await self._target(uri, guarded, over="tls")
            return await listener.connect(target.host, target.port, name=host_of(uri))
        except UnresolvableUri as error:
            raise NoRoute(str(error)) from error
        except (OSError, TimeoutError) as error:
            raise NoRoute(f"no TLS to {uri}: {error or 'no answer'}") from error

    async def _plain(
        self, uri: str, settings: TrunkSettings, guarded: bool, *, instead_of_tls: str = ""
    ) -> Flow:
        """Find the way to where a URI leads (RFC 3263); raises NoRoute."""
        try:
            target = await self._target(uri, guarded, over=instead_of_tls)
            return await self._reach(target, settings.name)
        except UnresolvableUri as error:
            raise NoRoute(str(error)) from error
        except (OSError, TimeoutError) as error:
            raise NoRoute(f"no connection to {uri}: {error}") from error

    async def _target(self, uri: str, guarded: bool, *, over: str) -> Target:
        """Resolve; what is looked at is the address that is then sent to, not the name."""
        target = await self._resolver.resolve(uri, over=over)
        if guarded and (why := self._listeners.why_not_called(target.host, target.port)):
            raise NoRoute(f"{uri} leads nowhere: {why}")
        return target

    async def _reach(self, target: Target, trunk: str) -> Flow:
        if target.transport == "tcp":
            listener = self._listeners.tcp(trunk)
            if listener is None:
                raise NoRoute("no trunk for TCP")
            return await listener.connect(target.host, target.port)
        peer = f"[{target.host}]" if ":" in target.host else target.host
        flow = self._flows.find("udp", f"{peer}:{target.port}", trunk)
        if flow is None:
            raise NoRoute("no UDP socket")
        return flow
