"""How the console hands a chat over to another control room, step by step (clause 6.2.6)."""

import re
from typing import Any

import pytest
from playwright.async_api import Route, expect

from tests.support.stage import (
    ME,
    PIXEL,
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
    transfer,
)

NORD = {"id": "4", "name": "Bergrettung Nord", "uri": "sip:psap@nord.example", "transfers": False}
STRIP = "#transfer-strip"


def moved(of: Json, state: str, *, session: str = "open", **said: Any) -> Json:
    """Return an event after which the transfer of a chat is in another state."""
    after = {**of, "seq": of["seq"] + 1, "session": session, "transfer": transfer(state, **said)}
    of.update(after)
    return live("transfer-moved", dict(after))


async def test_a_transfer_is_asked_for_with_peer_reason_and_text(on_stage):
    stage: Stage = await on_stage([card("1")], peers=[TIROL, NORD])
    await stage.choose("1")
    page = stage.page
    await page.locator("#composer-text").fill("half a thought")
    await page.keyboard.press("Escape")
    await page.keyboard.press("d")
    await expect(page.locator("#pass-on-peer")).to_be_focused()
    await expect(page.get_by_label("Transfer with its history")).to_be_checked()
    # Nord takes none: there is but one to choose.
    await expect(page.locator("#pass-on-peer option:checked")).to_have_text(TIROL["name"])
    await expect(page.locator("#pass-on-text")).to_have_value("Another control room takes over.")
    await expect(page.locator("#pass-on-note")).to_contain_text("half a thought")
    await page.get_by_role("button", name="Outside our area").click()
    await expect(page.locator("#pass-on-reason")).to_be_focused()
    await page.keyboard.type(". By 2 km")
    await page.get_by_role("button", name="Your service is in charge").click()
    await expect(page.locator("#pass-on-reason")).to_have_value(
        "Your service is in charge. By 2 km"
    )
    await page.keyboard.press("Control+Enter")
    await stage.asked_for("transfer")
    assert stage.commands == [
        {"do": "transfer", "chat": "1", "peer": "3", "reason": "Your service is in charge. By 2 km",
         "text": "Another control room takes over.", "override": False, "atOnce": True}
    ]  # fmt: skip
    await expect(page.locator("#composer-text")).to_have_value("half a thought")


async def test_the_other_way_keeps_its_own_text_and_offers_all_control_rooms(on_stage):
    stage: Stage = await on_stage([card("1")], peers=[TIROL, NORD])
    await stage.choose("1")
    page = stage.page
    await page.keyboard.press("d")
    await page.locator("#pass-on-text").fill("mine")
    await page.get_by_label("Redirect the app").check()
    await expect(page.locator("#pass-on-reason-field")).to_be_hidden()
    await expect(page.locator("#pass-on-at-once")).to_be_hidden()
    await expect(page.locator("#pass-on-text")).to_have_value("We are passing you on.")
    await page.get_by_label("Transfer with its history").check()
    await expect(page.locator("#pass-on-text")).to_have_value("mine")
    await page.get_by_label("Redirect the app").check()
    await page.locator("#pass-on-peer").select_option("4")
    await page.keyboard.press("Control+Enter")
    await stage.asked_for("redirect")
    assert stage.commands[-1]["peer"] == "4"


async def test_without_a_control_room_that_takes_transfers_only_a_redirect_is_offered(on_stage):
    stage: Stage = await on_stage([card("1")], peers=[NORD])
    await stage.choose("1")
    await stage.page.keyboard.press("d")
    await expect(stage.page.locator("#pass-on-dialog")).to_be_visible()
    await expect(stage.page.locator("#pass-on-ways")).to_be_hidden()
    await stage.page.keyboard.press("Control+Enter")
    await stage.asked_for("redirect")


