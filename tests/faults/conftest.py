"""Fixtures of the tests in which something dies, hangs or refuses."""

from collections.abc import Iterator

import pytest

from tests.support.gateway import GatewayProcess
from tests.support.instance import Instance, running_instance
from tests.support.record import Record


@pytest.fixture
def gateway(record: Record, tmp_path) -> Iterator[GatewayProcess]:
    """A gateway that is not started yet; whatever of it is left at the end is killed."""
    process = GatewayProcess(record.database_url, tmp_path)
    yield process
    if process.is_running():
        process.kill()


@pytest.fixture(scope="session")
def whole() -> Iterator[Instance]:
    """An instance for the files that run alone: whatever fails on it is up again afterwards."""
    with running_instance() as running:
        yield running
