"""Where the focus goes when what had it is gone, and what is said to a screen reader."""

from playwright.async_api import expect

from tests.e2e.conftest import Call, OpenDesk
from tests.support.desk import Desk


async def focused(desk: Desk) -> str:
    return await desk.page.evaluate(
        "document.activeElement.id || document.activeElement.className || 'body'"
    )


async def test_a_dialog_gives_the_focus_back_to_where_it_was(open_desk: OpenDesk, call: Call):
    desk = await open_desk()
    await call()
    await desk.answer()
    await desk.press("Escape")
    for key in ("c", "r", "?"):
        await desk.press(key)
        await expect(desk.page.locator("dialog[open]")).to_have_count(1)
        await desk.press("Escape")
        await expect(desk.page.locator("dialog[open]")).to_have_count(0)
        assert await focused(desk) == "card-open"
    await desk.page.locator("#help-open").focus()
    await desk.press("Enter")
    await expect(desk.page.locator("#help-dialog .button")).to_be_focused()
    await desk.press("Enter")
    await expect(desk.page.locator("#help-open")).to_be_focused()


async def test_a_button_that_goes_away_hands_its_focus_on(open_desk: OpenDesk, call: Call):
    desk = await open_desk()
    page = desk.page
    app = await call("first")
    await expect(desk.section("ringing")).to_have_count(1)
    await desk.press("Tab")  # a key allows the sound, and so gives something to silence
    await page.locator("#silence").focus()
    await desk.press("Enter")
    await expect(page.locator("#answer-longest")).to_be_focused()
    await desk.press("Enter")
    await expect(page.locator("#composer-text")).to_be_focused()

    app.move(47.80949, 13.05501, radius=35)
    await app.say("moved")
    await expect(page.locator("#position-message")).to_have_text("from message 2")
    await page.locator(".message-place").first.click()
    await page.locator("#show-latest").focus()
    await desk.press("Enter")
    await expect(page.locator("#map")).to_be_focused()

    await page.locator("#close-this").focus()
    await desk.press("Enter")
    await page.locator("#close-disposition").select_option("resolved")
    await desk.press("Control+Enter")
    await expect(page.locator("#message-list")).to_be_focused()
    await desk.press("u")
    await expect(desk.notice("stays open")).to_be_visible()


async def test_a_new_position_leaves_the_focus_on_the_link_to_its_message(
    open_desk: OpenDesk, call: Call
):
    desk = await open_desk()
    app = await call()
    await desk.answer()
    await desk.page.locator("#position-message").focus()
    app.move(47.80949, 13.05501, radius=35)
    await app.say("moved")
    await expect(desk.page.locator("#position-message")).to_have_text("from message 2")
    await expect(desk.page.locator("#position-message")).to_be_focused()


async def test_escape_leaves_the_editor_also_when_the_queue_is_empty(
    open_desk: OpenDesk, call: Call
):
    desk = await open_desk()
    app = await call()
    await desk.answer()
    await app.stop("Danke")
    await expect(desk.page.locator("#composer-reason")).to_contain_text("Press Esc, then C")
    await desk.press("Escape", "c")
    await desk.page.locator("#close-disposition").select_option("resolved")
    await desk.press("Control+Enter")
    await expect(desk.section("mine")).to_have_count(0)
    await desk.page.locator("#composer-text").focus()
    await desk.press("Escape")
    await expect(desk.page.locator("#message-list")).to_be_focused()


async def test_home_and_end_go_through_the_queue(open_desk: OpenDesk, call: Call):
    desk = await open_desk()
    for text in ("one", "two", "three"):
        await call(text)
    await expect(desk.section("ringing")).to_have_count(3)
    await desk.press("j", "End")
    await expect(desk.section("ringing").nth(2).locator(".card-open")).to_be_focused()
    await desk.press("Home")
    await expect(desk.section("ringing").nth(0).locator(".card-open")).to_be_focused()
    # A screen reader's list of buttons that are all called "Answer" would say little.
    await expect(desk.page.get_by_role("button", name="Answer #")).to_have_count(3)


async def test_a_rush_of_callers_is_announced_in_a_few_sentences(open_desk: OpenDesk, call: Call):
    desk = await open_desk()
    await desk.page.evaluate(
        """() => {
            window.said = [];
            const region = document.getElementById("announce-at-once");
            new MutationObserver(() => region.textContent && window.said.push(region.textContent))
                .observe(region, { childList: true });
        }"""
    )
    for number in range(6):
        await call(f"caller {number}")
    await expect(desk.section("ringing")).to_have_count(6)
    await expect(desk.page.locator("#announce-at-once")).to_contain_text("6 waiting")
    said = await desk.page.evaluate("window.said")
    assert len(said) <= 3
    assert said[0].startswith("Ringing: ")
    assert "Control Enter answers." in said[-1]