async def test_an_app_that_would_end_its_chat_is_transferred_only_on_purpose(on_stage):
    ends = {"redirect": False, "transfer": True, "override": True}
    stage: Stage = await on_stage([card("1", clientEnds=ends)], peers=[TIROL])
    await stage.choose("1")
    page = stage.page
    await page.keyboard.press("d")
    await expect(page.locator("#pass-on-warning")).to_contain_text("following a transfer")
    await page.keyboard.press("Control+Enter")
    await expect(page.locator("#pass-on-dialog")).to_be_visible()
    assert stage.commands == []
    await page.get_by_label("Redirect the app").check()
    await expect(page.locator("#pass-on-warning")).to_be_hidden()
    await page.get_by_label("Transfer with its history").check()
    await page.locator("#pass-on-override").check()
    await page.keyboard.press("Control+Enter")
    await stage.asked_for("transfer")
    assert stage.commands[0]["override"] is True


async def test_an_app_that_knows_no_transfer_is_not_transferred_at_all(on_stage):
    ends = {"redirect": True, "transfer": True, "override": False}
    stage: Stage = await on_stage([card("1", clientEnds=ends)], peers=[TIROL])
    await stage.choose("1")
    await stage.page.keyboard.press("d")
    await expect(stage.page.locator("#pass-on-impossible")).to_be_visible()
    await expect(stage.page.locator("#pass-on-dialog [type=submit]")).to_be_disabled()
    await stage.page.keyboard.press("Control+Enter")
    await expect(stage.page.locator("#pass-on-dialog")).to_be_visible()
    assert stage.commands == []


async def test_each_step_is_shown_in_words_and_the_call_taker_hands_over_when_ready(on_stage):
    mine = card("1")
    stage: Stage = await on_stage([mine], peers=[TIROL])
    await stage.choose("1")
    page = stage.page
    strip = page.locator(STRIP)
    current = strip.locator("[aria-current=step]")
    await expect(strip).to_be_hidden()
    await page.locator("#composer-text").fill("kept")
    await stage.tell(moved(mine, "negotiating", atOnce=False))
    await expect(strip).to_contain_text("Leitstelle Tirol is asked")
    await expect(page.locator("#transfer-until")).to_have_text(
        re.compile(r"answer within (30|29|28) s")
    )
    await expect(page.locator("#pass-on-this")).to_be_hidden()
    await expect(page.locator("#composer-send")).to_be_enabled()  # the caller is still ours
    await stage.tell(moved(mine, "accepted", atOnce=False))
    await expect(strip).to_contain_text("Leitstelle Tirol accepts this chat")
    await expect(current).to_have_text(re.compile("You hand over"))
    await page.locator("#transfer-hand-over").click()
    await stage.asked_for("hand-over")
    await stage.tell(moved(mine, "stalling", session="transferring", atOnce=False))
    await expect(current).to_have_text(re.compile("The app is told to wait"))
    await expect(page.locator("#transfer-hand-over")).to_be_hidden()
    await expect(page.locator("#composer-text")).to_be_focused()
    await expect(page.locator("#composer-send")).to_be_disabled()
    await expect(page.locator("#composer-reason")).to_contain_text("Your draft stays")
    await expect(page.locator("#composer-text")).to_have_value("kept")
    await expect(page.locator("#close-this")).to_be_hidden()
    await page.locator("#transfer-keep").click()
    await stage.asked_for("take-back")
    await stage.tell(moved(mine, "executing", session="transferring", atOnce=False))
    await expect(current).to_have_text(re.compile("Leitstelle Tirol takes the chat"))
    await expect(page.locator("#transfer-keep")).to_be_hidden()  # too late
    await stage.tell(moved(mine, "done", session="transferred"))
    await expect(strip).to_contain_text("This chat is with Leitstelle Tirol now")
    await expect(page.locator("#composer-reason")).to_contain_text("with Leitstelle Tirol now")
    await expect(page.locator("#composer-text")).to_have_js_property("readOnly", value=True)
    await expect(page.locator("#conversation-state")).to_contain_text("transferred to")
    await expect(page.locator("#close-this")).to_be_visible()
    assert [command["do"] for command in stage.commands] == ["hand-over", "take-back"]


