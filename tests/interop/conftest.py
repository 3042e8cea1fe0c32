"""Real peers: a whole instance behind Kamailio, ng112-js as the app, a call-taker at a console."""

from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path

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
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the certificates of both ends stand, once `psap` is running."""
    return tmp_path_factory.mktemp("certificates")


@pytest.fixture(scope="package")
def psap(certificates: Path) -> Iterator[Instance]:
    """One instance for all interop tests, with TLS and its public URI at the BCF."""
    with running_instance() as instance:
        instance.execute(
            "UPDATE psap_psap"
            " SET public_uri = %s, greeting = %s, lost_after = %s, heartbeat_interval = %s",
            [PSAP_URI, GREETING, LOST_AFTER, HEARTBEAT],
        )
        instance.manage("devca", str(certificates), "--install")
        restart_gateway(instance)
        yield instance
        log = (instance.state_dir / "log" / "gateway.log").read_text(errors="replace")
        assert [line for line in log.splitlines() if " ERROR " in line or "Traceback" in line] == []


def restart_gateway(psap: Instance) -> None:
    """Have the gateway start anew with what the admin says now."""
    psap.wait_until_restarted("gateway", psap.kill("gateway"))
    wait_until(lambda: options_status(psap.sip_port, 0.3) == 200, 20, "the gateway serves")


def stand_behind(psap: Instance, proxy: Kamailio, trunk: str) -> None:
    """Have what is sent on a kind of trunk leave by a proxy."""
    psap.execute(
        "UPDATE psap_trunk SET outbound_proxy = %s WHERE transport = %s", [proxy.proxy_uri, trunk]
    )


@pytest.fixture(scope="package")
def kamailio(
    psap: Instance, certificates: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Kamailio]:
    """The BCF in front of it; between the two TLS, each with its certificate."""
    with running_kamailio(
        tmp_path_factory.mktemp("kamailio"),
        psap_port=psap.environment.sips_port,
        tls=certificates,
    ) as running:
        stand_behind(psap, running, "tls")
        yield running


@pytest.fixture(scope="package")
def cookie(psap: Instance) -> str:
    return log_in(psap, "calltaker")


@pytest.fixture
async def desk(psap: Instance, cookie: str) -> AsyncIterator[LiveConsole]:
    """A call-taker at a console."""
    async with LiveConsole(psap, cookie) as console:
        yield console
