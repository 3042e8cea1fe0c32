"""How the console rings for a chat that another control room offers, and opens it when it comes."""

import re
from typing import Any

import pytest
from playwright.async_api import expect

from tests.support.stage import (
    ME,
    TIROL,
    URI,
    Json,
    Stage,
    at,
    card,
    conversation,
    live,
    offer,
)

BERTA = {"username": "berta", "name": "Berta Maier"}


def offers(*open_ones: Json, ended: tuple[Json, ...] = ()) -> Json:
    return {"ev": "offers", "offers": list(open_ones), "ended": list(ended)}


async def test_an_offer_rings_at_the_top_with_who_why_since_when_and_until_when(on_stage):
    stage: Stage = await on_stage([card("1")])
    page = stage.page
    await expect(page.locator("#offers")).to_be_hidden()
    await stage.tell(offers(offer(1)))
    row = page.locator(".offer")
    await expect(row).to_contain_text("Leitstelle Tirol")
    await expect(row).to_contain_text("Your service is in charge")
    await expect(row.locator(".offer-age")).to_have_text(re.compile(r"^\d s$"))
    await expect(row.locator(".offer-until")).to_have_text(
        re.compile(r"^Declined by itself in 2\d s$")
    )
    assert await page.locator("#queue > :first-child").get_attribute("id") == "offers"
    await expect(page.locator("#statusbar")).to_have_attribute("data-state", "ringing")
    await expect(page.locator("#status-text")).to_contain_text("Leitstelle Tirol offers a chat, 2")
    await expect(page).to_have_title("(1) ringing – Leitstand")
    await expect(page.locator("#announce-at-once")).to_have_text(
        "Leitstelle Tirol offers a chat: Your service is in charge. O accepts, Shift O declines."
    )
    await stage.tell(offers())
    await expect(page.locator("#offers")).to_be_hidden()
    await expect(page.locator("#statusbar")).to_have_attribute("data-state", "idle")
    await expect(page).to_have_title("Leitstand")


async def test_offers_push_no_part_of_the_queue_out_of_sight(on_stage):
    mine = [card(str(number)) for number in range(1, 6)]
    ringing = card("6", owner=None, answeredAt=None, ringingSince=at(-12))
    stage: Stage = await on_stage([*mine, ringing], offers=[offer(1), offer(2), offer(3)])
    page = stage.page
    await expect(page.locator(".offer")).to_have_count(3)
    for part in ('[data-offer="1"] .offer-accept', '[data-chat="6"] .card-answer', "#tests-open"):
        await expect(page.locator(part)).to_be_in_viewport(ratio=1)


async def test_the_alarm_sounds_for_an_offer_and_ends_with_it(on_stage):
    stage: Stage = await on_stage([card("1")])
    page = stage.page
    await page.keyboard.press("Escape")  # browsers allow sound after a first key
    await expect(page.locator("#sound-label")).to_have_text("Sound on")
    await stage.tell(offers(offer(1)))
    await expect(page.locator("#silence")).to_be_visible()
    await page.keyboard.press("s")
    await expect(page.locator("#silence")).to_be_hidden()
    await stage.tell(offers(offer(1), offer(2)))  # another one: it sounds again
    await expect(page.locator("#silence")).to_be_visible()
    await stage.tell(offers())
    await expect(page.locator("#silence")).to_be_hidden()


async def test_one_key_accepts_the_offer_that_waits_longest(on_stage):
    stage: Stage = await on_stage([card("1")], offers=[offer(1), offer(2)])
    page = stage.page
    await expect(page.locator(".offer")).to_have_count(2)
    await page.keyboard.press("o")
    await stage.asked_for("accept-offer")
    assert stage.commands == [{"do": "accept-offer", "offer": "1"}]
    await stage.tell(offers(offer(1, "accepted", by=ME, dueAt=at(60)), offer(2)))
    coming = page.locator('.offer[data-state="accepted"]')
    await expect(coming).to_contain_text("Coming from Leitstelle Tirol")
    await expect(coming.locator(".offer-until")).to_have_text(
        re.compile(r"^Accepted by you · within (60|59|58) s$")
    )
    await expect(coming.locator("button").first).to_be_hidden()
    await expect(page.locator("#accept-offer")).to_be_visible()  # the other one rings on
    await page.locator("#accept-offer").click()
    await stage.asked_for("accept-offer", times=2)
    assert stage.commands[-1] == {"do": "accept-offer", "offer": "2"}


