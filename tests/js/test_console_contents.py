"""What messages carry and name, as the console shows it: references, files, shapes, data."""

import pytest
from playwright.async_api import expect

from tests.support.stage import (
    ADDRESS_ONLY,
    LINE,
    URI,
    Stage,
    at,
    card,
    conversation,
    event,
    fix,
    live,
    message,
    part,
    reference,
)


async def test_a_host_that_is_not_listed_is_asked_only_after_its_name_was_read(on_stage):
    mine = card("1")
    references = [
        reference(7, "unlisted"),
        reference(8, "pending"),
        reference(9, "failed", cause="no answer within 5 s"),
        reference(10, "fetched", kind="additional-data", purpose="SubscriberInfo"),
    ]
    fetched = event(2, "data-fetched", reference="10", kind="SubscriberInfo")
    stage: Stage = await on_stage(
        [mine], {"1": conversation(mine, references=references, events=[fetched])}
    )
    await stage.choose("1")
    page = stage.page
    box = page.locator("#references")
    await expect(box.locator("[data-status=failed]")).to_contain_text("no answer within 5 s")
    await expect(box.locator("[data-status=pending]")).to_contain_text("being fetched")
    await expect(page.locator("#references-fetched")).to_contain_text("Subscriber from lis10")
    await expect(page.locator("#references-fetched time")).to_have_count(1)
    await box.get_by_role("button", name="Fetch anyway").click()
    await expect(page.locator("#confirm-title")).to_have_text("Ask lis7.example:8443?")
    assert stage.commands == []
    await page.keyboard.press("Enter")
    await stage.asked_for("fetch-reference")
    await box.get_by_role("button", name="Try again").click()  # its host is known already
    await stage.asked_for("fetch-reference", times=2)
    assert [command["reference"] for command in stage.commands] == ["7", "9"]


async def test_what_an_event_does_not_bring_is_asked_for(on_stage):
    mine = card("1")
    stage: Stage = await on_stage(
        [mine], {"1": conversation(mine, references=[reference(7, "pending")])}
    )
    await stage.choose("1")
    await expect(stage.page.locator("#references")).to_contain_text("being fetched")
    there = fix(1, "Circle", radius=40, reference="7")
    stage.conversations["1"] = conversation(
        mine, references=[reference(7, "fetched")], fixes=[there]
    )
    await stage.tell(live("location-fetched", {**mine, "seq": 2}, {"reference": "7", "fixes": 1}))
    await expect(stage.page.locator("#position-shape")).to_contain_text("± 40 m")
    await expect(stage.page.locator("#position-method")).to_contain_text(
        "by reference (lis7.example:8443)"
    )
    await expect(stage.page.locator("#references")).to_be_hidden()


async def test_images_are_shown_and_all_else_is_offered_for_download(on_stage):
    parts = [
        part(1, "image/jpeg", name="cellar.jpg", inline=True),
        part(2, "application/pdf", name="plan.pdf", size=123_456),
        part(3, "application/x-odd", flag="truncated"),
        part(4, "application/pidf+xml"),
        part(5, "text/plain"),
        part(6, "text/plain", name="diary.txt"),
    ]
    mine = card("1")
    said = [message(1, "look", parts=parts)]
    stage: Stage = await on_stage([mine], {"1": conversation(mine, messages=said)})
    await stage.choose("1")
    page = stage.page
    items = page.locator(".attachment")
    await expect(items).to_have_count(4)
    await expect(items.nth(0).locator("img")).to_have_attribute("src", "/chats/1/parts/1/image/")
    await expect(items.nth(1)).to_contain_text("plan.pdf application/pdf · 121 kB")
    await expect(items.nth(1).locator("a")).to_have_attribute("href", "/chats/1/parts/2/")
    await expect(items.nth(2)).to_contain_text("cut because of its size")
    await expect(items.nth(3)).to_contain_text("diary.txt")
    await page.get_by_role("button", name="Show larger: cellar.jpg").press("Enter")
    await expect(page.locator("#image-dialog img")).to_be_visible()
    await expect(page.locator("#image-dialog")).to_contain_text("cellar.jpg")
    await page.keyboard.press("Escape")
    await expect(page.locator(".attachment-image")).to_be_focused()


async def test_a_picture_is_not_fetched_anew_when_its_message_changes(on_stage):
    mine = card("1")
    picture = part(1, "image/jpeg", inline=True)
    stage: Stage = await on_stage(
        [mine], {"1": conversation(mine, messages=[message(1, "look", parts=[picture])])}
    )
    await stage.choose("1")
    image = await stage.page.locator(".attachment img").element_handle()
    relay = {"messageId": "1", "target": URI, "status": "relayed", "sipStatus": 200}
    told = live("message-relayed", {**mine, "seq": 2}, {"target": URI})
    await stage.tell({**told, "relays": [relay]})
    await expect(stage.page.locator(".message-status")).to_contain_text("Passed on")
    assert await image.evaluate("image => image.isConnected")