@pytest.mark.parametrize(
    ("state", "cause", "words"),
    [
        ("declined", "No call-taker is free.",
         "Leitstelle Tirol declines: No call-taker is free. The chat stays yours."),
        ("expired", "", "The time to hand over to Leitstelle Tirol has run out."),
        ("failed", "the app has not acknowledged",
         "Transfer to Leitstelle Tirol failed: the app has not acknowledged. The chat is yours"),
    ],
)  # fmt: skip
async def test_a_transfer_that_comes_to_nothing_says_why_and_gives_the_chat_back(
    on_stage, state, cause, words
):
    mine = card("1", session="transferring", transfer=transfer("executing"))
    stage: Stage = await on_stage([mine], peers=[TIROL])
    await stage.choose("1")
    page = stage.page
    strip = page.locator(STRIP)
    await expect(strip).to_be_visible()  # the console knows what stood there before
    await page.locator("#composer-text").evaluate("(e) => { e.focus(); }")
    await stage.tell(moved(mine, state, cause=cause))
    await expect(strip).to_contain_text(words)
    await expect(strip).to_have_attribute("data-state", "failed")
    await expect(page.locator("#announce-at-once")).to_contain_text(words)
    await expect(page.locator("#composer-send")).to_be_enabled()
    await page.locator("#transfer-read").click()
    await expect(strip).to_be_hidden()
    await expect(page.locator("#composer-text")).to_be_focused()


async def test_a_chat_that_comes_back_unseen_is_marked_until_looked_at(on_stage):
    mine = card("1", session="transferring", transfer=transfer("executing"))
    stage: Stage = await on_stage([mine, card("2")], peers=[TIROL])
    await stage.choose("1")
    await expect(stage.page.locator(STRIP)).to_be_visible()
    await stage.choose("2")
    after = {**mine, "seq": 2, "session": "open", "transfer": transfer("failed", cause="503")}
    await stage.tell(live("transfer-failed", after, {"target": URI, "cause": "503"}))
    mark = stage.page.locator('#queue [data-chat="1"] .card-returned')
    await expect(mark).to_be_visible()
    await expect(stage.page.locator(".toast.warning")).to_contain_text("The chat is yours again")
    await stage.choose("1")
    await expect(mark).to_be_hidden()


async def test_uncertain_custody_is_said_shown_and_marked_with_what_to_do(on_stage):
    mine = card("1", session="transferring", transfer=transfer("executing"))
    stage: Stage = await on_stage([mine, card("2")], peers=[TIROL])
    await stage.choose("1")
    page = stage.page
    strip = page.locator(STRIP)
    await expect(strip).to_be_visible()
    await stage.tell(moved(mine, "uncertain", session="transferring"))
    await expect(strip).to_have_attribute("data-state", "uncertain")
    await expect(strip.locator("svg")).to_be_visible()  # not by colour alone
    await expect(strip).to_contain_text("Custody uncertain")
    await expect(strip).to_contain_text("Call Leitstelle Tirol and agree who writes")
    await expect(page.locator("#announce-at-once")).to_contain_text("Custody uncertain")
    assert await page.locator(".toast.warning").count() == 0  # it is on screen already
    await expect(page.locator('#queue [data-chat="1"] .card-marks-of')).to_contain_text(
        "⚠ Custody uncertain"
    )
    await expect(page.locator("#transfer-keep")).to_be_hidden()
    await stage.choose("2")
    await expect(strip).to_be_hidden()


async def test_the_time_runs_on_screen_and_is_announced_once_when_it_is_short(on_stage):
    mine = card("1", transfer=transfer("negotiating", atOnce=False))
    stage: Stage = await on_stage([mine], peers=[TIROL])
    await stage.choose("1")
    page = stage.page
    spoken = """() => {
        window.spoken = [];
        for (const id of ["announce-politely", "announce-at-once"]) {
            new MutationObserver(() => window.spoken.push(document.getElementById(id).textContent))
                .observe(document.getElementById(id), { childList: true });
        }
    }"""
    await expect(page.locator(STRIP)).to_be_visible()
    await page.evaluate(spoken)
    await stage.tell(moved(mine, "accepted", atOnce=False, expiresAt=at(12)))
    until = page.locator("#transfer-until")
    await expect(until).to_have_text(re.compile(r"within (10|9) s"))
    await expect(page.locator(".toast.warning")).to_contain_text("seconds left to hand over")
    await expect(until).to_have_text(re.compile(r"within [78] s"))
    said = [text for text in await page.evaluate("window.spoken") if "seconds left" in text]
    assert len(said) == 1
    assert (
        await page.locator(STRIP).evaluate("(e) => e.closest('[aria-live],[role=status]')") is None
    )


