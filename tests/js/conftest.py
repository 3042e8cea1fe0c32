"""Chromium with the console's modules: from a server of static files, and on a stage."""

import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from psap.project.environment import PROJECT_ROOT
from tests.support.stage import Stage


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        """Say nothing between the dots of the tests."""


@pytest.fixture(scope="module")
def static_server():
    """The project's folder over HTTP; modules cannot be imported from file: addresses."""
    handler = partial(QuietHandler, directory=str(PROJECT_ROOT))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def page(static_server: str, browser: Browser) -> AsyncIterator[Page]:
    """A page of the server of static files, to import modules into."""
    page = await browser.new_page()
    await page.goto(f"{static_server}/static/console/")
    yield page
    await page.context.close()


@pytest_asyncio.fixture(loop_scope="session")
async def on_stage(browser: Browser) -> AsyncIterator[Callable[..., Awaitable[Stage]]]:
    """Return `on_stage(cards=…, conversations=…)`: the console before a server that is played.

    No page may end with a script's error.
    """
    stages: list[Stage] = []

    async def on_stage(*args: Any, **said: Any) -> Stage:
        stages.append(await Stage.open(browser, *args, **said))
        return stages[-1]

    yield on_stage
    for stage in stages:
        await stage.page.context.close()
    assert [stage.complaints for stage in stages] == [[] for _ in stages]
