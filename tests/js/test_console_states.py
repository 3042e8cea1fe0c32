"""What the console shows of each state that the record can be in, fed by a played server."""

from playwright.async_api import expect

from tests.support.stage import (
    ME,
    REPEATED,
    TIROL,
    URI,
    Stage,
    at,
    card,
    conversation,
    live,
    message,
)


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
    await expect(stage.page.locator("#pass-on-this")).to_be_hidden()


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
