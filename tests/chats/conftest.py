"""Fixtures of the tests of the record and the console."""

from collections.abc import Iterator

import pytest

from chats.database_threads import database_threads
from psap.models import User
from tests.support.chats import make_user


@pytest.fixture(autouse=True)
def threads_end() -> Iterator[None]:
    """Leave no connection to the test database behind."""
    yield
    database_threads.close()


@pytest.fixture
def anna(db: None) -> User:
    return make_user("anna")


@pytest.fixture
def berta(db: None) -> User:
    return make_user("berta")
