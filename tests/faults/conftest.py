"""Fixtures of the tests in which something dies, hangs or refuses."""

from collections.abc import Iterator

import pytest

from tests.support.gateway import GatewayProcess
from tests.support.record import Record


@pytest.fixture
def gateway(record: Record, tmp_path) -> Iterator[GatewayProcess]:
    """A gateway that is not started yet; whatever of it is left at the end is killed."""
    process = GatewayProcess(record.database_url, tmp_path)
    yield process
    if process.is_running():
        process.kill()