async def test_an_image_that_cannot_be_shown_says_so_and_can_be_downloaded(on_stage):
    mine = card("1")
    broken = part(1, "image/jpeg", name="broken.jpg", inline=True, url="/nowhere/")
    stage: Stage = await on_stage(
        [mine], {"1": conversation(mine, messages=[message(1, "look", parts=[broken])])}
    )
    await stage.page.route("**/image/", lambda route: route.fulfill(status=404))
    await stage.choose("1")
    await expect(stage.page.locator(".attachment")).to_contain_text("cannot be shown here")
    await expect(stage.page.locator(".attachment a")).to_have_attribute("download", "broken.jpg")


async def test_an_address_without_position_breaks_nothing_and_says_so(on_stage):
    address = fix(1, "Civic", **ADDRESS_ONLY)
    mine = card("1", fix=address)
    stage: Stage = await on_stage(
        [mine, card("2", owner=None, ringingSince=at(), fix=address)],
        {"1": conversation(mine, messages=[message(1, "here")], fixes=[address])},
    )
    page = stage.page
    await expect(page.locator('#queue [data-chat="2"] .card-place')).to_have_text(LINE)
    await stage.choose("1")
    await expect(page.locator("#position-postal")).to_have_text(LINE)
    await expect(page.locator("#position-coordinates")).to_have_text(
        "No coordinates, only an address"
    )
    await expect(page.locator("#copy-decimal")).to_be_hidden()
    await expect(page.locator("#map path.latest-fix")).to_have_count(0)
    await page.locator("#position-address summary").press("Enter")
    await expect(page.locator("#position-civic")).to_contain_text("House number12")
    await expect(page.locator("#position-civic")).to_contain_text("XYZkept")
    placed = [fix(2, "Circle", radius=20, messageId="2", msgId=2)]
    said = live("message-received", {**mine, "seq": 2}, message=message(2, "there"))
    await stage.tell({**said, "fixes": placed})
    await expect(page.locator("#position-coordinates")).to_have_text("47.80950, 13.05500")
    await expect(page.locator("#position-address")).to_be_hidden()
    later = fix(3, "Civic", **ADDRESS_ONLY, messageId="3", msgId=3)
    said = live("message-received", {**mine, "seq": 3}, message=message(3, "again"))
    await stage.tell({**said, "fixes": [later]})
    await expect(page.locator("#position-shape")).to_contain_text("before the address")
    await expect(page.locator("#map path.latest-fix")).to_have_count(1)


@pytest.mark.parametrize(
    ("shape", "geometry", "words"),
    [
        ("Ellipse", {"semiMajorAxis": 300, "semiMinorAxis": 100, "orientation": 60},
         "± 300 m × 100 m · 95 % sure"),
        ("ArcBand", {"innerRadius": 500, "outerRadius": 1500, "startAngle": 300,
                     "openingAngle": 120}, "500 m to 1.5 km from the mast, 300° to 60°"),
        ("Polygon", {"ring": [[47.8, 13.04], [47.8, 13.06], [47.82, 13.05], [47.8, 13.04]]},
         "an area, up to"),
        ("Prism", {"ring": [[47.8, 13.04], [47.8, 13.06], [47.82, 13.05]], "height": 12},
         "12 m high"),
        ("Ellipsoid", {"semiMajorAxis": 30, "semiMinorAxis": 10, "orientation": 0,
                       "verticalAxis": 7}, "± 7 m up and down"),
        ("Sphere", None, "± 50 m, up and down too"),
    ],
)  # fmt: skip
async def test_each_shape_is_drawn_as_it_is_and_named(on_stage, shape, geometry, words):
    mine = card("1")
    radius = 50 if shape == "Sphere" else None
    there = fix(1, shape, geometry=geometry, radius=radius, confidence=None, altitude=424.4)
    stage: Stage = await on_stage([mine], {"1": conversation(mine, fixes=[there])})
    await stage.choose("1")
    drawn = stage.page.locator(f"#map path.shape-{shape.lower()}")
    await expect(drawn).to_have_count(1)
    outline = await drawn.bounding_box()
    assert outline is not None
    assert min(outline["width"], outline["height"]) > 10
    await expect(stage.page.locator("#position-shape")).to_contain_text(words)
    await expect(stage.page.locator("#position-shape")).to_contain_text("altitude 424 m")


async def test_blocks_of_data_are_readable_and_those_of_machines_folded(on_stage):
    blocks = [
        {"kind": "SubscriberInfo", "messageId": "1", "name": "Johanna Huber", "language": "de"},
        {"kind": "ProviderInfo", "messageId": "1", "name": "Telco", "contact": "tel:+43"},
        {"kind": "Comment", "messageId": "1", "comment": "deaf"},
        {"kind": "Unheard", "messageId": "1", "someThing": {"inner_part": [1, True]}},
    ]
    mine = card("1")
    stage: Stage = await on_stage([mine], {"1": conversation(mine, additionalData=blocks)})
    await stage.choose("1")
    page = stage.page
    await expect(page.locator("#caller-facts")).to_contain_text("LanguageGerman")
    await expect(page.get_by_text("Telco")).to_be_hidden()
    await page.locator("#caller-more summary").press("Enter")
    await expect(page.get_by_text("Telco")).to_be_visible()
    await expect(page.locator("#caller-more")).to_contain_text("Some thing: inner part1, yes")
