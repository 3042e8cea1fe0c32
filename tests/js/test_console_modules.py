"""The console's modules one by one, imported into Chromium from a server of static files."""

import re

import pytest
from playwright.async_api import Page

from psap.project.environment import PROJECT_ROOT

LINKED = re.compile(r"(?:href|src)=\"{% static 'console/([\w-]+\.(?:js|css))' %}\"")
IMPORTED = re.compile(r'(?:import|export) [^;]*?"\./([\w-]+\.js)"')
RECORD = """
async () => {
    const { ConversationRecord } = await import("/static/console/conversation-record.js");
    const record = new ConversationRecord("1");
    const shown = [];
    let gaps = 0;
    record.addEventListener("message", ({ detail }) => shown.push(detail.id));
    record.addEventListener("gap", () => { gaps += 1; });
    const event = (seq) => ({
        ev: "message-received", chat: "1", seq, at: "2026-01-31T12:00:00Z", actor: "caller",
        card: { chat: "1", seq }, message: { id: String(seq), text: "t", direction: "in" },
    });
    const filled = { card: { chat: "1", seq: 3 }, messages: [], fixes: [], additionalData: [],
        events: [] };
    %s
    return { shown, gaps, seq: record.seq };
}
"""


async def test_events_that_arrive_while_a_record_loads_follow_it(page: Page):
    steps = "for (const seq of [3, 4, 5]) record.hear(event(seq)); record.fill(filled);"
    assert await page.evaluate(RECORD % steps) == {"shown": ["4", "5"], "gaps": 0, "seq": 5}


async def test_an_event_is_applied_once_however_often_it_arrives(page: Page):
    steps = "record.fill(filled); for (const seq of [4, 4, 3, 5, 4, 5]) record.hear(event(seq));"
    assert await page.evaluate(RECORD % steps) == {"shown": ["4", "5"], "gaps": 0, "seq": 5}


async def test_an_event_after_a_gap_waits_for_those_before_it(page: Page):
    steps = "record.fill(filled); for (const seq of [6, 5, 4]) record.hear(event(seq));"
    assert await page.evaluate(RECORD % steps) == {"shown": ["4", "5", "6"], "gaps": 2, "seq": 6}


async def test_what_waited_is_shown_when_the_gap_cannot_be_filled(page: Page):
    steps = """record.fill(filled); for (const seq of [9, 7]) record.hear(event(seq));
        record.giveUpWaiting();"""
    assert await page.evaluate(RECORD % steps) == {"shown": ["7", "9"], "gaps": 2, "seq": 9}


async def test_what_comes_again_with_a_later_event_is_kept_once(page: Page):
    steps = """record.fill({ ...filled, fixes: [{ id: "1" }], additionalData: [{ kind: "A" }] });
        record.addEventListener("fixes", () => shown.push("fixes"));
        record.addEventListener("additional", () => shown.push("additional"));
        const again = { fixes: [{ id: "1" }], additionalData: [{ kind: "A" }] };
        record.hear({ ...event(4), ...again });
        record.hear({ ...event(5), fixes: [{ id: "1" }, { id: "2" }] });
        shown.push(record.fixes.length, record.additional.length);"""
    assert (await page.evaluate(RECORD % steps))["shown"] == ["4", "5", "fixes", 2, 1]


async def test_what_is_fetched_late_does_not_undo_what_an_event_has_told_since(page: Page):
    steps = """record.fill(filled);
        const relay = (status) => ({ messageId: "1", target: "sip:b@x", status });
        record.hear({ ...event(4), ev: "message-relayed", relays: [relay("relayed")] });
        record.supplement({ ...filled, relays: [relay("queued")] });
        shown.push(record.relays.get("1").status);
        record.supplement({ ...filled, card: { chat: "1", seq: 9 }, relays: [relay("failed")] });
        shown.push(record.relays.get("1").status);"""
    assert (await page.evaluate(RECORD % steps))["shown"] == ["4", "relayed", "failed"]


