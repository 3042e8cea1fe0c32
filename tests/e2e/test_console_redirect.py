"""A call-taker passes a chat on to another control room, in a browser, against a whole instance."""

import asyncio
from collections.abc import AsyncIterator

import pytest_asyncio
from playwright.async_api import expect

from sipgateway.simulator import lmpe
from sipgateway.simulator.app import SimulatedApp
from tests.e2e.conftest import Call, OpenDesk
from tests.support.desk import Desk
from tests.support.instance import Instance
from tests.support.psap import Manners, SmallPsap

NAME = "Leitstelle Tirol"
PATIENCE = 5


@pytest_asyncio.fixture(loop_scope="session")
async def other(instance: Instance) -> AsyncIterator[SmallPsap]:
    """Another control room, known to ours as a peer."""
    instance.execute("UPDATE psap_psap SET redirect_patience = %s RETURNING id", [PATIENCE])
    async with SmallPsap(Manners(greeting_type=None)) as psap:
        uri = f"sip:psap-b@127.0.0.1:{psap.port}"
        instance.execute(
            "INSERT INTO psap_peer (name, uris, agreement) VALUES (%s, %s, true) RETURNING id",
            [NAME, uri],
        )
        yield psap
    instance.execute("DELETE FROM psap_peer WHERE name = %s RETURNING id", [NAME])


async def redirect(desk: Desk) -> None:
    """Redirect the chat that was just answered to the one peer."""
    await desk.press("Escape", "d")
    await expect(desk.page.locator("#pass-on-dialog")).to_be_visible()
    await expect(desk.page.locator("#pass-on-peer option:checked")).to_have_text(NAME)
    await desk.press("Control+Enter")
    await expect(desk.page.locator("#pass-on-dialog")).to_be_hidden()


async def still_alive(desk: Desk, app: SimulatedApp) -> None:
    """Let the app be heard until the redirect has failed for it."""
    returned = desk.notice("The chat is yours again")
    while not await returned.count():
        await app.heartbeat()


async def test_a_redirect_is_followed_step_by_step_until_the_other_has_the_chat(
    open_desk: OpenDesk, call: Call, other: SmallPsap
):
    desk = await open_desk()
    app = await call("Hilfe in Kufstein")
    await desk.answer()
    await redirect(desk)
    told = await app.wait_for_type(lmpe.STOP_REDIRECT, 15)
    assert told.text == await desk.page.locator("#pass-on-text").input_value()
    await other.until(lambda: bool(other.of_type(lmpe.START_REDIRECT)))
    strip = desk.page.locator("#redirect-strip")
    await expect(strip).to_contain_text(f"This chat is with {NAME} now")
    await expect(desk.page.locator("#composer-send")).to_be_disabled()
    await expect(desk.page.locator("#conversation-state")).to_contain_text(f"to {NAME}")
    passed = desk.page.locator('.message[data-direction="in"] .message-status')
    await expect(passed.last).to_have_text(f"Passed on to {NAME}")
    await desk.press("Escape", "c")
    await expect(desk.page.locator("#close-text-field")).to_be_hidden()
    await desk.page.locator("#close-disposition").select_option("resolved")
    await desk.press("Control+Enter")
    await expect(desk.section("mine")).to_have_count(0)


async def test_an_app_that_stays_comes_back_with_an_alarm_and_the_draft_is_there(
    open_desk: OpenDesk, call: Call, other: SmallPsap
):
    desk = await open_desk()
    app = await call("Hilfe", follows="")
    await desk.answer()
    await desk.page.keyboard.insert_text("noch nicht gesendet")
    await redirect(desk)
    await app.wait_for_type(lmpe.STOP_REDIRECT, 15)
    strip = desk.page.locator("#redirect-strip")
    await expect(strip).to_contain_text(f"Redirecting to {NAME}")
    await expect(desk.page.locator("#composer-send")).to_be_disabled()
    await asyncio.wait_for(still_alive(desk, app), 60)
    await expect(strip).to_contain_text(f"Redirect to {NAME} ended")
    await expect(desk.page.locator("#composer-text")).to_have_value("noch nicht gesendet")
    await desk.page.locator("#redirect-read").click()
    await desk.press("Enter")
    assert await app.wait_for(lambda message: message.text == "noch nicht gesendet", 15)


async def test_a_redirect_is_taken_back_by_its_call_taker(
    open_desk: OpenDesk, call: Call, other: SmallPsap
):
    desk = await open_desk()
    app = await call("Hilfe", follows="")
    await desk.answer()
    await redirect(desk)
    await app.wait_for_type(lmpe.STOP_REDIRECT, 15)
    await desk.page.locator("#take-back").click()
    await expect(desk.page.locator("#redirect-strip")).to_contain_text("ended: taken back")
    await expect(desk.page.locator("#composer-send")).to_be_enabled()
    await desk.page.locator("#composer-text").focus()
    await desk.write("Wir sind wieder da")
    assert await app.wait_for(lambda message: message.text == "Wir sind wieder da", 15)


async def test_an_app_that_ends_on_a_redirect_is_warned_of(
    open_desk: OpenDesk, call: Call, other: SmallPsap, instance: Instance
):
    instance.execute(
        "INSERT INTO psap_limitedclient (user_agent, ends_on_redirect, ends_on_transfer)"
        " VALUES ('Leitstand-Simulator', true, true) RETURNING id"
    )
    desk = await open_desk()
    app = await call("Hilfe")
    await desk.answer()
    await desk.press("Escape", "d")
    await expect(desk.page.locator("#pass-on-warning")).to_be_visible()
    await desk.press("Control+Enter")
    await expect(desk.page.locator("#pass-on-dialog")).to_be_visible()
    await desk.page.locator("#pass-on-override").check()
    await desk.press("Control+Enter")
    instance.execute(
        "DELETE FROM psap_limitedclient WHERE user_agent = 'Leitstand-Simulator' RETURNING id"
    )
    await app.wait_for_type(lmpe.STOP_REDIRECT, 15)
    # To its end: else it would come back into the queue of the next test.
    await expect(desk.page.locator("#redirect-strip")).to_contain_text(f"with {NAME} now")
