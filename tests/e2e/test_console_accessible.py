"""The console against the rules of axe-core, in the states in which it is worked with."""

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, expect

from sipgateway.simulator import enclosures
from tests.e2e.conftest import Call, OpenDesk
from tests.support.desk import Desk
from tests.support.instance import Instance

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
WIDER_THAN_THE_PAGE = "document.documentElement.scrollWidth > innerWidth"
SCHEMES = ("light", "dark")


async def violations(page: Page) -> list[str]:
    """Return one line for each element that breaks a rule."""
    results = await Axe().run(page, options={"runOnly": RULES, "resultTypes": ["violations"]})
    return [
        f"{rule['id']}: {node['html'][:120]}"
        for rule in results.response["violations"]
        for node in rule["nodes"]
    ]


async def test_the_login_breaks_no_rule(instance: Instance, browser: Browser, empty_queue: None):
    desk = await Desk.open(browser)
    await desk.page.goto(instance.url)
    await expect(desk.page.locator("[name=password]")).to_be_visible()
    assert await violations(desk.page) == []
    await desk.page.fill("[name=username]", "nobody")
    await desk.page.fill("[name=password]", "wrong")
    await desk.press("Enter")
    await expect(desk.page.get_by_role("alert")).to_be_visible()
    assert await violations(desk.page) == []
    await desk.close()


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_the_console_breaks_no_rule_empty_nor_busy_nor_in_its_dialogs(
    open_desk: OpenDesk, call: Call, scheme
):
    desk = await open_desk()
    await desk.page.emulate_media(color_scheme=scheme)
    await expect(desk.page.locator("#map .leaflet-control-zoom")).to_be_visible()
    assert await violations(desk.page) == []

    app = await call("Hilfe")
    await desk.answer()
    app.walk()
    await app.say("مرحبا")
    app.answer_status = 603
    await desk.write("refused")
    await expect(desk.message("refused")).to_have_attribute("data-status", "failed")
    app.answer_status = 480
    await desk.write("later")
    await expect(desk.message("later")).to_have_attribute("data-status", "deferred")
    await call("rings")
    ended = await call("ended unanswered")
    await ended.stop()
    await expect(desk.section("ringing")).not_to_have_count(0)
    assert await violations(desk.page) == []

    for key, dialog in (("c", "close"), ("r", "confirm"), ("?", "help")):
        await desk.press("Escape", key)
        await expect(desk.page.locator(f"#{dialog}-dialog")).to_be_visible()
        assert await violations(desk.page) == []
        await desk.press("Escape")


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_pictures_data_and_tests_break_no_rule(open_desk: OpenDesk, call: Call, scheme):
    desk = await open_desk()
    page = desk.page
    await page.emulate_media(color_scheme=scheme)
    app = await call("Hilfe")
    await desk.answer()
    blocks = [enclosures.picture(), enclosures.file(), enclosures.device(), enclosures.comment()]
    await app.say("seht her", enclosed=blocks)
    await expect(page.locator(".attachment")).to_have_count(2)
    await expect(page.locator("#caller-more summary")).to_have_count(2)
    assert await violations(page) == []
    await page.locator(".attachment-image").press("Enter")
    await expect(page.locator("#image-dialog")).to_be_visible()
    assert await violations(page) == []
    await desk.press("Escape")
    bot = await call(started=False)
    assert bot.location is not None
    await bot.report(enclosures.alert(bot.persona.uri, bot.location))
    await expect(desk.section("ringing")).to_have_count(1)
    await desk.press("Escape", "Control+Enter")
    await expect(page.locator(".data-headline")).to_be_visible()
    assert await violations(page) == []
    await page.locator("#tests-open").press("Enter")
    await expect(page.locator("#tests-note")).not_to_have_text("Loading…")
    assert await violations(page) == []


@pytest.mark.parametrize(("width", "height"), [(683, 384), (320, 256)])
async def test_a_zoomed_console_breaks_no_rule_and_scrolls_one_way_only(
    open_desk: OpenDesk, call: Call, width, height
):
    """1366 × 768 at 200 %, and 1280 × 1024 at 400 % (WCAG 1.4.4, 1.4.10)."""
    desk = await open_desk()
    await call("a" * 300)
    await desk.answer()
    await call("rings")
    await expect(desk.section("ringing")).to_have_count(1)
    await desk.page.set_viewport_size({"width": width, "height": height})
    assert not await desk.page.evaluate(WIDER_THAN_THE_PAGE)
    assert await violations(desk.page) == []


async def test_in_forced_colours_the_chosen_chat_and_the_ringing_stand_out(
    open_desk: OpenDesk, call: Call
):
    desk = await open_desk()
    await call("mine")
    await desk.answer()
    await call("rings")
    await expect(desk.section("ringing")).to_have_count(1)
    await desk.page.emulate_media(forced_colors="active")
    style = "e => getComputedStyle(e).borderTopStyle"
    assert await desk.section("mine").evaluate(style) == "double"
    assert await desk.section("ringing").evaluate(style) != "double"
    bar = desk.page.locator("#statusbar")
    assert await bar.evaluate("e => getComputedStyle(e).borderTopWidth") == "5px"
