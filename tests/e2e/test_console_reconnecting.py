"""What a console does while it has no connection, and after."""

from playwright.async_api import expect

from tests.e2e.conftest import Call, OpenDesk
from tests.support.cuttable import CuttableProxy
from tests.support.instance import Instance


async def test_a_console_that_lost_its_socket_shows_what_it_missed_once(
    open_desk: OpenDesk, call: Call, proxy: CuttableProxy
):
    desk = await open_desk(url=proxy.url)
    app = await call("before")
    await desk.answer()
    await expect(desk.message("before")).to_have_count(1)
    proxy.cut()
    status = desk.page.locator("#status-text")
    await expect(status).to_contain_text("Connection lost since")
    for text in ("missed one", "missed two", "missed three"):
        await app.say(text)
    proxy.heal()
    await desk.live()
    for text in ("before", "missed one", "missed two", "missed three"):
        await expect(desk.message(text)).to_have_count(1)
    texts = await desk.page.locator('.message[data-direction="in"] .message-text').all_inner_texts()
    assert texts == ["before", "missed one", "missed two", "missed three"]
    await app.say("after")
    await expect(desk.message("after")).to_have_count(1)


async def test_a_text_typed_without_connection_goes_out_once_on_its_return(
    open_desk: OpenDesk, call: Call, proxy: CuttableProxy
):
    desk = await open_desk(url=proxy.url)
    app = await call()
    await desk.answer()
    proxy.cut()
    await expect(desk.page.locator("body")).to_have_attribute("data-connection", "lost")
    await desk.write("Hilfe ist unterwegs")
    await expect(desk.message("Hilfe ist unterwegs")).to_have_attribute("data-status", "waiting")
    proxy.heal()
    await app.wait_for(lambda message: message.text == "Hilfe ist unterwegs", timeout=15)
    await expect(desk.message("Hilfe ist unterwegs")).to_have_attribute("data-status", "delivered")
    await expect(desk.message("Hilfe ist unterwegs")).to_have_count(1)
    await desk.write("Bleiben Sie dort")
    await app.wait_for(lambda message: message.text == "Bleiben Sie dort", timeout=15)
    texts = [message.text for message in app.received if message.text]
    assert texts.count("Hilfe ist unterwegs") == 1


async def test_a_text_whose_answer_was_lost_is_sent_once(
    open_desk: OpenDesk, call: Call, proxy: CuttableProxy
):
    desk = await open_desk(url=proxy.url)
    app = await call()
    await desk.answer()
    proxy.hold_answers()
    await desk.write("Ist die Tür offen?")
    await app.wait_for(lambda message: message.text == "Ist die Tür offen?", timeout=15)
    proxy.cut()
    proxy.release_answers()
    await expect(desk.page.locator("body")).to_have_attribute("data-connection", "lost")
    proxy.heal()
    await desk.live()
    await expect(desk.message("Ist die Tür offen?")).to_have_attribute("data-status", "delivered")
    await expect(desk.message("Ist die Tür offen?")).to_have_count(1)
    await desk.write("Antworten Sie mit ja oder nein.")
    await app.wait_for(lambda message: message.text.startswith("Antworten"), timeout=15)
    assert [message.text for message in app.received].count("Ist die Tür offen?") == 1


async def test_who_answers_too_late_is_told_who_was_faster(
    open_desk: OpenDesk, call: Call, proxy: CuttableProxy
):
    fast, slow = await open_desk(), await open_desk("calltaker2", url=proxy.url)
    await call()
    await expect(slow.section("ringing")).to_have_count(1)
    proxy.hold_answers()  # the slow desk does not see yet that the chat is taken
    await fast.press("a")
    await expect(fast.section("mine")).to_have_count(1)
    name = await fast.page.locator("#my-name").inner_text()
    await slow.press("a")
    proxy.release_answers()
    await expect(slow.notice(f"{name} was faster")).to_be_visible()
    await expect(slow.section("others")).to_have_count(1)


async def test_only_an_ended_login_leads_to_the_login_page(
    instance: Instance, open_desk: OpenDesk, proxy: CuttableProxy
):
    desk = await open_desk(url=proxy.url)
    proxy.cut()
    await expect(desk.page.locator("body")).to_have_attribute("data-connection", "lost")
    proxy.heal()
    await desk.live()
    instance.execute("DELETE FROM django_session")
    proxy.cut()
    proxy.heal()
    await expect(desk.page.locator("[name=password]")).to_be_visible()
