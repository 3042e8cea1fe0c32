"""Fixtures of the tests against a gateway process on real sockets and a real PostgreSQL."""

from collections.abc import Iterator

import pytest

from tests.support.gateway import GatewayProcess, running_gateway
from tests.support.record import Record
from tests.support.tls import Pki, make_tls_trunk


@pytest.fixture(scope="module")
def gateway(record: Record, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """One gateway for a module; no test may have made any of its tasks die."""
    with running_gateway(record.database_url, tmp_path_factory.mktemp("gateway")) as running:
        yield running
        assert running.is_running(), running.log()[-4000:]
        assert unexpected_errors(running.log()) == []


@pytest.fixture(scope="module")
def pki(record: Record) -> Pki:
    """Certificates, and a TLS trunk that goes by them."""
    made = Pki()
    make_tls_trunk(record, made)
    return made


def unexpected_errors(log: str) -> list[str]:
    """Return the errors that no test provokes on purpose."""
    lines = [line for line in log.splitlines() if " ERROR " in line]
    return [line for line in lines if "leases were not swept" not in line]  # an outage's
