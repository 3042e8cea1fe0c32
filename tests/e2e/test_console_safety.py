"""What must not happen at a desk: a text in the wrong chat, a failure unseen, another's place."""

from playwright.async_api import Route, expect

from tests.e2e.conftest import Call, OpenDesk
from tests.support.cuttable import CuttableProxy
from tests.support.desk import Desk
from tests.support.instance import Instance

CIRCLE_AND_DOT = """() => ["fix-shape", "latest-fix"].map((name) =>
    document.querySelector(`#map path.${name}`).getBoundingClientRect().width)"""


async def test_an_answer_that_comes_late_does_not_switch_chats_under_the_typing(
    open_desk: OpenDesk, call: Call, proxy: CuttableProxy
):
    desk = await open_desk(url=proxy.url)
    await call("first")
    await desk.answer()
    await call("second")
    await expect(desk.section("ringing")).to_have_count(1)
    await desk.page.keyboard.type("Sind Sie ")
    proxy.hold_answers()
    await desk.press("Control+Enter")
    await desk.page.keyboard.type("verletzt?")
    proxy.release_answers()
    await expect(desk.section("mine")).to_have_count(2)
    await expect(desk.notice("is your chat now")).to_be_visible()
    await expect(desk.message("first")).to_have_count(1)
    await expect(desk.page.locator("#composer-text")).to_have_value("Sind Sie verletzt?")
    await desk.press("Enter")
    await expect(desk.message("Sind Sie verletzt?")).to_have_attribute("data-status", "delivered")
    await desk.press("Alt+2")
    await expect(desk.message("second")).to_have_count(1)
    await expect(desk.message("Sind Sie verletzt?")).to_have_count(0)


async def test_a_text_that_fails_in_another_chat_is_told_and_marked_until_looked_at(
    open_desk: OpenDesk, call: Call, proxy: CuttableProxy
):
    desk = await open_desk(url=proxy.url)
    first = await call("first")
    await desk.answer()
    await call("second")
    await expect(desk.section("ringing")).to_have_count(1)
    await desk.press("Control+Enter")
    await expect(desk.section("mine")).to_have_count(2)
    await expect(desk.message("second")).to_have_count(1)  # it is here before answers are held
    await desk.press("Alt+1")
    first.answer_status = 603
    proxy.hold_answers()  # the failure arrives once the other chat is on screen
    await desk.write("Hilfe ist unterwegs")
    await desk.press("Alt+2")
    await expect(desk.message("second")).to_have_count(1)
    proxy.release_answers()
    mark = desk.section("mine").first.locator(".card-undelivered")
    await expect(desk.notice("your text is not delivered")).to_be_visible()
    await expect(mark).to_be_visible()
    await desk.press("Alt+1")
    await expect(mark).to_be_hidden()
    await expect(desk.message("Hilfe ist unterwegs")).to_contain_text(
        "Not delivered: refused by the phone or its network (SIP 603"
    )


async def test_a_chat_without_position_never_shows_the_place_of_another(
    open_desk: OpenDesk, call: Call, instance: Instance
):
    desk = await open_desk()
    app = await call("here")
    await desk.answer()
    await expect(desk.page.locator("#map path.latest-fix")).to_have_count(1)
    scale = desk.page.locator("#map .leaflet-control-scale-line")
    await expect(scale).to_contain_text(" m")
    other = await call("nowhere", located=False)
    await desk.press("Escape")
    await desk.answer()
    await expect(desk.page.locator("#position-none")).to_be_visible()
    await expect(desk.page.locator("#map path.latest-fix")).to_have_count(0)
    await expect(scale).to_contain_text("km")
    other.move(app.location.latitude, app.location.longitude, radius=20)
    await other.say("here too")
    await expect(desk.page.locator("#map path.latest-fix")).to_have_count(1)
    await expect(scale).to_contain_text(" m")


