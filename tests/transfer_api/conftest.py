"""Fixtures of the tests against a peer interface over real TLS and a real PostgreSQL."""

from collections.abc import Iterator

import pytest

from tests.support.peerapi import PeerApiProcess, configure_peers
from tests.support.record import Record
from tests.support.tls import Pki


@pytest.fixture(scope="module")
def pki() -> Pki:
    """One authority, our certificate, the neighbour's, and one of its that was revoked."""
    return Pki()


@pytest.fixture(scope="module")
def neighbour(record: Record, pki: Pki) -> int:
    """A peer that may call us, by certificate and by token; its id."""
    return configure_peers(record, pki)


def unexpected_errors(log: str) -> list[str]:
    """Return the errors that no test provokes on purpose."""
    lines = [line for line in log.splitlines() if " ERROR " in line]
    return [line for line in lines if "certificates for peers cannot be used" not in line]


@pytest.fixture(scope="module")
def api(
    record: Record, neighbour: int, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PeerApiProcess]:
    """One peer interface for a module; nothing in it may have failed."""
    running = PeerApiProcess(record.database_url, tmp_path_factory.mktemp("peerapi"))
    try:
        running.start()
        running.wait_for_port()
        yield running
        assert running.is_running(), running.log()[-4000:]
        assert unexpected_errors(running.log()) == []
        assert "Traceback" not in running.log(), running.log()[-4000:]
        assert running.stop() == 0
    finally:
        running.kill()