async def test_what_was_cancelled_for_a_transfer_is_shown_as_not_sent(on_stage):
    mine = card("1")
    ours = {"direction": "out", "status": "cancelled", "cause": "transfer", "author": ME}
    stage: Stage = await on_stage(
        [mine], {"1": conversation(mine, messages=[message(1, "stay there", **ours)])}
    )
    await stage.choose("1")
    status = stage.page.locator(".message .message-status")
    await expect(status).to_have_text("Not sent: the chat was being transferred")
    again = stage.page.get_by_role("button", name="Send again")
    await expect(again).to_be_visible()
    await stage.tell(moved(mine, "stalling", session="transferring"))
    await expect(again).to_be_hidden()  # it would only be refused
    await stage.tell(moved(mine, "failed"))
    await again.click()
    await stage.asked_for("send")


async def test_a_refusal_is_said_in_words(on_stage):
    mine = card("1", transfer=transfer("accepted", atOnce=False))
    stage: Stage = await on_stage([mine], peers=[TIROL])
    await stage.choose("1")
    stage.replies["take-back"] = {"ok": False, "code": "too-late", "detail": "It is too late."}
    await stage.page.locator("#transfer-keep").click()
    await expect(stage.page.locator(".toast.warning")).to_have_text(
        "#1 cannot be kept: It is too late."
    )


async def test_others_see_the_steps_and_no_buttons(on_stage):
    theirs = card("1", owner={"username": "b", "name": "Berta"})
    theirs["transfer"] = transfer("accepted", atOnce=False)
    stage: Stage = await on_stage([theirs], peers=[TIROL])
    await stage.choose("1")
    await expect(stage.page.locator(STRIP)).to_contain_text("Leitstelle Tirol accepts")
    await expect(stage.page.locator("#transfer-actions")).to_be_hidden()


async def test_the_words_of_a_control_room_are_never_markup(on_stage):
    hostile = "<img src=x onerror=alert(1)>\u202eevil"
    mine = card("1", session="open")
    mine["transfer"] = transfer("declined", peer=hostile, cause=hostile, reason=hostile)
    notes = [{"id": "1", "at": at(), "text": hostile, "psap": URI}]
    psaps = [{"uri": URI, "name": hostile, "from": at()}]
    events = [
        event(2, "chat-arriving", peer=hostile, transfer="7", **{"from": URI}),
        event(3, "transfer-declined", transfer="7"),
    ]
    theirs = message(1, "x", psap=URI, role="calltaker", direction="out", status="delivered")
    stage: Stage = await on_stage(
        [mine],
        {
            "1": conversation(
                mine,
                notes=notes,
                psaps=psaps,
                events=events,
                messages=[theirs],
                transfers=[mine["transfer"]],
            )
        },
    )
    await stage.choose("1")
    page = stage.page
    await expect(page.locator("#handed-over")).to_contain_text("<img src=x")
    await expect(page.locator(STRIP)).to_contain_text("<img src=x")
    await expect(page.locator(".event-line").first).to_contain_text("<img src=x")
    assert await page.locator("#conversation img, #handed-over img").count() == 0