async def test_a_map_that_had_no_room_shows_the_latest_position_once_it_has(
    open_desk: OpenDesk, call: Call
):
    desk = await open_desk()
    app = await call()
    await desk.answer()
    page = desk.page
    await expect(page.locator("#map path.latest-fix")).to_have_count(1)
    before = await page.evaluate("() => document.querySelector('#map path.latest-fix').outerHTML")
    await page.evaluate("() => { document.body.style.display = 'none'; }")
    app.move(47.9, 13.2, radius=900)
    await app.say("gone on")
    await expect(page.locator("#position-shape")).to_contain_text("± 900 m")
    after = await page.evaluate("() => document.querySelector('#map path.latest-fix').outerHTML")
    assert after == before
    await page.evaluate("() => { document.body.style.display = ''; }")
    await expect(page.locator("#map path.latest-fix")).to_be_in_viewport()
    circle, dot = await page.evaluate(CIRCLE_AND_DOT)
    assert circle > 1.5 * dot


async def test_the_circle_of_a_position_is_larger_than_its_centre_and_to_scale(
    open_desk: OpenDesk, call: Call
):
    desk = await open_desk()
    app = await call()
    await desk.answer()
    for radius in (5, 60, 900):
        app.move(47.8 + radius / 1e4, 13.05, radius=radius)
        await app.say(f"within {radius}")
        await expect(desk.page.locator("#position-shape")).to_contain_text(f"± {radius} m")
        await expect(desk.page.locator("#map path.latest-fix")).to_have_count(1)
        circle, dot = await desk.page.evaluate(CIRCLE_AND_DOT)
        assert circle > 1.5 * dot
    line = await desk.page.locator("#map .leaflet-control-scale-line").evaluate(
        "e => [parseFloat(e.textContent) * (/km/.test(e.textContent) ? 1000 : 1), e.clientWidth]"
    )
    metres, pixels = line
    assert abs(circle / pixels * metres / 1800 - 1) < 0.1


async def test_a_map_moved_by_the_keys_stays_there_and_can_be_brought_back(
    open_desk: OpenDesk, call: Call
):
    desk = await open_desk()
    app = await call()
    await desk.answer()
    back = desk.page.locator("#show-latest")
    await expect(desk.page.locator("#map path.latest-fix")).to_have_count(1)
    await expect(back).to_be_hidden()
    await desk.press("Escape", "m", "ArrowRight")
    await expect(back).to_be_visible()
    app.walk()
    await app.say("walked")
    await expect(desk.page.locator("#position-message")).to_have_text("from message 2")
    await expect(back).to_be_visible()
    await back.click()
    await expect(back).to_be_hidden()


async def test_a_console_without_a_map_works_and_says_so(open_desk: OpenDesk, call: Call, browser):
    async def refuse(route: Route) -> None:
        await route.abort()

    desk: Desk = await open_desk()
    await desk.page.context.route("**/leaflet.js", refuse)
    await desk.page.reload()
    await desk.live()
    app = await call("no map")
    await desk.answer()
    await expect(desk.page.locator("#map")).to_contain_text("could not be loaded")
    await expect(desk.page.locator("#position-coordinates")).not_to_be_empty()
    await desk.page.context.unroute("**/leaflet.js")
    app.walk()
    await app.say("moved")  # the next position tries again
    await expect(desk.page.locator("#map path.latest-fix")).to_have_count(1)


async def test_who_rings_gets_the_room_that_nobody_needs(open_desk: OpenDesk, call: Call):
    desk = await open_desk()
    for number in range(6):
        await call(f"caller {number}")
    ringing = desk.section("ringing")
    await expect(ringing).to_have_count(6)
    await expect(ringing.nth(4).locator(".card-answer")).to_be_in_viewport(ratio=1)
    await desk.press("a")
    await expect(desk.section("mine")).to_have_count(1)
    await desk.press("Control+Enter")
    await expect(desk.section("mine")).to_have_count(2)
    for place in (0, 1):
        await expect(desk.section("mine").nth(place)).to_be_in_viewport(ratio=0.95)
    await expect(desk.page.locator("#queue-others")).to_be_in_viewport(ratio=1)
    await expect(ringing.nth(2).locator(".card-answer")).to_be_in_viewport(ratio=1)


async def test_a_slow_answer_of_the_server_is_told_before_a_key_is_pressed_twice(
    open_desk: OpenDesk, call: Call, proxy: CuttableProxy
):
    desk = await open_desk(url=proxy.url)
    await call()
    await expect(desk.section("ringing")).to_have_count(1)
    proxy.hold_answers()
    await desk.press("a")
    await expect(desk.notice("waiting for the server")).to_be_visible()
    proxy.release_answers()
    await expect(desk.section("mine")).to_have_count(1)