async def test_an_unanswered_command_is_repeated_under_the_same_id(page: Page):
    written, answer = await page.evaluate(
        """async () => {
            const { CommandDesk } = await import("/static/console/command-desk.js");
            const written = [];
            const socket = { up: false, send(command) {
                if (this.up) written.push(command);
                return this.up;
            } };
            const desk = new CommandDesk(socket);
            const refused = await desk.issue({ do: "claim", chat: "1" });
            const answer = desk.issue({ do: "send", chat: "1" }, { id: "x", patient: true });
            socket.up = true;
            desk.resume();
            desk.resume();
            desk.receive({ re: "x", ok: true, message: "7" });
            desk.receive({ re: "x", ok: true, message: "8" });
            desk.resume();
            return [written, [refused.code, (await answer).message]];
        }"""
    )
    assert written == [{"do": "send", "chat": "1", "id": "x"}] * 2
    assert answer == ["no-connection", "7"]


async def test_a_text_that_has_not_left_the_browser_can_be_taken_back(page: Page):
    assert await page.evaluate(
        """async () => {
            const { CommandDesk } = await import("/static/console/command-desk.js");
            const { PendingTexts } = await import("/static/console/pending-texts.js");
            const desk = new CommandDesk({ up: false, send: () => false });
            const pending = new PendingTexts(desk, "anna");
            const returned = new Promise((resolve) =>
                pending.addEventListener("returned", ({ detail }) => resolve(detail)));
            pending.add("5", "wrong chat");
            pending.takeBack(pending.of("5")[0].id);
            const { chat, text, reason } = await returned;
            return [chat, text, reason, pending.of("5").length];
        }"""
    ) == ["5", "wrong chat", "", 0]


@pytest.mark.parametrize(
    ("module", "expression", "result"),
    [
        ("coordinates", "m.sexagesimal({lat: 48.20822, lon: -16.37382})",
         "48°12′29.6″N 16°22′25.8″W"),
        ("coordinates", "m.sexagesimal({lat: 9.99999999, lon: 0})", "10°00′00.0″N 0°00′00.0″E"),
        ("coordinates", "m.accuracy({shape: 'Circle', radius: 1400})", "± 1.4 km"),
        ("coordinates", "m.accuracy({shape: 'Ellipse', radius: null, geometry: "
         "{semiMajorAxis: 1200, semiMinorAxis: 60}})", "± 1.2 km × 60 m"),
        ("coordinates", "m.accuracy({shape: 'Civic', radius: null})", "address only"),
        ("civic-address", "m.postalLine({country: 'at', RD: 'Ring', HNO: '12', HNS: 'a',"
         " PC: '1010', A3: 'Wien', FLR: '3'})", "Ring 12a, floor 3, 1010 Wien, AT"),
        ("civic-address", "m.postalLine({country: 'US', RD: 'Main', STS: 'St', HNO: '7', A3: 'Rye',"
         " A1: 'NY', PC: '10580'})", "7 Main St, Rye 10580, NY, US"),
        ("civic-address", "m.postalLine(null)", ""),
        ("signalling-facts", "m.reasonWord({cause: 486, reason: ''})", "busy there"),
        ("signalling-facts", "m.reasonWord({cause: null, reason: 'moved'})", "“moved”"),
        ("reference-words", "m.hostOf('https://lis.example:8443/x')", "lis.example:8443"),
        ("reference-words", "m.hostOf('no url')", "no url"),
        ("words", "m.flagWords(['msg-id-gap', 'out-of-order']).join()",
         "a message before this one is missing,arrived after a later one"),
        ("words", "m.relayWords({status: 'queued', target: 'sip:x@y'}, () => 'Y')",
         "Being passed on to Y"),
        ("words", "m.relayWords(undefined, () => 'Y')", ""),
        ("time", "m.age(9999)", "9 s"),
        ("time", "m.age(-500)", "0 s"),
        ("time", "m.age(65000)", "1 min 05 s"),
        ("words", "m.serviceWord('urn:service:sos.police')", "Police"),
        ("words", "m.serviceWord('urn:service:test.sos.fire')", "Fire brigade"),
        ("words", "m.isTest('urn:service:sos.test')", True),
        ("words", "m.isTest('urn:service:sos')", False),
        ("words", "m.languageWord('de-AT', {region: false})", "German"),
        ("words", "m.languageWord('no such tag')", "no such tag"),
        ("words", "m.languageTag('de-AT, en;q=0.5')", "de-AT"),
        ("words", "m.languageTag('no such tag')", ""),
        ("words", "m.deliveryWord({status: 'queued', cause: 'no answer', sipStatus: 408}).text",
         "Not delivered yet, trying again: no answer"),
        ("words", "m.deliveryWord({status: 'failed', cause: '486 Busy', sipStatus: 486}).text",
         "Not delivered: refused by the phone or its network (SIP 486 Busy)"),
        ("words", "m.lifeWord({liveness: 'lost', session: 'open'})", "Phone lost"),
        ("words", "m.lifeWord({liveness: 'lost', session: 'stopped'})", ""),
        ("words", "m.lifeWord({liveness: 'alive', session: 'open', standalone: true})",
         "Single message"),
        ("words", "m.numberWord('sip:+436641234@host')", "+436641234"),
        ("words", "m.numberWord('')", "Unknown caller"),
    ],
)  # fmt: skip
async def test_words_and_numbers_read_as_people_say_them(page: Page, module, expression, result):
    script = f"import('/static/console/{module}.js').then((m) => {expression})"
    assert await page.evaluate(script) == result


