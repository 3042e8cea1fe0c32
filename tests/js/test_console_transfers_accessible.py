"""Every state of transfers and offers against the rules of axe-core: light, dark and zoomed."""

import pytest
from playwright.async_api import Page, expect

from tests.e2e.test_console_accessible import SCHEMES, WIDER_THAN_THE_PAGE, violations
from tests.support.stage import (
    ME,
    TIROL,
    URI,
    Json,
    Stage,
    at,
    card,
    conversation,
    event,
    live,
    message,
    offer,
    transfer,
)

OUTWARD = [
    ("negotiating", "open", {}),
    ("accepted", "open", {"atOnce": False}),
    ("stalling", "transferring", {}),
    ("executing", "transferring", {}),
    ("uncertain", "transferring", {}),
    ("done", "transferred", {}),
    ("declined", "open", {"cause": "No call-taker is free"}),
    ("expired", "open", {}),
    ("failed", "open", {"cause": "the app has not acknowledged"}),
]
INWARD = [("executing", "arriving"), ("uncertain", "arriving"), ("released", "transferred")]


def taken() -> tuple[Json, Json]:
    """Return a chat that was taken over, and all of it."""
    mine = card("1", session="arriving", cameFrom=URI, transfer=transfer("executing", side="in"))
    theirs = {"psap": URI, "direction": "out", "status": "delivered", "role": "calltaker"}
    return mine, conversation(
        mine,
        messages=[message(1, "help", psap=URI), message(2, "Where?", **theirs)],
        notes=[{"id": "1", "at": at(-30), "text": "deaf, 78", "psap": URI}],
        psaps=[{"uri": URI, "name": "Tirol", "from": at()}],
        events=[event(1, "chat-arriving", peer="Tirol", by="anna")],
    )


def ringing() -> list[Json]:
    return [
        offer(1),
        offer(2, reason=""),
        offer(3, "accepted", by=ME, dueAt=at(60)),
        offer(4, "executing", automatic=True, dueAt=at(10), reason="x" * 400),
    ]


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_no_step_of_a_transfer_breaks_a_rule(on_stage, scheme):
    mine = card("1")
    stage: Stage = await on_stage([mine], peers=[TIROL])
    page = stage.page
    await page.emulate_media(color_scheme=scheme)
    await stage.choose("1")
    for seq, (state, session, said) in enumerate(OUTWARD, 2):
        after = {**mine, "seq": seq, "session": session, "transfer": transfer(state, **said)}
        await stage.tell(live("transfer-moved", after))
        await expect(page.locator("#transfer-title")).to_be_visible()
        assert await violations(page) == [], state


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_no_state_of_a_chat_that_comes_to_us_breaks_a_rule(on_stage, scheme):
    mine, body = taken()
    stage: Stage = await on_stage([mine], {"1": body}, peers=[TIROL], offers=ringing())
    page = stage.page
    await page.emulate_media(color_scheme=scheme)
    await stage.choose("1")
    await expect(page.locator(".offer")).to_have_count(4)
    for seq, (state, session) in enumerate(INWARD, 2):
        after = {**mine, "seq": seq, "session": session, "transfer": transfer(state, side="in")}
        await stage.tell(live("transfer-moved", after))
        await expect(page.locator("#transfer-title")).to_be_visible()
        assert await violations(page) == [], state


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_the_dialogs_break_no_rule_and_give_the_focus_back(on_stage, scheme):
    mine = card("1", clientEnds={"redirect": True, "transfer": True, "override": True})
    stage: Stage = await on_stage([mine], peers=[TIROL], offers=[offer(1)])
    page = stage.page
    await page.emulate_media(color_scheme=scheme)
    await stage.choose("1")
    for dialog, button in (("pass-on", "#pass-on-this"), ("decline", ".offer-decline")):
        await page.locator(button).focus()
        await page.keyboard.press("Enter")
        await expect(page.locator(f"#{dialog}-dialog")).to_be_visible()
        assert await violations(page) == []
        await page.keyboard.press("Escape")
        await expect(page.locator(f"#{dialog}-dialog")).to_be_hidden()
        await expect(page.locator(button)).to_be_focused()


@pytest.mark.parametrize(("width", "height"), [(683, 384), (320, 256)])
async def test_zoomed_nothing_of_a_transfer_scrolls_sideways(on_stage, width, height):
    """1366 × 768 at 200 %, and 1280 × 1024 at 400 % (WCAG 1.4.4, 1.4.10)."""
    mine, body = taken()
    stage: Stage = await on_stage([mine], {"1": body}, peers=[TIROL], offers=ringing())
    page = stage.page
    await page.set_viewport_size({"width": width, "height": height})
    await stage.choose("1")
    after = {**mine, "seq": 2, "transfer": transfer("uncertain", side="in")}
    await stage.tell(live("custody-uncertain", after))
    await expect(page.locator("#transfer-title")).to_contain_text("Custody uncertain")
    assert await violations(page) == []
    assert not await page.evaluate(WIDER_THAN_THE_PAGE)
    for part in ("#transfer-title", "#composer-text", ".offer-accept >> nth=0"):
        await page.locator(part).scroll_into_view_if_needed()
        await expect(page.locator(part)).to_be_in_viewport()


async def test_with_reduced_motion_an_offer_rings_without_flashing(on_stage):
    stage: Stage = await on_stage([card("1")], offers=[offer(1)])
    page = stage.page
    await page.emulate_media(reduced_motion="reduce")
    bar = page.locator("#statusbar")
    await expect(bar).to_have_attribute("data-state", "ringing")
    colours = set()
    for pulse in ("on", "off"):
        await expect(bar).to_have_attribute("data-pulse", pulse)
        colours.add(await bar.evaluate("(e) => getComputedStyle(e).backgroundColor"))
    assert len(colours) == 1


async def test_by_the_keyboard_alone_an_offer_is_answered_and_a_transfer_handed_over(on_stage):
    mine = card("1", transfer=transfer("accepted", atOnce=False))
    stage: Stage = await on_stage([mine], peers=[TIROL], offers=[offer(1)])
    page = stage.page
    await stage.choose("1")
    for name, do in (("Hand over now", "hand-over"), ("Accept the chat", "accept-offer")):
        await expect(page.get_by_role("button", name=name).first).to_be_visible()
        await page.locator("#queue .card-open").first.focus()
        assert await tabbed_to(page, name), f"Tab never comes to “{name}”"
        await page.keyboard.press("Enter")
        await stage.asked_for(do)


async def tabbed_to(page: Page, name: str) -> bool:
    """Press Tab until what begins with a name has the focus; returns whether that came."""
    for _ in range(40):
        await page.keyboard.press("Tab")
        focused: str = await page.evaluate(
            "document.activeElement.ariaLabel ?? document.activeElement.textContent"
        )
        if focused.startswith(name):
            return True
    return False
