"""Fixtures that all tests may use."""

from collections.abc import Iterator

import pytest
from django.conf import settings

from tests.support.conformance_plugin import ConformanceJudge
from tests.support.instance import Instance, running_instance
from tests.support.record import Record


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--write-conformance", action="store_true", help="write docs/conformance.md from this run"
    )


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        writes = config.getoption("--write-conformance")
        config.pluginmanager.register(ConformanceJudge(writes=writes), "conformance")
    # Hashing a password costs half a second on purpose; tests have nothing to protect.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Have the test database made for those who use it by other means than pytest-django's."""
    for item in items:
        if "record" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.django_db)


@pytest.fixture(scope="session")
def instance() -> Iterator[Instance]:
    """One running instance for the whole session; leave it as you found it."""
    with running_instance() as running:
        yield running


@pytest.fixture(scope="module")
def record(django_db_setup: None, django_db_blocker) -> Iterator[Record]:
    """The committed record: a PSAP and a call-taker to begin with, empty again afterwards."""
    with django_db_blocker.unblock():
        made = Record()
        try:
            made.seed()
            yield made
        finally:
            made.leave_empty()
