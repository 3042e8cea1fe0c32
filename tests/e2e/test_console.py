"""The console in a browser against a whole instance: one shift's work, by the keyboard."""

from playwright.async_api import expect

from sipgateway.simulator import lmpe
from tests.e2e.conftest import Call, OpenDesk
from tests.support.desk import Desk
from tests.support.instance import Instance


async def test_a_wrong_password_is_told_and_the_right_one_opens_the_console(
    instance: Instance, browser, empty_queue
):
    desk = await Desk.open(browser)
    await desk.page.goto(instance.url)
    await desk.page.fill("[name=username]", "calltaker")
    await desk.page.fill("[name=password]", "wrong")
    await desk.press("Enter")
    await expect(desk.page.get_by_role("alert")).to_contain_text("do not match")
    await desk.page.fill("[name=password]", instance.credentials["calltaker"])
    await desk.press("Enter")
    await desk.live()
    await expect(desk.page.locator("#status-text")).to_contain_text("Nobody is waiting")
    await desk.close()
    assert desk.complaints == []


async def test_a_ringing_chat_is_answered_by_one_key_and_both_sides_write(
    open_desk: OpenDesk, call: Call
):
    desk = await open_desk()
    app = await call("Der Keller brennt")
    ringing = desk.section("ringing")
    await expect(ringing).to_have_count(1)
    await expect(ringing).to_contain_text("Der Keller brennt")
    await expect(desk.page).to_have_title("(1) ringing – Leitstand")
    await desk.answer()
    await expect(desk.section("mine")).to_have_count(1)
    await expect(desk.message("Der Keller brennt")).to_be_visible()

    await desk.write("Wo sind Sie? 🚒")
    heard = await app.wait_for(lambda message: message.text == "Wo sind Sie? 🚒")
    assert heard.msg_type == lmpe.IN_CHAT
    await expect(desk.message("Wo sind Sie? 🚒")).to_have_attribute("data-status", "delivered")
    await expect(desk.message("Wo sind Sie? 🚒")).to_have_count(1)

    await app.say("שלום, אני בקומה השנייה")
    answer = desk.message("שלום, אני בקומה השנייה")
    await expect(answer).to_have_attribute("data-direction", "in")
    assert await answer.locator(".message-text").evaluate("e => getComputedStyle(e).direction") == (
        "rtl"
    )


async def test_the_position_shown_follows_the_phone_and_names_its_message(
    open_desk: OpenDesk, call: Call
):
    desk = await open_desk()
    app = await call()
    await desk.answer()
    app.move(47.80949, 13.05501, radius=35)
    await app.say("Ich bin jetzt am Bahnhof")
    page = desk.page
    await expect(page.locator("#position-coordinates")).to_have_text("47.80949, 13.05501")
    await expect(page.locator("#position-shape")).to_have_text("± 35 m · 95 % sure · Austria")
    await expect(page.locator("#position-source")).to_contain_text("from message 2")
    await expect(page.locator("#map path.track")).to_have_count(1)
    await page.locator(".message-place").first.click()
    await expect(page.locator("#position-source")).to_contain_text("from message 1")
    await page.locator("#show-latest").click()
    await expect(page.locator("#position-source")).to_contain_text("from message 2")
    for _ in range(3):  # a moving phone does not push the talk off the screen
        app.walk()
        await app.heartbeat()
    lines = page.locator('.event-line[data-kind="positions"]')
    await expect(lines).to_contain_text("3 new positions from the phone")
    await expect(lines).to_have_count(1)


async def test_a_close_asks_for_the_outcome_and_can_be_undone(open_desk: OpenDesk, call: Call):
    desk = await open_desk()
    app = await call()
    await desk.answer()
    await desk.press("Escape", "c")
    closing_text = await desk.page.locator("#close-text").input_value()
    assert closing_text
    await desk.press("Control+Enter")
    await expect(desk.page.locator("#close-dialog")).to_be_visible()  # no outcome, no close
    await desk.page.locator("#close-disposition").select_option("dispatched")
    await desk.press("Control+Enter")
    await expect(desk.notice("Closing #")).to_be_visible()
    await desk.press("u")
    await expect(desk.notice("stays open")).to_be_visible()
    await expect(desk.section("mine")).to_have_count(1)
    assert not app.ended_by_psap

    await desk.press("c")
    await desk.page.locator("#close-disposition").select_option("dispatched")
    await desk.press("Control+Enter")
    stop = await app.wait_for_type(lmpe.STOP, timeout=15)
    assert stop.text == closing_text
    await expect(desk.section("mine")).to_have_count(0)
    await expect(desk.page.locator("#composer-reason")).to_have_text("This chat is closed.")