async def test_an_offer_is_declined_with_a_reason(on_stage):
    stage: Stage = await on_stage([card("1")], offers=[offer(1)])
    page = stage.page
    await expect(page.locator(".offer")).to_have_count(1)
    await page.keyboard.press("Shift+O")
    await expect(page.locator("#decline-reason")).to_be_focused()
    await page.get_by_role("button", name="Not our area").click()
    await page.keyboard.press("Control+Enter")
    await stage.asked_for("decline-offer")
    assert stage.commands == [{"do": "decline-offer", "offer": "1", "reason": "Not our area"}]
    declined = offer(1, "declined", by=ME, cause="Not our area")
    await stage.tell(offers(ended=(declined,)))
    await expect(page.locator(".toast")).to_contain_text("is declined: Not our area")


@pytest.mark.parametrize(
    ("state", "cause"),
    [("expired", "It was asked for anew."), ("cancelled", "It was called off by Tirol.")],
)
async def test_an_offer_that_ends_takes_its_dialog_with_it_and_says_so(
    on_stage, state: str, cause: str
):
    stage: Stage = await on_stage([card("1")], offers=[offer(1)])
    page = stage.page
    await page.get_by_role("button", name="Decline the chat").click()
    await expect(page.locator("#decline-dialog")).to_be_visible()
    await stage.tell(offers(ended=(offer(1, state, cause=cause),)))
    await expect(page.locator("#decline-dialog")).to_be_hidden()
    await expect(page.locator(".toast")).to_have_text(
        f"The offer of Leitstelle Tirol has ended: {cause}"
    )
    assert stage.commands == []


async def test_who_was_slower_is_told(on_stage):
    stage: Stage = await on_stage([card("1")], offers=[offer(1)])
    page = stage.page
    stage.replies["accept-offer"] = {"ok": False, "code": "offer-gone", "detail": "It is gone."}
    await page.get_by_role("button", name="Accept the chat").click()
    await expect(page.locator(".toast.warning")).to_contain_text("was not accepted: It is gone.")
    await stage.tell(offers(offer(1, "accepted", by=BERTA, dueAt=at(60))))
    await expect(page.locator(".offer-until")).to_contain_text("Accepted by Berta Maier")


async def test_the_focus_stays_in_the_queue_when_the_focused_offer_goes(on_stage):
    stage: Stage = await on_stage([card("1")], offers=[offer(1), offer(2)])
    page = stage.page
    await page.locator(".offer-accept").first.focus()
    await stage.tell(offers(offer(2), ended=(offer(1, "expired"),)))
    await expect(page.locator("#message-list")).to_be_focused()
    await page.locator(".offer-accept").focus()
    await stage.tell(offers(offer(2), offer(3)))  # another one comes: nothing moves
    await expect(page.locator(".offer-accept").first).to_be_focused()


async def test_the_focus_stays_on_an_offer_that_moves_up(on_stage):
    """Whoever is about to press Enter there is not thrown to the top of the page."""
    stage: Stage = await on_stage([card("1")], offers=[offer(1), offer(2)])
    page = stage.page
    await page.locator('[data-offer="2"] .offer-accept').focus()
    await stage.tell(offers(offer(1, "accepted", by=BERTA, dueAt=at(60)), offer(2)))
    await expect(page.locator(".offer").first).to_have_attribute("data-offer", "2")
    await expect(page.locator('[data-offer="2"] .offer-accept')).to_be_focused()


def arriving(chat: str = "2", **said: Any) -> Json:
    return card(chat, session="arriving", cameFrom=URI, **said)


