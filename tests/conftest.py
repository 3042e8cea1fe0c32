"""Fixtures that all tests may use."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from django.conf import settings
from playwright.async_api import Browser, async_playwright

from tests.support.conformance_plugin import ConformanceJudge
from tests.support.desk import launch_chromium
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
    """Have the test database made also by `record`; whoever has a browser is in its event loop."""
    for item in items:
        fixtures = getattr(item, "fixturenames", ())
        if "record" in fixtures:
            item.add_marker(pytest.mark.django_db)
        if "browser" in fixtures:
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest.fixture(scope="session")
def instance() -> Iterator[Instance]:
    """One running instance for the whole session; leave it as you found it."""
    with running_instance() as running:
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Debian's Chromium for the whole session; a test closes each context that it opens."""
    async with async_playwright() as playwright:
        browser = await launch_chromium(playwright)
        yield browser
        await browser.close()


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
