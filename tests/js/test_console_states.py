"""What the console shows of each state that the record can be in, fed by a played server."""

import pytest
from playwright.async_api import expect

from tests.support.stage import (
    ME,
    Stage,
    at,
    card,
    conversation,
    event,
    fix,
    message,
    part,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

TIROL = {"id": "3", "name": "Leitstelle Tirol", "uri": "sip:psap@tirol.example"}
URI = TIROL["uri"]
CIVIC = {"country": "AT", "A3": "Salzburg", "RD": "Hauptstraße", "HNO": "12", "XYZ": "kept"}
LINE = "Hauptstraße 12, Salzburg, AT"
ADDRESS_ONLY = {"lat": None, "lon": None, "civic": CIVIC}
REPEATED = {"kind": "Alert", "identifier": "cap-1", "messageId": "1"}


def reference(number: int, status: str, **said):
    return {
        "id": str(number), "kind": "location", "purpose": "", "status": status, "cause": "",
        "url": f"https://lis{number}.example:8443/x?{number}", "allowedBy": None, "messageId": "1",
        **said,
    }  # fmt: skip


async def test_silence_stands_over_the_conversation_and_on_the_card(on_stage):
    quiet = card("1", silent=True, unprotected=True, cameFrom=URI, priority="esnet.3")
    stage: Stage = await on_stage([quiet, card("2")], peers=[TIROL])
    marks = stage.page.locator("#chat-marks")
    await stage.choose("1")
    await expect(marks.locator("li").first).to_contain_text("Caller asks for silence")
    await expect(marks).to_contain_text("Unprotected: texts go unencrypted")
    await expect(marks).to_contain_text("From Leitstelle Tirol")
    await expect(marks).to_contain_text("Priority emergency, high")
    await expect(stage.page.locator('#queue [data-chat="1"] .card-silent')).to_be_visible()
    await expect(stage.page.locator('#queue [data-chat="2"] .card-silent')).to_be_hidden()
    await stage.choose("2")
    await expect(marks).to_be_hidden()


async def test_a_test_call_that_became_real_rings_with_its_mark(on_stage):
    waiting = {"owner": None, "answeredAt": None, "ringingSince": at()}
    stage: Stage = await on_stage([card("1", test=True, **waiting)])
    ringing = stage.page.locator('[data-queue="ringing"] .card')
    await expect(ringing).to_have_count(1)
    await expect(ringing.locator(".card-test")).to_be_visible()
    await stage.choose("1")
    await expect(stage.page.locator("#chat-marks")).to_contain_text("somebody is writing")


async def test_who_is_there_rings_before_who_has_left_and_people_before_data(on_stage):
    """However long they wait: the next one to answer is somebody who reads the answer."""
    waiting = {"owner": None, "answeredAt": None}
    stage: Stage = await on_stage(
        [
            card("1", alert=True, ringingSince="2026-01-31T12:00:00Z", **waiting),
            card("2", ringingSince="2026-01-31T13:00:00Z", **waiting),
            card("3", ringingSince="2026-01-31T11:00:00Z", session="stopped", **waiting),
        ]
    )
    cards = stage.page.locator('[data-queue="ringing"] .card')
    await expect(cards).to_have_count(3)
    await expect(cards.first).to_have_attribute("data-chat", "2")
    await expect(cards.nth(1)).to_have_attribute("data-chat", "3")
    await expect(cards.last).to_contain_text("Data, nobody is writing")


async def test_an_alert_shows_what_to_do_first_and_has_no_editor(on_stage):
    block = {**REPEATED, "event": "Flood", "headline": "High water", "instruction": "Leave",
             "severity": "Severe", "expires": "2031-05-07T12:00:00+00:00",
             "areas": [{"description": "Salzburg"}], "parameters": {"gauge": "5.1"}}  # fmt: skip
    english = {**REPEATED, "language": "en", "headline": "Said again"}
    values = [{"name": "gauge", "value": "5.10", "unit": "m", "time": "1931774400"}]
    sensor = {"kind": "Sensor", "messageId": "1", "values": values}
    alert = card("1", alert=True, standalone=True)
    stage: Stage = await on_stage(
        [alert],
        {"1": conversation(alert, messages=[message(1)], additionalData=[block, english, sensor])},
    )
    await stage.choose("1")
    page = stage.page
    first = page.locator(".data-item .data-block").first
    assert await first.locator("p").all_text_contents() == ["High water", "Leave"]
    await expect(first).to_have_attribute("data-tone", "grave")
    await expect(first).to_contain_text("Salzburg")
    await expect(first).to_contain_text("Holds until2031-05-07 12:00:00")
    await expect(page.get_by_text("Said again")).to_be_hidden()
    await expect(page.locator(".data-item")).to_contain_text("5.10 m (2031-03-20 12:00:00 UTC)")
    await expect(page.locator("#composer-text")).to_be_hidden()
    await expect(page.locator("#composer-reason")).to_contain_text("nobody to write to")
    await page.keyboard.press("Escape")
    await page.keyboard.press("c")
    await expect(page.locator("#close-text-field")).to_be_hidden()
    await page.locator("#close-disposition").select_option("resolved")
    await page.keyboard.press("Control+Enter")
    await expect(page.locator(".toast.undo")).to_be_visible()


async def test_a_redirect_names_the_peer_and_sends_the_text(on_stage):
    stage: Stage = await on_stage([card("1")], peers=[TIROL])
    await stage.choose("1")
    page = stage.page
    await page.locator("#composer-text").fill("half a thought")
    await page.keyboard.press("Escape")
    await page.keyboard.press("d")
    await expect(page.locator("#redirect-peer")).to_be_focused()
    await expect(page.locator("#redirect-uri")).to_have_text(URI)
    await expect(page.locator("#redirect-text")).to_have_value("We are passing you on.")
    await expect(page.locator("#redirect-note")).to_contain_text("half a thought")
    await expect(page.locator("#redirect-warning")).to_be_hidden()
    await page.keyboard.press("Control+Enter")
    await expect(page.locator("#redirect-dialog")).to_be_hidden()
    await stage.asked_for("redirect")
    assert stage.commands == [
        {"do": "redirect", "chat": "1", "peer": "3", "text": "We are passing you on.",
         "override": False}
    ]  # fmt: skip


async def test_an_app_that_would_end_its_chat_is_redirected_only_on_purpose(on_stage):
    stage: Stage = await on_stage([card("1", clientEnds={"redirect": True})], peers=[TIROL])
    await stage.choose("1")
    page = stage.page
    await page.locator("#redirect-this").click()
    await expect(page.locator("#redirect-warning")).to_be_visible()
    await page.keyboard.press("Control+Enter")
    await expect(page.locator("#redirect-dialog")).to_be_visible()
    assert stage.commands == []
    await page.locator("#redirect-override").check()
    await page.keyboard.press("Control+Enter")
    await stage.asked_for("redirect")
    assert stage.commands[0]["override"] is True


async def test_an_app_that_knows_no_redirect_is_not_redirected_at_all(on_stage):
    ends = {"redirect": True, "override": False}
    stage: Stage = await on_stage([card("1", clientEnds=ends)], peers=[TIROL])
    await stage.choose("1")
    page = stage.page
    await page.locator("#redirect-this").click()
    await expect(page.locator("#redirect-impossible")).to_be_visible()
    await expect(page.locator("#redirect-override")).to_be_hidden()
    await expect(page.locator("#redirect-dialog [type=submit]")).to_be_disabled()
    await page.keyboard.press("Control+Enter")
    await expect(page.locator("#redirect-dialog")).to_be_visible()
    assert stage.commands == []


async def test_a_redirect_shows_its_steps_keeps_the_draft_and_can_be_taken_back(on_stage):
    mine = card("1")
    stage: Stage = await on_stage([mine], peers=[TIROL])
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
    stage: Stage = await on_stage([going, card("2")], peers=[TIROL])
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
        [gone], {"1": conversation(gone, messages=messages, relays=relays)}, peers=[TIROL]
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


async def test_the_way_of_a_call_is_told_in_words(on_stage):
    via = [
        {"uri": "urn:service:sos", "index": "1", "cause": None, "reason": ""},
        {"uri": "sip:psap@wien.example;x=1", "index": "1.1", "cause": 302, "reason": "not ours"},
        {"uri": "sip:+43123@host", "index": "1.2", "cause": 999, "reason": ""},
    ]
    mine = card("1")
    said = {"cameVia": via, "languages": ["de", "en"], "acceptContact": ["*;a", "*;b"]}
    stage: Stage = await on_stage([mine], {"1": conversation(mine, signalling=said)})
    await stage.choose("1")
    facts = stage.page.locator("#caller-facts")
    await expect(facts).to_contain_text("psap@wien.example: sent on from there “not ours”")
    await expect(facts).to_contain_text("+43123: reason 999")
    more = stage.page.locator('#caller-more [data-title="signalling"]')
    await more.locator("summary").press("Enter")
    await expect(more).to_contain_text("LanguagesGerman, English")


async def test_a_source_is_reported_with_a_reason_and_the_result_stands_there(on_stage):
    mine = card("1")
    stage: Stage = await on_stage([mine], {"1": conversation(mine, signalling={"source": "id-9"})})
    await stage.choose("1")
    page = stage.page
    await page.locator("#report-this").click()
    await expect(page.locator("#report-source")).to_have_text("id-9")
    await page.keyboard.press("Control+Enter")
    await expect(page.locator("#report-dialog")).to_be_visible()  # no reason, no report
    await page.locator("#report-kind").select_option("other")
    await page.keyboard.press("Control+Enter")
    await expect(page.locator("#report-dialog")).to_be_visible()
    await page.locator("#report-words").fill("a siren app")
    await page.keyboard.press("Control+Enter")
    await stage.asked_for("report-source")
    assert stage.commands == [{"do": "report-source", "chat": "1", "reason": "a siren app"}]
    report = {"id": "1", "status": "failed", "source": "id-9", "reason": "a siren app", "by": ME,
              "at": at(), "httpStatus": 503, "cause": "overload"}  # fmt: skip
    told = live("source-reported", {**mine, "seq": 2}, {"status": "failed", "httpStatus": 503})
    await stage.tell({**told, "reports": [report]})
    await expect(page.locator("#reports")).to_contain_text("by Anna Berg")
    await expect(page.locator("#reports")).to_contain_text("failed: 503 overload")


async def test_without_a_place_to_report_to_there_is_no_button(on_stage):
    stage: Stage = await on_stage([card("1")], you={**ME, "roles": [], "commands": []})
    await stage.choose("1")
    await expect(stage.page.locator("#caller-facts")).to_contain_text("Number")
    await expect(stage.page.locator("#reports")).to_be_hidden()
    await expect(stage.page.locator("#redirect-this")).to_be_hidden()


async def test_test_calls_have_a_list_of_their_own(on_stage):
    done = card("90", owner=None, test=True, session="stopped", disposition="test")
    stage: Stage = await on_stage([card("1")], {"90": conversation(done)})
    stage.documents["/chats/tests/"] = {"chats": [done]}
    page = stage.page
    await page.locator("#tests-open").press("Enter")
    rows = page.locator("#tests-dialog tbody tr")
    await expect(rows).to_have_count(1)
    await expect(rows).to_contain_text("Answered by itself")
    await rows.locator("button").press("Enter")
    await expect(page.locator("#tests-dialog")).to_be_hidden()
    await expect(page.locator("#conversation-title")).to_have_text("Caller 90")


async def test_alarms_stay_on_screen_until_they_are_over(on_stage):
    expires = {"code": "certificate", "severity": "warning", "text": "Expires in 12 days."}
    gone = {"code": "registration", "severity": "alarm", "text": "Not registered."}
    stage: Stage = await on_stage([card("1")], alarms=[expires])
    page = stage.page
    strip = page.locator("#alarms")
    await expect(strip).to_be_visible()
    await expect(strip).to_contain_text("Warning Expires in 12 days.")
    await expect(strip.locator("a")).to_be_hidden()
    await stage.tell({"ev": "alarms", "alarms": [expires, gone]})
    await expect(strip.locator("li").first).to_have_text("Alarm Not registered.")
    await expect(strip).to_have_attribute("data-severity", "alarm")
    await expect(page.locator("#announce-politely")).to_have_text("Alarm: Not registered.")
    await stage.tell({"ev": "alarms", "alarms": []})
    await expect(strip).to_be_hidden()


async def test_supervisors_find_the_status_page_beside_the_alarms(on_stage):
    alarm = {"code": "x", "severity": "alarm", "text": "Something."}
    you = {**ME, "roles": ["supervisor"], "commands": []}
    stage: Stage = await on_stage([card("1")], alarms=[alarm], you=you)
    await expect(stage.page.locator("#alarms a")).to_have_attribute("href", "/status/")


async def test_the_console_goes_on_when_what_comes_later_fails_to_load_at_first(on_stage):
    stage: Stage = await on_stage([card("1", silent=True)])
    await expect(stage.page.locator("#caller-identity .chat-tag")).to_have_count(1)
    failing = True

    async def refuse(route):
        await (route.abort() if failing else route.fallback())

    await stage.page.route("**/annex.js*", refuse)
    await stage.page.reload()
    await expect(stage.page.locator(".toast.warning")).to_contain_text("could not be loaded")
    await stage.choose("1")
    await stage.page.locator("#composer-text").fill("works meanwhile")
    await stage.page.keyboard.press("Enter")
    await stage.asked_for("send")
    failing = False
    await expect(stage.page.locator("#chat-marks")).to_contain_text("silence")
    await expect(stage.page.locator("#caller-facts")).to_contain_text("Number")


def live(kind: str, of: dict, data: dict | None = None, **said) -> dict:
    """Return an event as consoles get it."""
    return {
        "ev": kind, "chat": of["chat"], "seq": of["seq"], "at": at(), "actor": "system",
        "data": data or {}, "card": of, **said,
    }  # fmt: skip