async def test_a_chat_that_its_caller_ended_is_marked_until_it_is_closed(
    open_desk: OpenDesk, call: Call
):
    desk = await open_desk()
    app = await call()
    await desk.answer()
    await expect(desk.section("mine")).to_have_count(1)
    await app.stop("Danke")
    await expect(desk.section("mine").locator(".card-closing")).to_be_visible()
    await expect(desk.page.locator("#composer-reason")).to_contain_text("ended by the caller")
    await expect(desk.page.locator("#composer-send")).to_be_disabled()
    await desk.press("Escape", "c")
    await expect(desk.page.locator("#close-text-field")).to_be_hidden()
    await desk.page.locator("#close-disposition").select_option("resolved")
    await desk.press("Control+Enter")
    await expect(desk.section("mine")).to_have_count(0)


async def test_a_chat_given_back_rings_for_everybody(open_desk: OpenDesk, call: Call):
    desk, other = await open_desk(), await open_desk("calltaker2")
    await call()
    await desk.answer()
    await expect(other.section("others")).to_have_count(1)
    await expect(other.page.locator("#status-text")).to_contain_text("Nobody is waiting")
    await desk.press("Escape", "r", "Enter")
    await expect(other.section("ringing")).to_have_count(1)
    await expect(desk.section("ringing")).to_have_count(1)


async def test_drafts_stay_with_the_chat_that_they_were_typed_in(open_desk: OpenDesk, call: Call):
    desk = await open_desk()
    text = desk.page.locator("#composer-text")
    await call("first")
    await desk.answer()
    await expect(desk.section("mine")).to_have_count(1)
    await call("second")
    await expect(desk.section("ringing")).to_have_count(1)
    await desk.page.keyboard.type("for the first; keys like a, c, r are inert here")
    await desk.press("Control+Enter")
    await expect(desk.section("mine")).to_have_count(2)
    await expect(text).to_have_value("")
    await desk.page.keyboard.type("for the second")
    await desk.press("Alt+1")
    await expect(text).to_have_value("for the first; keys like a, c, r are inert here")
    await desk.page.reload()
    await desk.live()
    await expect(desk.section("mine")).to_have_count(2)
    await desk.press("Alt+2")
    await expect(text).to_have_value("for the second")


async def test_every_control_has_a_name_and_every_id_is_there_once(open_desk: OpenDesk, call: Call):
    desk = await open_desk()
    await call()
    await desk.answer()
    await expect(desk.section("mine")).to_have_count(1)
    nameless = await desk.page.evaluate(
        """() => [...document.querySelectorAll("button, input, select, textarea, a[href]")]
            .filter((e) => e.type !== "hidden" && e.checkVisibility())
            .filter((e) => !(e.textContent.trim() || e.ariaLabel || e.title || e.labels?.length))
            .map((e) => e.outerHTML.slice(0, 120))"""
    )
    assert nameless == []
    twice = await desk.page.evaluate(
        """() => [...document.querySelectorAll("[id]")].map((e) => e.id)
            .filter((id, at, all) => all.indexOf(id) !== at)"""
    )
    assert twice == []


async def test_a_caller_who_has_ended_the_chat_is_written_to_again(open_desk: OpenDesk, call: Call):
    desk = await open_desk()
    app = await call()
    await desk.answer()
    await app.stop("Danke")
    await expect(desk.page.locator("#composer-reason")).to_contain_text("ended by the caller")
    await desk.page.locator("#write-again").press("Enter")
    await desk.page.locator("#call-back-text").fill("Eine Frage noch")
    await desk.press("Control+Enter")
    heard = await app.wait_for(lambda message: message.text == "Eine Frage noch", 15)
    assert heard.msg_type == lmpe.START
    await expect(desk.page.locator("#composer-send")).to_be_enabled()
    await expect(desk.page.locator("#write-again")).to_be_hidden()
    await desk.page.locator("#composer-text").focus()
    await desk.write("Wo genau?")
    await app.wait_for(lambda message: message.text == "Wo genau?", 15)
