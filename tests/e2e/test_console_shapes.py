"""Every shape of RFC 5491 on the map, and an address alone, from the wire to the browser."""

from dataclasses import replace

from playwright.async_api import expect

from sipgateway.simulator.shapes import SHAPES
from tests.e2e.conftest import Call, OpenDesk

EXTENDED = set(SHAPES) - {"Point", "Civic"}


async def test_each_shape_is_drawn_as_it_is_and_an_address_is_read(open_desk: OpenDesk, call: Call):
    assert {"Circle", "Ellipse", "ArcBand", "Polygon", "Sphere", "Ellipsoid", "Prism"} <= EXTENDED
    desk = await open_desk()
    app = await call()
    await desk.answer()
    page = desk.page
    here = app.location
    assert here is not None
    for number, shape in enumerate(sorted(EXTENDED)):
        app.location = replace(here, shape=shape, radius=60.0 + number)
        await app.say(shape)
        drawn = page.locator(f"#map path.shape-{shape.lower()}")
        await expect(drawn).to_have_count(1)
        await expect(page.locator("#map path.fix-shape")).to_have_count(1)
        box = await drawn.bounding_box()
        assert box is not None
        assert min(box["width"], box["height"]) > 10
        await expect(page.locator("#position-shape")).to_contain_text("95 % sure")
    app.location = replace(here, shape="Point")
    await app.say("a point")
    await expect(page.locator("#position-shape")).to_contain_text("point")
    await expect(page.locator("#map path.fix-shape")).to_have_count(0)


async def test_an_address_alone_has_no_place_on_the_map_and_breaks_nothing(
    open_desk: OpenDesk, call: Call
):
    desk = await open_desk()
    app = await call(started=False)
    assert app.location is not None
    app.location = replace(app.location, shape="Civic")
    await app.start("nur eine Adresse")
    await expect(desk.section("ringing").locator(".card-place")).to_contain_text("Ballhausplatz 2")
    await desk.answer()
    page = desk.page
    await expect(page.locator("#position-postal")).to_contain_text("Ballhausplatz 2")
    await expect(page.locator("#position-coordinates")).to_have_text(
        "No coordinates, only an address"
    )
    await expect(page.locator("#map path.latest-fix")).to_have_count(0)
    app.location = replace(app.location, shape="Circle", latitude=app.location.latitude + 0.001)
    await app.say("jetzt mit Position")
    await expect(page.locator("#map path.latest-fix")).to_have_count(1)
    await expect(page.locator("#position-shape")).to_contain_text("±")
