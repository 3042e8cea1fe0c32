"""Two call-takers hand a chat over, each in a browser, between two whole instances."""

import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, expect

from sipgateway.simulator import enclosures, lmpe
from sipgateway.simulator.app import SimulatedApp
from tests.e2e.conftest import EMPTY_THE_QUEUE
from tests.support.desk import Desk
from tests.support.rooms import Rooms

pytestmark = pytest.mark.together("rooms")

HANDED_OVER = 20_000  # ms
# Nothing tells a transferee that an offer of before is not wanted any more.
END_THE_OFFERS = """
    UPDATE chats_transfer SET state = 'expired', ended_at = now(), due_at = NULL
    WHERE side = 'in' AND state IN ('offered', 'accepted')
"""


@pytest_asyncio.fixture(loop_scope="session")
async def desks(rooms: Rooms, browser: Browser) -> AsyncIterator[tuple[Desk, Desk]]:
    """The desks of the transferor and of the transferee, logged in; nobody waits there.

    Neither may end with a script's error or a refusal of the content security policy.
    """
    desks = []
    for room in (rooms.transferor, rooms.transferee):
        for statement in (END_THE_OFFERS, EMPTY_THE_QUEUE):
            room.instance.execute(statement)
        desk = await Desk.open(browser)
        desks.append(desk)
        await desk.log_in(room.instance.url, "calltaker", room.instance.credentials["calltaker"])
    yield desks[0], desks[1]
    for desk in desks:
        await desk.close()
    assert [desk.complaints for desk in desks] == [[], []]


async def pass_on(desk: Desk, reason: str, *, at_once: bool = True) -> None:
    """Ask the other room to take the chosen chat over."""
    await desk.press("Escape", "d")
    await desk.page.locator("#pass-on-peer").select_option(label="b")
    await expect(desk.page.get_by_label("Transfer with its history")).to_be_checked()
    await desk.page.locator("#pass-on-reason").fill(reason)
    await desk.page.locator("#pass-on-at-once").set_checked(at_once)
    await desk.press("Control+Enter")
    await expect(desk.page.locator("#pass-on-dialog")).to_be_hidden()


def strip(desk: Desk) -> Locator:
    return desk.page.locator("#transfer-strip")


async def opened(app: SimulatedApp, desk: Desk, text: str) -> None:
    await app.start(text)
    await desk.answer()


async def test_a_chat_is_offered_accepted_and_read_on_at_the_other_desk(
    rooms: Rooms, desks: tuple[Desk, Desk]
):
    here, there = desks
    async with rooms.app() as app:
        await opened(app, here, "Hilfe <b>sofort</b>")
        await here.write("Wo sind Sie?")
        await app.wait_for(lambda m: m.text == "Wo sind Sie?")
        assert (await app.say("Im Keller", enclosed=[enclosures.picture()])).status == 200
        await expect(here.message("Im Keller")).to_be_visible()
        await pass_on(here, "Sie sind <i>näher</i>", at_once=False)
        await expect(strip(here)).to_contain_text("b is asked to take this chat over")

        await expect(there.page.locator("#statusbar")).to_have_attribute("data-state", "ringing")
        offer = there.page.locator(".offer")
        await expect(offer).to_contain_text("Sie sind <i>näher</i>")
        await there.press("o")
        await expect(offer).to_contain_text("Accepted by you")

        await expect(strip(here)).to_contain_text("b accepts this chat")
        await expect(here.page.locator("#transfer-until")).to_have_text(
            re.compile(r"hand over within \d+ s")
        )
        await here.page.locator("#composer-text").fill("nicht mehr gesendet")
        await here.page.locator("#transfer-hand-over").click()
        await expect(strip(here)).to_contain_text("This chat is with b now", timeout=HANDED_OVER)
        await expect(here.page.locator("#composer-send")).to_be_disabled()
        await expect(here.page.locator("#composer-text")).to_have_value("nicht mehr gesendet")

        title = there.page.locator("#conversation-title")
        await expect(title).to_have_text(app.persona.display_name, timeout=HANDED_OVER)
        await expect(there.message("Hilfe <b>sofort</b>")).to_be_visible()
        ours = there.page.locator(".message").filter(has_text="Wo sind Sie?")
        await expect(ours.locator(".message-author")).to_have_text("Call-taker at a")
        await expect(there.page.locator(".attachment-image")).to_be_visible()
        await expect(there.page.locator("#position-coordinates")).not_to_be_empty()
        await expect(there.page.locator("#handed-over")).to_contain_text("Leitstelle A")
        await expect(there.page.locator(".card-marks-of")).to_contain_text("From a")
        await expect(there.page.locator("#composer-send")).to_be_enabled()
        await there.page.locator("#composer-text").focus()
        await there.write("Wir sind da")
        assert await app.wait_for(lambda m: m.text == "Wir sind da", 15)
        await expect(there.page.locator("#offers")).to_be_hidden()
        assert rooms.custody(app.call_id) == {"b"}


async def test_a_declined_chat_stays_with_the_reason_and_can_be_written_to(
    rooms: Rooms, desks: tuple[Desk, Desk]
):
    here, there = desks
    async with rooms.app() as app:
        await opened(app, here, "Hilfe")
        await pass_on(here, "Nicht zuständig")
        await expect(there.page.locator(".offer")).to_have_count(1)
        await there.press("Shift+O")
        await there.page.locator("#decline-reason").fill("Kein Platz frei")
        await there.press("Control+Enter")
        await expect(there.page.locator("#offers")).to_be_hidden()
        await expect(strip(here)).to_contain_text(
            "b declines: Kein Platz frei. The chat stays yours.", timeout=HANDED_OVER
        )
        await here.page.locator("#composer-text").focus()
        await here.write("Ich bin noch da")
        assert await app.wait_for(lambda m: m.text == "Ich bin noch da", 15)


async def test_a_call_taker_keeps_the_chat_while_the_other_is_asked(
    rooms: Rooms, desks: tuple[Desk, Desk]
):
    here, there = desks
    async with rooms.app() as app:
        await opened(app, here, "Hilfe")
        await pass_on(here, "Nicht zuständig")
        await expect(there.page.locator(".offer")).to_have_count(1)
        await here.page.locator("#transfer-keep").click()
        await expect(strip(here)).to_be_hidden()
        await expect(here.page.locator("#composer-text")).to_be_focused()
        await here.write("Doch nicht")
        assert await app.wait_for(lambda m: m.text == "Doch nicht", 15)


async def test_an_app_that_does_not_stall_comes_back_with_owner_and_draft(
    rooms: Rooms, desks: tuple[Desk, Desk]
):
    here, there = desks
    async with rooms.app() as app:
        app.answers[lmpe.STOP_TRANSFER] = 202
        await opened(app, here, "Hilfe")
        await here.page.keyboard.insert_text("noch nicht gesendet")
        await pass_on(here, "Nicht zuständig")
        await expect(there.page.locator(".offer")).to_have_count(1)
        await there.press("o")
        await expect(strip(here)).to_contain_text("Transfer to b failed", timeout=HANDED_OVER)
        await expect(strip(here)).to_contain_text("The chat is yours again")
        await expect(here.page.locator("#conversation-state")).to_have_text("Your chat")
        await expect(here.page.locator("#composer-text")).to_have_value("noch nicht gesendet")
        await expect(here.page.locator("#composer-send")).to_be_enabled()
