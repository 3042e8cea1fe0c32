"""Pictures and files of a caller at a desk: shown, enlarged, downloaded; nothing is run."""

import asyncio
from pathlib import Path

from playwright.async_api import expect

from sipgateway.simulator import enclosures
from sipgateway.simulator.body import Part
from tests.e2e.conftest import Call, OpenDesk

LOADED = "image => image.complete && image.naturalWidth > 0"


async def test_a_picture_is_shown_and_a_file_is_downloaded_as_it_came(
    open_desk: OpenDesk, call: Call
):
    desk = await open_desk()
    app = await call()
    await desk.answer()
    note = b"Aspirin 100 mg\r\n"
    await app.say("seht her", enclosed=[enclosures.picture(), enclosures.file(content=note)])
    page = desk.page
    items = page.locator(".attachment")
    await expect(items).to_have_count(2)
    image = items.first.locator("img")
    await expect(image).to_be_in_viewport()
    await page.wait_for_function(f"() => ({LOADED})(document.querySelector('.attachment img'))")
    await image.click()
    large = page.locator("#image-dialog img")
    await expect(large).to_be_visible()
    await page.wait_for_function(f"() => ({LOADED})(document.querySelector('#image-dialog img'))")
    await desk.press("Escape")
    await expect(page.locator("#image-dialog")).to_be_hidden()
    async with page.expect_download() as download:
        await items.last.locator("a").click()
    saved = await download.value
    assert saved.suggested_filename == "medication.txt"
    assert await asyncio.to_thread(Path(await saved.path()).read_bytes) == note


async def test_what_only_claims_to_be_an_image_says_so_and_is_no_page(
    open_desk: OpenDesk, call: Call
):
    desk = await open_desk()
    app = await call()
    await desk.answer()
    script = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"
    await app.say("bild", enclosed=[Part("image/svg+xml", script, name="x.svg")])
    await app.say("noch eins", enclosed=[Part("image/png", script, name="y.png")])
    page = desk.page
    items = page.locator(".attachment")
    await expect(items).to_have_count(2)
    await expect(items.first.locator("img")).to_have_count(0)
    await expect(items.last).to_contain_text("cannot be shown here")
    async with page.expect_download() as download:
        await items.first.locator("a").click()
    assert (await download.value).suggested_filename == "x.svg"


async def test_blocks_of_additional_data_stand_beside_the_chat(open_desk: OpenDesk, call: Call):
    desk = await open_desk()
    app = await call()
    await desk.answer()
    blocks = [enclosures.provider(), enclosures.service(), enclosures.device()]
    await app.say("wer bin ich", enclosed=[*blocks, enclosures.comment("Der Hund beißt.")])
    more = desk.page.locator("#caller-more")
    await expect(more).to_contain_text("Der Hund beißt.")
    for title in ("Provider", "Kind of service", "Device"):
        await expect(more.locator("summary").get_by_text(title, exact=True)).to_be_visible()
    await expect(desk.page.locator(".attachment")).to_have_count(0)