async def test_a_chat_that_was_taken_over_shows_who_wrote_what_where(on_stage):
    mine = card("1", session="arriving", cameFrom=URI, transfer=transfer("executing", side="in"))
    messages = [
        message(1, "help", psap=URI, at=at(-60)),
        message(2, "Welcome", psap=URI, role="system", direction="out", status="delivered",
                at=at(-59)),
        message(3, "Where?", psap=URI, role="calltaker", direction="out", status="failed",
                at=at(-58)),
    ]  # fmt: skip
    body = conversation(
        mine, messages=messages,
        psaps=[{"uri": "sip:psap@wien.example", "name": "Wien", "from": at()},
               {"uri": URI, "name": "Tirol", "from": at()}],
        notes=[{"id": "1", "at": at(-30), "text": "deaf, 78", "psap": URI}],
        events=[event(1, "chat-opened", cameFrom=URI),
                event(2, "chat-arriving", peer="Tirol", transfer="7", by="anna")],
        transfers=[transfer("executing", side="in", reason="yours")],
    )  # fmt: skip
    stage: Stage = await on_stage([mine], {"1": body}, peers=[TIROL])
    await stage.choose("1")
    page = stage.page
    await expect(page.locator(".message-author")).to_have_text(
        ["Caller 1", "Automatic at Leitstelle Tirol", "Call-taker at Leitstelle Tirol"]
    )
    await expect(page.locator(".message.is-elsewhere")).to_have_count(3)
    await expect(page.get_by_role("button", name="Send again")).to_have_count(0)  # not our text
    await expect(page.locator(".event-line")).to_have_count(1)
    await expect(page.locator(".event-line")).to_contain_text(
        "Handed over by Tirol: yours · accepted by Anna Berg"
    )
    await expect(page.locator("#handed-over p")).to_have_text("Wien → Tirol")
    await expect(page.locator("#handed-over li")).to_contain_text("deaf, 78")
    await expect(page.locator('#queue [data-chat="1"] .card-marks-of')).to_have_text(
        "Arriving · From Leitstelle Tirol"
    )
    await expect(page.locator(STRIP)).to_contain_text("the app is told to come to us")
    await expect(page.locator("#composer-reason")).to_contain_text("told to come here")
    await expect(page.locator("#composer-send")).to_be_disabled()
    arrived = {**mine, "seq": 2, "session": "open", "transfer": transfer("done", side="in")}
    await stage.tell(live("chat-arrived", arrived, {"transfer": "7"}))
    await expect(page.locator("#composer-send")).to_be_enabled()
    await expect(page.locator(STRIP)).to_be_hidden()


async def test_a_picture_that_is_fetched_later_is_shown_then(on_stage):
    mine = card("1", session="open", cameFrom=URI)
    part = {"id": "4", "name": "a.png", "contentType": "image/png", "size": 9, "sha256": "00",
            "flag": "", "inline": True, "url": "/chats/1/parts/4/"}  # fmt: skip
    stage: Stage = await on_stage([mine], {"1": conversation(
        mine, messages=[message(1, "look", psap=URI, parts=[part])])})  # fmt: skip
    asked: list[str] = []
    await stage.page.route("**/chats/1/parts/4/image/", lambda route: answer(route, asked))
    await stage.choose("1")
    await expect(stage.page.locator(".attachment-trouble")).to_have_count(1)
    await stage.tell(live("attachment-fetched", {**mine, "seq": 2}, {"sha256": "00"}))
    await expect(stage.page.locator(".attachment-image img")).to_have_count(1)
    assert len(asked) == 2


async def answer(route: Route, asked: list[str]) -> None:
    """A picture is not there yet, and then it is."""
    asked.append(route.request.url)
    if len(asked) == 1:
        await route.fulfill(status=404)
    else:
        await route.fulfill(body=PIXEL, content_type="image/png")


async def test_what_comes_with_a_chat_that_returns_is_asked_for(on_stage):
    mine = card("1", session="transferred", goneTo=URI)
    stage: Stage = await on_stage([mine], peers=[TIROL])
    await stage.choose("1")
    back = {**mine, "seq": 2, "session": "arriving", "goneTo": "", "cameFrom": URI}
    stage.conversations["1"] = conversation(
        back, notes=[{"id": "1", "at": at(), "text": "as agreed", "psap": URI}],
        psaps=[{"uri": URI, "name": "Tirol", "from": at()}],
    )  # fmt: skip
    await stage.tell(live("chat-arriving", back, {"from": URI, "peer": "Tirol"}))
    await expect(stage.page.locator("#handed-over")).to_contain_text("as agreed")
