"""The rarer states of the console against the rules of axe-core, light and dark, and zoomed."""

import pytest
from playwright.async_api import expect

from tests.e2e.test_console_accessible import SCHEMES, WIDER_THAN_THE_PAGE, violations
from tests.support.stage import (
    ADDRESS_ONLY,
    COMMANDS,
    ME,
    REPEATED,
    TIROL,
    URI,
    Stage,
    at,
    card,
    conversation,
    event,
    fix,
    message,
    part,
    reference,
)


def everything() -> tuple[list[dict], dict[str, dict]]:
    """Return a chat with all marks, one on its way out, an alert, and who rings."""
    marked = card(
        "1", silent=True, unprotected=True, cameFrom=URI, priority="esnet.3", test=True,
        references={"pending": 1, "unlisted": 1, "failed": 1}, clientEnds={"redirect": True},
    )  # fmt: skip
    leaving = card("2", session="redirecting", goneTo=URI)
    alert = card("3", alert=True, standalone=True)
    rings = {"owner": None, "answeredAt": None, "ringingSince": at(), "silent": True}
    parts = [
        part(1, "image/png", name="a.png", inline=True),
        part(2, "application/pdf", flag="truncated"),
    ]
    references = [
        reference(n, status)
        for n, status in enumerate(("pending", "unlisted", "failed", "fetched"))
    ]
    report = {"id": "1", "status": "failed", "source": "x", "reason": "r", "by": ME, "at": at(),
              "httpStatus": 503, "cause": "overload"}  # fmt: skip
    blocks = [
        {"kind": "ProviderInfo", "messageId": "1", "name": "Telco"},
        {"kind": "Comment", "messageId": "1", "comment": "deaf"},
    ]
    warning = {**REPEATED, "headline": "Flood", "instruction": "Leave", "severity": "Extreme"}
    repeated = {**REPEATED, "headline": "Again", "language": "en"}
    return [marked, leaving, alert, card("4", **rings)], {
        "1": conversation(
            marked,
            messages=[message(1, "look", parts=parts, flags=["msg-id-gap"])],
            fixes=[fix(1, "Circle", radius=90), fix(2, "Civic", **ADDRESS_ONLY)],
            references=references,
            reports=[report],
            additionalData=blocks,
            signalling={"cameVia": [{"uri": URI, "cause": 302, "reason": "x"}], "did": "did:x"},
            events=[event(1, "chat-unprotected", transport="tcp")],
        ),
        "2": conversation(
            leaving,
            messages=[message(1, "hello"), message(2, "wait", direction="out", type=274)],
            relays=[{"messageId": "1", "target": URI, "status": "failed", "sipStatus": 480}],
            fixes=[fix(1, "ArcBand", geometry={"outerRadius": 900, "openingAngle": 90})],
            events=[event(1, "chat-redirecting", target=URI)],
        ),
        "3": conversation(alert, messages=[message(1)], additionalData=[warning, repeated]),
    }


ALARMS = [
    {"code": "a", "severity": "alarm", "text": "Not registered at esrp.example.org."},
    {"code": "b", "severity": "warning", "text": "A certificate expires in 12 days."},
]


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_no_state_breaks_a_rule(on_stage, scheme):
    cards, conversations = everything()
    you = {**ME, "roles": ["supervisor"], "commands": COMMANDS}
    stage: Stage = await on_stage(cards, conversations, peers=[TIROL], alarms=ALARMS, you=you)
    page = stage.page
    await page.emulate_media(color_scheme=scheme)
    for chat in ("1", "2", "3"):
        await stage.choose(chat)
        await expect(page.locator("#caller-facts")).to_contain_text("Number")
        assert await violations(page) == []
    failed = {"target": URI, "cause": "the app is still heard here"}
    back = {**cards[1], "seq": 2, "session": "open", "goneTo": ""}
    await stage.choose("2")
    await stage.tell(
        {"ev": "redirect-failed", "chat": "2", "seq": 2, "at": at(), "actor": "system",
         "data": failed, "card": back}
    )  # fmt: skip
    await expect(page.locator("#redirect-strip")).to_have_attribute("data-state", "failed")
    assert await violations(page) == []
    await stage.choose("1")
    for summary in await page.locator("#caller-more summary, #position-address summary").all():
        await summary.press("Enter")
    assert await violations(page) == []


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_no_dialog_breaks_a_rule_and_each_gives_the_focus_back(on_stage, scheme):
    cards, conversations = everything()
    stage: Stage = await on_stage(cards, conversations, peers=[TIROL])
    stage.documents["/chats/tests/"] = {"chats": cards}
    page = stage.page
    await page.emulate_media(color_scheme=scheme)
    await stage.choose("1")
    opened_by = {
        "pass-on": "#pass-on-this",
        "report": "#report-this",
        "tests": "#tests-open",
        "image": ".attachment-image",
        "confirm": "#references button >> nth=0",
    }
    for dialog, button in opened_by.items():
        await page.locator(button).focus()
        await page.keyboard.press("Enter")
        await expect(page.locator(f"#{dialog}-dialog")).to_be_visible()
        if dialog == "tests":
            await expect(page.locator("#tests-dialog tbody tr")).to_have_count(len(cards))
        assert await violations(page) == []
        await page.keyboard.press("Escape")
        await expect(page.locator(f"#{dialog}-dialog")).to_be_hidden()
        await expect(page.locator(button)).to_be_focused()


@pytest.mark.parametrize(("width", "height"), [(683, 384), (320, 256)])
async def test_zoomed_no_state_breaks_a_rule_nor_scrolls_sideways(on_stage, width, height):
    """1366 × 768 at 200 %, and 1280 × 1024 at 400 % (WCAG 1.4.4, 1.4.10)."""
    cards, conversations = everything()
    stage: Stage = await on_stage(cards, conversations, peers=[TIROL], alarms=ALARMS)
    page = stage.page
    await page.set_viewport_size({"width": width, "height": height})
    for chat in ("1", "2", "3"):
        await stage.choose(chat)
        assert not await page.evaluate(WIDER_THAN_THE_PAGE)
        assert await violations(page) == []


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_writing_again_after_the_end_breaks_no_rule(on_stage, scheme):
    ended = card("1", session="stopped", endedBy="caller", endedAt=at())
    stage: Stage = await on_stage([ended])
    await stage.page.emulate_media(color_scheme=scheme)
    await stage.choose("1")
    await expect(stage.page.locator("#write-again")).to_be_visible()
    assert await violations(stage.page) == []
    await stage.page.locator("#write-again").press("Enter")
    await expect(stage.page.locator("#call-back-text")).to_be_focused()
    assert await violations(stage.page) == []
    await stage.page.keyboard.press("Escape")
    await expect(stage.page.locator("#write-again")).to_be_focused()
