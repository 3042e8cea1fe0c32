"""A running instance, a browser at a desk, callers that ring there."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from sipgateway.simulator.app import SimulatedApp
from sipgateway.simulator.transport import Target
from tests.support.cuttable import CuttableProxy, cuttable_proxy
from tests.support.desk import Desk
from tests.support.instance import Instance
from tests.support.rooms import EMPTY_THE_QUEUE, Rooms, control_rooms

OpenDesk = Callable[..., Awaitable[Desk]]
Call = Callable[..., Awaitable[SimulatedApp]]


@pytest.fixture(scope="session")
def rooms() -> Iterator[Rooms]:
    """Three control rooms, each the others' peers."""
    times = {"offer_time": 60, "answer_time": 90, "execution_time": 60}
    with control_rooms("a", "b", "c", **times) as rooms:
        yield rooms


@pytest.fixture
def empty_queue(instance: Instance) -> None:
    """Leave no chat of an earlier test in the queue: keys act on whoever waits longest."""
    instance.execute(EMPTY_THE_QUEUE)


@pytest_asyncio.fixture(loop_scope="session")
async def open_desk(
    instance: Instance, empty_queue: None, browser: Browser
) -> AsyncIterator[OpenDesk]:
    """Return `open_desk(username="calltaker", url=…)`: a desk, logged in.

    No desk may end with a script's error or a refusal of the content security policy.
    """
    desks: list[Desk] = []

    async def open_desk(username: str = "calltaker", url: str = "") -> Desk:
        desk = await Desk.open(browser)
        desks.append(desk)
        await desk.log_in(url or instance.url, username, instance.credentials[username])
        return desk

    yield open_desk
    for desk in desks:
        await desk.close()
    assert [desk.complaints for desk in desks] == [[] for _ in desks]


@pytest_asyncio.fixture(loop_scope="session")
async def call(instance: Instance, empty_queue: None) -> AsyncIterator[Call]:
    """Return `call(text)`: an app that has started a chat; not `located`, it tells no place.

    Not `started`, it has not begun; `options` are those of SimulatedApp.
    """
    async with AsyncExitStack() as apps:

        async def call(
            text: str = "Help", *, located: bool = True, started: bool = True, **options: Any
        ) -> SimulatedApp:
            target = Target("tcp", "127.0.0.1", instance.sip_port)
            app = await apps.enter_async_context(SimulatedApp(target, **options))
            if not located:
                app.location = None
            if started:
                await app.start(text)
            return app

        yield call


@pytest_asyncio.fixture(loop_scope="session")
async def proxy(instance: Instance) -> AsyncIterator[CuttableProxy]:
    """A way to the web process that can be cut."""
    async with cuttable_proxy(instance.http_port) as proxy:
        yield proxy
