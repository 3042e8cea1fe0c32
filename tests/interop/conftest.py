"""Real peers: a whole instance behind Kamailio, ng112-js as the app, a call-taker at a console."""

from collections.abc import AsyncIterator, Generator, Iterator

import pytest

from tests.support.gateway import options_status
from tests.support.instance import Instance, running_instance, wait_until
from tests.support.kamailio import PSAP_URI, Kamailio, running_kamailio
from tests.support.live_console import LiveConsole, log_in

GREETING = "Notruf, was ist passiert?"
LOST_AFTER = 5
HEARTBEAT = 2
TAIL = 4000


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Function,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show with a failure what the peers have said."""
    report = yield
    if report.failed:
        peers = {**item.funcargs}
        if isinstance(kamailio := peers.get("kamailio"), Kamailio):
            report.sections.append(("Kamailio", kamailio.log()[-TAIL:]))
        if isinstance(psap := peers.get("psap"), Instance):
            log = psap.state_dir / "log" / "gateway.log"
            report.sections.append(("gateway", log.read_text(errors="replace")[-TAIL:]))
    return report


@pytest.fixture(scope="package")
def psap() -> Iterator[Instance]:
    """One instance for all interop tests, with its public URI at the BCF."""
    with running_instance() as instance:
        instance.execute(
            "UPDATE psap_psap"
            " SET public_uri = %s, greeting = %s, lost_after = %s, heartbeat_interval = %s",
            [PSAP_URI, GREETING, LOST_AFTER, HEARTBEAT],
        )
        restart_gateway(instance)
        yield instance


def restart_gateway(psap: Instance) -> None:
    """Have the gateway start anew with what the admin says now."""
    psap.wait_until_restarted("gateway", psap.kill("gateway"))
    wait_until(lambda: options_status(psap.sip_port, 0.3) == 200, 20, "the gateway serves")


@pytest.fixture(scope="package")
def kamailio(psap: Instance, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kamailio]:
    """The BCF in front of it."""
    directory = tmp_path_factory.mktemp("kamailio")
    with running_kamailio(directory, psap_port=psap.sip_port) as running:
        psap.execute("UPDATE psap_trunk SET outbound_proxy = %s", [running.proxy_uri])
        yield running


@pytest.fixture(scope="package")
def cookie(psap: Instance) -> str:
    return log_in(psap, "calltaker")


@pytest.fixture
async def desk(psap: Instance, cookie: str) -> AsyncIterator[LiveConsole]:
    """A call-taker at a console."""
    async with LiveConsole(psap, cookie) as console:
        yield console