async def come(stage: Stage, coming: Json, by: Json = ME) -> None:
    """Let the chat of offer 1 arrive: its event, then its offer."""
    stage.conversations[coming["chat"]] = conversation(coming)
    await stage.tell(live("chat-arriving", coming))
    await stage.tell(offers(offer(1, "executing", by=by, chat=coming["chat"], dueAt=at(10))))


async def test_an_accepted_chat_opens_by_itself_when_it_comes(on_stage):
    stage: Stage = await on_stage(
        [card("1")], peers=[TIROL], offers=[offer(1, "accepted", by=ME, dueAt=at(60))]
    )
    await stage.choose("1")
    await come(stage, arriving())
    await expect(stage.page.locator("#conversation-title")).to_have_text("Caller 2")
    await expect(stage.page.locator("#composer-text")).to_be_focused()


async def test_it_does_not_open_beneath_the_hands_of_who_is_typing(on_stage):
    stage: Stage = await on_stage(
        [card("1")], peers=[TIROL], offers=[offer(1, "accepted", by=ME, dueAt=at(60))]
    )
    await stage.choose("1")
    page = stage.page
    await page.locator("#composer-text").focus()
    await page.keyboard.type("half a")
    await come(stage, arriving())
    await expect(page.locator(".toast")).to_contain_text(
        "#2 Caller 2 comes to you from Leitstelle Tirol. Alt+2 shows it."
    )
    await page.keyboard.type(" thought")
    await expect(page.locator("#conversation-title")).to_have_text("Caller 1")
    await expect(page.locator("#composer-text")).to_have_value("half a thought")
    await page.keyboard.press("Alt+2")
    await expect(page.locator("#conversation-title")).to_have_text("Caller 2")


async def test_a_chat_that_somebody_else_accepted_opens_nowhere_else(on_stage):
    stage: Stage = await on_stage(
        [card("1")], offers=[offer(1, "accepted", by=BERTA, dueAt=at(60))]
    )
    await stage.choose("1")
    await come(stage, arriving(owner=BERTA), by=BERTA)
    await expect(stage.page.locator('#queue [data-section="others"]')).to_have_count(1)
    await expect(stage.page.locator("#conversation-title")).to_have_text("Caller 1")


async def test_a_chat_that_arrives_for_nobody_waits_in_the_queue_without_ringing(on_stage):
    coming = arriving("1", owner=None, answeredAt=None)
    stage: Stage = await on_stage([coming], {"1": conversation(coming)}, peers=[TIROL])
    page = stage.page
    await expect(page.locator('#queue [data-queue="ringing"] .card')).to_have_count(1)
    await expect(page.locator(".card-marks-of")).to_have_text("Arriving · From Leitstelle Tirol")
    await expect(page.locator("#statusbar")).to_have_attribute("data-state", "idle")
    rings = {**coming, "seq": 2, "session": "open", "ringingSince": at()}
    await stage.tell(live("chat-arrived", rings))
    await expect(page.locator("#statusbar")).to_have_attribute("data-state", "ringing")


async def test_the_names_and_reasons_of_offers_are_never_markup(on_stage):
    hostile = "<img src=x onerror=alert(1)>"
    stage: Stage = await on_stage([card("1")], offers=[offer(1, peer=hostile, reason=hostile)])
    page = stage.page
    await expect(page.locator(".offer-peer")).to_have_text(hostile)
    await expect(page.locator(".offer-reason")).to_have_text(hostile)
    await expect(page.locator("#status-text")).to_contain_text(hostile)
    await page.keyboard.press("Shift+O")
    await expect(page.locator("#decline-offered")).to_have_text(hostile)
    assert await page.locator("main img, dialog[open] img").count() == 0


async def test_offers_are_back_after_a_reconnection_and_ring_once(on_stage):
    stage: Stage = await on_stage([card("1")], offers=[offer(1)])
    page = stage.page
    await expect(page.locator(".offer")).to_have_count(1)
    stage.snapshot["offers"] = [offer(2)]
    await stage.drop()
    await expect(page.locator('.offer[data-offer="2"]')).to_have_count(1)
    await expect(page.locator(".offer")).to_have_count(1)
