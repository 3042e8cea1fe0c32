"""How the console passes a chat on, takes it back and writes to who has left."""

from playwright.async_api import expect

from tests.support.stage import (
    TIROL,
    URI,
    Stage,
    at,
    card,
    conversation,
    live,
    message,
)

PEER = {**TIROL, "transfers": False}


async def test_a_redirect_names_the_peer_and_sends_the_text(on_stage):
    stage: Stage = await on_stage([card("1")], peers=[PEER])
    await stage.choose("1")
    page = stage.page
    await page.locator("#composer-text").fill("half a thought")
    await page.keyboard.press("Escape")
    await page.keyboard.press("d")
    await expect(page.locator("#pass-on-peer")).to_be_focused()
    await expect(page.locator("#pass-on-uri")).to_have_text(URI)
    await expect(page.locator("#pass-on-text")).to_have_value("We are passing you on.")
    await expect(page.locator("#pass-on-note")).to_contain_text("half a thought")
    await expect(page.locator("#pass-on-warning")).to_be_hidden()
    await page.keyboard.press("Control+Enter")
    await expect(page.locator("#pass-on-dialog")).to_be_hidden()
    await stage.asked_for("redirect")
    assert stage.commands == [
        {"do": "redirect", "chat": "1", "peer": "3", "text": "We are passing you on.",
         "override": False}
    ]  # fmt: skip


async def test_an_app_that_would_end_its_chat_is_redirected_only_on_purpose(on_stage):
    stage: Stage = await on_stage([card("1", clientEnds={"redirect": True})], peers=[PEER])
    await stage.choose("1")
    page = stage.page
    await page.locator("#pass-on-this").click()
    await expect(page.locator("#pass-on-warning")).to_be_visible()
    await page.keyboard.press("Control+Enter")
    await expect(page.locator("#pass-on-dialog")).to_be_visible()
    assert stage.commands == []
    await page.locator("#pass-on-override").check()
    await page.keyboard.press("Control+Enter")
    await stage.asked_for("redirect")
    assert stage.commands[0]["override"] is True


async def test_an_app_that_knows_no_redirect_is_not_redirected_at_all(on_stage):
    ends = {"redirect": True, "override": False}
    stage: Stage = await on_stage([card("1", clientEnds=ends)], peers=[PEER])
    await stage.choose("1")
    page = stage.page
    await page.locator("#pass-on-this").click()
    await expect(page.locator("#pass-on-impossible")).to_be_visible()
    await expect(page.locator("#pass-on-override")).to_be_hidden()
    await expect(page.locator("#pass-on-dialog [type=submit]")).to_be_disabled()
    await page.keyboard.press("Control+Enter")
    await expect(page.locator("#pass-on-dialog")).to_be_visible()
    assert stage.commands == []


async def test_a_redirect_shows_its_steps_keeps_the_draft_and_can_be_taken_back(on_stage):
    mine = card("1")
    stage: Stage = await on_stage([mine], peers=[PEER])
    await stage.choose("1")
    page = stage.page
    await page.locator("#composer-text").fill("kept")
    going = {**mine, "seq": 2, "session": "redirecting", "goneTo": URI}
    ours = message(2, "We are passing you on.", direction="out", type=274, status="queued")
    await stage.tell(live("chat-redirecting", going, {"target": URI}, message=ours))
    strip = page.locator("#redirect-strip")
    await expect(strip).to_contain_text("Redirecting to Leitstelle Tirol")
    await expect(strip.locator("[aria-current=step]")).to_contain_text("Telling the app")
    await expect(page.locator("#composer-send")).to_be_disabled()
    await expect(page.locator("#composer-text")).to_have_value("kept")
    await expect(page.locator("#composer-reason")).to_contain_text("Nothing is sent")
    told = {**going, "seq": 3}
    await stage.tell(live("delivery-changed", told, message={**ours, "status": "delivered"}))
    await expect(strip.locator("[aria-current=step]")).to_contain_text("The app goes over")
    await page.locator("#take-back").click()
    await stage.asked_for("take-back")
    assert stage.commands == [{"do": "take-back", "chat": "1"}]
    back = {**mine, "seq": 4, "goneTo": ""}
    await stage.tell(live("redirect-failed", back, {"target": URI, "cause": "taken back"}))
    await expect(strip).to_contain_text("Redirect to Leitstelle Tirol ended: taken back")
    await expect(page.locator("#announce-at-once")).to_contain_text("The chat is yours again")
    await expect(page.locator("#composer-send")).to_be_enabled()
    await expect(page.locator("#composer-text")).to_have_value("kept")
    await page.locator("#redirect-read").click()
    await expect(strip).to_be_hidden()
    await expect(page.locator("#composer-text")).to_be_focused()


