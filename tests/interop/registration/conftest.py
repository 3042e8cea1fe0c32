"""A SIP core, a gateway and a registrar for the tests of registrations, one of each a module."""

from collections.abc import Iterator

import pytest

from psap.models import Trunk
from tests.support.accounts import PSAP
from tests.support.core import PASSWORD, Core, running_core
from tests.support.gateway import GatewayProcess, running_gateway
from tests.support.record import Record
from tests.support.registrar import RegistrarProcess, running_registrar


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Core]:
    with running_core(tmp_path_factory.mktemp("core")) as running:
        yield running


@pytest.fixture(scope="module")
def gateway(record: Record, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    record.configure(public_uri=PSAP)
    # The core challenges what comes from its users; the trunk answers for the gateway.
    record.run(lambda: Trunk.objects.update(username="psap", password=PASSWORD))
    with running_gateway(record.database_url, tmp_path_factory.mktemp("gateway")) as running:
        yield running


@pytest.fixture(scope="module")
def registrar(
    gateway: GatewayProcess, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RegistrarProcess]:
    with running_registrar(gateway, tmp_path_factory.mktemp("registrar")) as running:
        yield running