@pytest.mark.parametrize(
    ("kind", "data", "words"),
    [
        ("chat-opened", {"alert": True, "service": "urn:service:sos"},
         "Data received, nobody is writing · Emergency"),
        ("chat-opened", {"cameFrom": "sip:b@x", "service": "urn:service:sos"},
         "Chat passed on to us by B · Emergency"),
        ("chat-redirecting", {"target": "sip:b@x"}, "Redirect to B begun by Anna"),
        ("chat-redirected", {"target": "sip:b@x"}, "The chat is with B now"),
        ("redirect-failed", {"target": "sip:b@x", "cause": "taken back"},
         "Redirect to B ended: taken back. The chat is here again"),
        ("relay-failed", {"target": "sip:b@x", "sipStatus": 480, "cause": "gone"},
         "A message could not be passed on to B: SIP 480 gone"),
        ("message-relayed", {"target": "sip:b@x"}, ""),
        ("source-reported", {"status": "failed", "httpStatus": 503, "cause": "no"},
         "The report of the source failed: 503 no"),
        ("reference-allowed", {"url": "https://lis.example/x"},
         "lis.example is asked although it is not listed by Anna"),
        ("reference-unlisted", {"url": "https://lis.example/x"},
         "lis.example is not on the list: nothing was fetched from there"),
        ("session-reopened", {"callBack": True},
         "Chat opened again by Anna: written to the caller"),
        ("location-fetched", {"fixes": 0}, "The location was fetched and holds no position"),
        ("fetch-failed", {"cause": "404"}, "Could not be fetched: 404"),
        ("chat-unprotected", {"transport": "tcp"},
         "No protected way to the caller: texts leave unencrypted over TCP"),
        ("test-answered", {}, "Test call, answered and ended by itself"),
        ("an-event-not-known-yet", {}, ""),
    ],
)  # fmt: skip
async def test_an_event_leaves_a_line_in_the_words_of_people(page: Page, kind, data, words):
    script = """async ([kind, data]) => {
        const { eventWords, isSeldom } = await import('/static/console/event-words.js');
        const { seldomWords } = await import('/static/console/seldom-words.js');
        const event = { kind, data, actor: 'calltaker:anna' };
        return isSeldom(event) ? seldomWords(event, () => 'Anna', () => 'B')
            : eventWords(event, () => 'Anna', {}, () => 'B');
    }"""
    assert await page.evaluate(script, [kind, data]) == words


