"""The console in Chromium, an app that we did not write at the other end."""

from collections.abc import AsyncIterator

import pytest_asyncio
from playwright.async_api import Browser, expect

from tests.support.desk import Desk
from tests.support.instance import Instance
from tests.support.kamailio import Kamailio
from tests.support.ng112 import NgApp

CLEARED = "UPDATE chats_chat SET disposition = 'test', closed_at = now(), ringing_since = NULL"


@pytest_asyncio.fixture(loop_scope="session")
async def screen(psap: Instance, browser: Browser) -> AsyncIterator[Desk]:
    """A call-taker's desk with an empty queue."""
    psap.execute(f"{CLEARED}, lease_until = NULL WHERE disposition IS NULL")
    desk = await Desk.open(browser)
    await desk.log_in(psap.url, "calltaker", psap.credentials["calltaker"])
    yield desk
    await desk.close()
    assert desk.complaints == []


async def test_a_call_taker_and_an_app_write_to_each_other(kamailio: Kamailio, screen: Desk):
    async with NgApp(kamailio.endpoint, "anna") as app:
        app.command("move", latitude=48.18, longitude=16.35, radius=15)
        await app.start("Meine Küche brennt! 🔥")
        await screen.answer()
        await expect(screen.message("Meine Küche brennt! 🔥")).to_be_visible()
        await screen.write("Wo sind Sie? 🚒")
        await app.hears("Wo sind Sie? 🚒")
        own = screen.message("Wo sind Sie? 🚒")
        await expect(own).to_have_attribute("data-status", "delivered")
        await app.say("Im zweiten Stock")
        await expect(screen.message("Im zweiten Stock")).to_have_attribute("data-direction", "in")
        await app.stop("Alles wieder gut")
        await expect(screen.message("Alles wieder gut")).to_be_visible()
