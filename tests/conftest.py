"""Fixtures that all tests may use."""

from collections.abc import Iterator

import pytest
from django.conf import settings

from tests.support.instance import Instance, running_instance


def pytest_configure(config: pytest.Config) -> None:
    # Hashing a password costs half a second on purpose; tests have nothing to protect.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(scope="session")
def instance() -> Iterator[Instance]:
    """One running instance for the whole session; leave it as you found it."""
    with running_instance() as running:
        yield running