async def test_a_redirect_that_failed_in_another_chat_marks_its_card_until_looked_at(on_stage):
    going = card("1", session="redirecting", goneTo=URI)
    stage: Stage = await on_stage([going, card("2")], peers=[PEER])
    await stage.choose("2")
    back = {**going, "seq": 2, "session": "open", "goneTo": ""}
    failed = {"target": URI, "cause": "the app is still heard here"}
    await stage.tell(live("redirect-failed", back, failed))
    mark = stage.page.locator('#queue [data-chat="1"] .card-returned')
    await expect(mark).to_be_visible()
    await expect(stage.page.locator(".toast.warning")).to_contain_text("still heard here")
    await stage.choose("1")
    await expect(mark).to_be_hidden()


async def test_what_came_after_a_redirect_says_that_it_was_passed_on(on_stage):
    gone = card("1", session="redirected", goneTo=URI)
    relays = [
        {"messageId": "1", "target": URI, "status": "relayed", "sipStatus": 200},
        {"messageId": "2", "target": URI, "status": "failed", "sipStatus": 480},
    ]
    messages = [message(1, "still there?"), message(2, "hello"), message(3, "before")]
    stage: Stage = await on_stage(
        [gone], {"1": conversation(gone, messages=messages, relays=relays)}, peers=[PEER]
    )
    await stage.choose("1")
    status = stage.page.locator(".message .message-status")
    await expect(status.nth(0)).to_have_text("Passed on to Leitstelle Tirol")
    await expect(status.nth(1)).to_have_text("Could not be passed on to Leitstelle Tirol (SIP 480)")
    await expect(status.nth(2)).to_be_hidden()
    await expect(stage.page.locator("#composer-reason")).to_contain_text("with Leitstelle Tirol")


async def test_an_ended_chat_is_written_to_again_with_its_draft(on_stage):
    mine = card("1")
    stage: Stage = await on_stage([mine])
    await stage.choose("1")
    page = stage.page
    await page.locator("#composer-text").fill("are you still there?")
    await expect(page.locator("#write-again")).to_be_hidden()
    ended = {**mine, "seq": 2, "session": "stopped", "endedBy": "caller", "endedAt": at()}
    await stage.tell(live("session-stopped", ended, {"endedBy": "caller"}))
    await page.locator("#write-again").click()
    await expect(page.locator("#call-back-text")).to_have_value("are you still there?")
    stage.replies["call-back"] = {"ok": False, "code": "no-call-back", "detail": "Too late."}
    await page.keyboard.press("Control+Enter")
    await expect(page.locator(".toast.warning")).to_contain_text("Too late. The text is kept.")
    await expect(page.locator("#composer-text")).to_have_value("are you still there?")
    stage.replies["call-back"] = {"ok": True, "message": "2"}
    await page.locator("#write-again").click()
    await page.keyboard.press("Control+Enter")
    await stage.asked_for("call-back", times=2)
    assert stage.commands[-1] == {"do": "call-back", "chat": "1", "text": "are you still there?"}
    await expect(page.locator("#composer-text")).to_have_value("")
