"""What machines send, seen at a desk: alerts have no editor, test calls do not ring."""

from playwright.async_api import expect

from sipgateway.simulator import enclosures, lmpe
from tests.e2e.conftest import Call, OpenDesk


async def test_an_alert_is_read_and_closed_and_nobody_is_answered(open_desk: OpenDesk, call: Call):
    desk = await open_desk()
    bot = await call(started=False)
    assert bot.location is not None
    await bot.report(enclosures.alert(bot.persona.uri, bot.location, "Smoke in the boiler room"))
    await bot.report(enclosures.readings(bot.persona.element))
    ringing = desk.section("ringing")
    await expect(ringing).to_have_count(1)
    await expect(ringing).to_contain_text("Data, nobody is writing")
    await desk.press("a")
    page = desk.page
    await expect(page.locator(".data-headline")).to_have_text("Smoke in the boiler room")
    await expect(page.locator(".data-item").get_by_text("Sensor")).to_be_visible()
    await expect(page.locator("#composer-reason")).to_contain_text("nobody to write to")
    await expect(page.locator("#composer-text")).to_be_hidden()
    await desk.press("Escape", "c")
    await page.locator("#close-disposition").select_option("resolved")
    await desk.press("Control+Enter")
    await expect(desk.section("mine")).to_have_count(0)
    assert bot.received == []


async def test_a_test_call_stands_in_its_list_and_rings_once_somebody_writes(
    open_desk: OpenDesk, call: Call
):
    desk = await open_desk()
    app = await call("Probe", dialled="urn:service:sos.test")
    await app.wait_for_type(lmpe.STOP, 15)
    await expect(desk.page.locator("#status-text")).to_contain_text("Nobody is waiting")
    await desk.page.locator("#tests-open").press("Enter")
    row = desk.page.locator("#tests-dialog tbody tr").first
    await expect(row).to_contain_text(app.persona.display_name)
    await expect(row).to_contain_text("Answered by itself")
    await desk.press("Escape")
    await app.say("Es brennt wirklich!")
    ringing = desk.section("ringing")
    await expect(ringing).to_have_count(1)
    await expect(ringing.locator(".card-test")).to_be_visible()
    await desk.answer()
    await expect(desk.page.locator("#chat-marks")).to_contain_text("somebody is writing")
    await expect(desk.message("Es brennt wirklich!")).to_be_visible()