async def test_two_chats_of_one_call_taker_never_share_a_colour(page: Page):
    tones = await page.evaluate(
        """async () => {
            const { Identity } = await import("/static/console/identity.js");
            const cards = new Map(["1", "11", "21", "31"].map((chat) => [chat, { chat }]));
            const mine = new Set();
            const identity = new Identity({ cards, isMine: (card) => mine.has(card.chat) });
            const before = [...cards.keys()].map((chat) => identity.toneOf(chat));
            for (const chat of cards.keys()) mine.add(chat);
            const after = [...cards.keys()].map((chat) => identity.toneOf(chat));
            return [before, after];
        }"""
    )
    assert len(set(tones[0])) == 1
    assert len(set(tones[1])) == 4


async def test_the_first_paint_takes_less_than_150_kb_of_our_own(page: Page):
    """What the page names, and what those modules import at once; the map comes later."""
    folder = PROJECT_ROOT / "static" / "console"
    templates = PROJECT_ROOT / "templates"
    pages = [templates / "base.html", templates / "console" / "console.html"]
    linked = [match for file in pages for match in LINKED.findall(file.read_text())]
    wanted, seen = set(linked), set()
    while wanted:
        name = wanted.pop()
        seen.add(name)
        if name.endswith(".js"):
            wanted |= set(IMPORTED.findall((folder / name).read_text())) - seen
    assert {"main.js", "console.js", "base.css", "queue.css"} <= seen
    assert not {"location-map.js", "map-grid.js", "map.css"} & seen
    assert sum((folder / name).stat().st_size for name in seen) < 150_000


async def test_of_a_flood_of_notices_the_latest_are_said_together(page: Page):
    said = await page.evaluate(
        """async () => {
            const { Notices } = await import("/static/console/notices.js");
            for (const id of ["toasts", "announce-politely", "announce-at-once"]) {
                document.body.append(Object.assign(document.createElement("div"), { id }));
            }
            const notices = new Notices(document);
            const region = document.getElementById("announce-politely");
            const said = [];
            const settled = new Promise((resolve) => new MutationObserver(() => {
                said.push(region.textContent);
                if (said.length === 2) resolve(said);
            }).observe(region, { childList: true }));
            notices.announce("1");
            await Promise.resolve();
            for (const text of ["2", "3", "4", "5"]) notices.announce(text);
            return settled;
        }"""
    )
    assert said == ["1", "1 more\n3\n4\n5"]


async def test_a_batch_is_heard_as_the_events_that_it_holds(page: Page):
    heard = await page.evaluate(
        """async () => {
            const { ConsoleSocket } = await import("/static/console/console-socket.js");
            class StandIn { constructor() { StandIn.latest = this; } close() {} send() {} }
            const real = globalThis.WebSocket;
            globalThis.WebSocket = StandIn;
            const socket = new ConsoleSocket("/ws/console/?batch=1");
            const heard = [];
            socket.addEventListener("message", ({ detail }) => heard.push(detail.seq));
            socket.connect();
            globalThis.WebSocket = real;
            const say = (envelope) => StandIn.latest.onmessage({ data: JSON.stringify(envelope) });
            say({ ev: "chat-opened", seq: 1 });
            say({ ev: "batch", events: [{ seq: 2 }, { seq: 3 }] });
            socket.disconnect();
            return heard;
        }"""
    )
    assert heard == [1, 2, 3]


async def test_the_country_is_found_again_and_left_again(page: Page):
    found = await page.evaluate(
        """async () => {
            const { CountryOutline } = await import("/static/console/country-outline.js");
            const square = (name, x) => ({ properties: { name }, geometry: { type: "Polygon",
                coordinates: [[[x, 0], [x + 9, 0], [x + 9, 9], [x, 9], [x, 0]]] } });
            const json = JSON.stringify({ features: [square("East", 0), square("West", -10)] });
            const outline = new CountryOutline(`data:application/json,${json}`);
            const found = [];
            for (const [x, y] of [[-5, 5], [-4, 5], [5, 5], [5, 40]]) {
                found.push(await outline.countryAt(y, x));
            }
            return found;
        }"""
    )
    assert found == ["West", "West", "East", ""]
