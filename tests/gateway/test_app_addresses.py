"""Where a stranger's URI may make the gateway write to: not to this machine, nor to itself."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from sipgateway.app_addresses import is_this_machine, why_not_called
from sipgateway.flows import Flow, Flows
from sipgateway.listeners import Listeners
from sipgateway.protocol.errors import RemoteProtocolError
from sipgateway.refusals import RefusalLog
from sipgateway.routes import NoRoute, Routes
from sipgateway.trunks import TrunkSettings
from tests.support.names import Names
from tests.support.ports import free_ports

EVERYWHERE, ALONE = "0.0.0.0", "127.0.0.1"  # noqa: S104


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.8.8.8",
        "::1",
        "::ffff:127.0.0.1",
        "64:ff9b::7f00:1",
        "0.0.0.0",  # noqa: S104
        "169.254.169.254",
        "fe80::1",
        "224.0.1.75",
        "255.255.255.255",
        "240.0.0.1",
    ],
)
def test_what_only_this_machine_or_this_link_reaches_is_no_app(host):
    assert (
        why_not_called(host, 5060, bound=EVERYWHERE, ports=()) == f"{host} is no address of an app"
    )


@pytest.mark.parametrize("host", ["192.0.2.9", "10.1.2.3", "fd00::7", "2001:4860:4860::8888"])
def test_private_and_public_networks_are_called(host):
    assert not why_not_called(host, 5060, bound=EVERYWHERE, ports={5060})


def test_who_listens_on_loopback_alone_has_its_apps_there_but_is_none_itself():
    assert not why_not_called("127.0.0.1", 40000, bound=ALONE, ports={5060})
    assert why_not_called("169.254.169.254", 80, bound=ALONE, ports={5060})
    assert why_not_called("127.0.0.1", 5060, bound=ALONE, ports={5060}) == (
        "127.0.0.1:5060 is ourselves"
    )


def test_a_listener_on_all_addresses_asks_the_system_which_are_this_machines():
    """Red when only the bound address is compared: the machine's others lead to it as well."""
    assert is_this_machine("127.0.0.1")
    assert not is_this_machine("192.0.2.9")


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_gateway_that_listens_outside_writes_to_no_app_on_its_loopback(transport):
    """Red when a URI leads wherever it points, as an AppUri or a Contact may say."""
    with socket.create_server((ALONE, 0)) as inside:
        uri = f"sip:x@127.0.0.1:{inside.getsockname()[1]};transport={transport}"
        async with routes(EVERYWHERE) as found:
            with pytest.raises(NoRoute, match="no address of an app"):
                await found("", "", uri, trunk="")
            assert (await found("", "", uri, trunk="", of_stranger=False)).transport == transport
        async with routes(EVERYWHERE, proxy=uri) as found:
            assert (await found("", "", "sip:x@169.254.1.1", trunk="")).transport == transport


async def test_a_name_that_leads_inside_is_judged_by_where_it_leads(monkeypatch):
    Names(monkeypatch).know("app.example.org", "127.0.0.1")
    async with routes(EVERYWHERE) as found:
        with pytest.raises(NoRoute, match=r"127\.0\.0\.1 is no address of an app"):
            await found("", "", "sip:x@app.example.org:5066;transport=tcp", trunk="")


async def test_a_gateway_is_never_its_own_app():
    """Red when only loopback is refused: our 200 to our own 265 would be taken for the app's."""
    (port,) = free_ports(1)
    async with routes(ALONE, port=port) as found:
        assert await found("", "", "sip:x@127.0.0.1:1;transport=udp", trunk="")
        with pytest.raises(NoRoute, match="is ourselves"):
            await found("", "", f"sip:x@127.0.0.1:{port}", trunk="")


@asynccontextmanager
async def routes(host: str, *, proxy: str = "", port: int = 0) -> AsyncIterator[Any]:
    """The gateway's ways out, on real sockets that listen on a host."""
    (free,) = free_ports(1)
    flows = Flows(lambda flow: None)
    listeners = Listeners(
        host=host,
        sip_port=port or free,
        sips_port=0,
        flows=flows,
        intake=Silent(),
        seen=lambda *seen: None,
    )
    await listeners.begin()
    try:
        yield Routes(
            flows,
            listeners,
            way_out=lambda trunk: TrunkSettings(outbound_proxy=proxy),
            host=host,
            clock=asyncio.get_running_loop().time,
        ).find
    finally:
        listeners.close()


class Silent:
    """Nobody writes to these sockets."""

    refusals = RefusalLog(lambda: 0.0)

    def receive(self, data: bytes, flow: Flow) -> bool:
        return True

    def refuse_oversized(self, header: bytes, flow: Flow) -> None: ...

    def refuse(self, error: RemoteProtocolError, flow: Flow) -> None: ...
