"""ng112-js, an app that we did not write, through Kamailio: the whole of a chat."""

import pytest

from sipgateway.simulator import lmpe
from tests.interop.conftest import GREETING, HEARTBEAT, LOST_AFTER, restart_gateway
from tests.support.answering import answered, card_of, head_of, said, text_with
from tests.support.cuttable import cuttable_proxy
from tests.support.eventually import eventually
from tests.support.instance import Instance
from tests.support.kamailio import PSAP_URI, Kamailio
from tests.support.live_console import LiveConsole
from tests.support.ng112 import NgApp

OFTEN = 1000  # milliseconds between the app's heartbeats


@pytest.mark.conformance("6.2.2-1", "6.2.2-2", "6.2.2-3", "6.2.2-4", "6.2.2-5")
async def test_the_app_is_started_by_our_first_message(kamailio: Kamailio, desk: LiveConsole):
    async with NgApp(kamailio.endpoint, "anna") as app:
        call = await app.start("Meine Küche brennt! 🔥")
        await app.becomes("started")
        opened = await desk.until(card_of(call))
    (first,) = app.messages()[:1]
    assert (first["type"], first["id"], first["text"]) == (lmpe.START, "1", GREETING)
    assert (first["replyTo"], first["target"]) == (PSAP_URI, PSAP_URI)
    assert first["asserted"] == ""
    assert opened["card"]["caller"]["uri"] == "sip:anna@example.org"
    assert opened["card"]["service"] == "urn:service:sos"


@pytest.mark.conformance("6.2.3-1", "6.2.3-2", "6.2.3-3", "6.2.3-4", "6.1.2.8-3")
async def test_both_write(kamailio: Kamailio, desk: LiveConsole):
    async with NgApp(kamailio.endpoint, "anna") as app:
        _, chat = await answered(app, desk)
        await said(desk, chat, "Wo sind Sie? 🚒")
        heard = await app.hears("Wo sind Sie? 🚒")
        await app.say("Im Bad, שלום")
        await desk.shows("Im Bad, שלום")
        await said(desk, chat, "Bleiben Sie dort.\nHilfe kommt.")
        last = await app.hears("Bleiben Sie dort.\nHilfe kommt.")
        delivered = await desk.until(text_with("Bleiben Sie dort.\nHilfe kommt.", "delivered"))
    assert (heard["type"], heard["id"], last["id"]) == (lmpe.IN_CHAT, "2", "3")
    assert heard["contentType"] == "text/plain;charset=utf-8"
    assert delivered["message"]["sipStatus"] == 200


async def test_a_long_text_comes_whole_in_both_directions(kamailio: Kamailio, desk: LiveConsole):
    long = "".join(f"Zeile {number:05} " for number in range(2000)).strip()
    short = long[:9_000]
    async with NgApp(kamailio.endpoint, "anna") as app:
        _, chat = await answered(app, desk)
        await app.say(long)
        await desk.shows(long)
        await said(desk, chat, short)
        await app.hears(short)


@pytest.mark.conformance("5.6-1", "5.6-3", "5.6-4")
async def test_a_place_and_a_name_come_with_the_start_and_the_next_place_with_a_heartbeat(
    kamailio: Kamailio, desk: LiveConsole
):
    async with NgApp(kamailio.endpoint, "anna") as app:
        app.command("move", latitude=48.18, longitude=16.35, radius=15)
        app.command("present", fullName="Erika Mustermann", email="erika@example.org")
        call, _ = await answered(app, desk)
        opened = await desk.until(lambda f: card_of(call)(f) and f.get("fixes"))
        app.command("move", latitude=47.8, longitude=13.05, radius=40, method="Cell")
        await app.beat()
        moved = await desk.until(
            lambda f: card_of(call)(f) and f["card"]["fix"] and f["card"]["fix"]["lat"] == 47.8
        )
    assert opened["additionalData"][0]["kind"] == "SubscriberInfo"
    (fix,) = opened["fixes"]
    assert (fix["shape"], fix["lat"], fix["lon"], fix["radius"], fix["method"]) == (
        *("Circle", 48.18, 16.35),
        *(15.0, "GPS"),
    )
    assert (moved["card"]["fix"]["lon"], moved["card"]["fix"]["radius"]) == (13.05, 40.0)


@pytest.mark.conformance("6.2.5-1", "6.2.5-2")
async def test_heartbeats_keep_a_silent_chat_alive_and_ours_reach_the_app(
    kamailio: Kamailio, desk: LiveConsole, psap: Instance
):
    async with NgApp(kamailio.endpoint, "anna") as app:
        call, chat = await answered(app, desk, heartbeat=OFTEN)
        await eventually(
            lambda: psap.rows(
                "SELECT 1 FROM chats_chat WHERE id = %s"
                " AND last_sign_of_life > opened_at + make_interval(secs => %s)",
                *(int(chat), LOST_AFTER + 1.0),
            ),
            "signs of life for longer than a lost app would get",
            within=LOST_AFTER + 10,
        )
        ours = [message for message in app.messages() if message["type"] == lmpe.HEARTBEAT]
        assert len(ours) >= LOST_AFTER // HEARTBEAT
        assert {(message["text"], message["target"]) for message in ours} == {("", PSAP_URI)}
        assert app.states() == ["started"]
    liveness = psap.rows("SELECT liveness FROM chats_chat WHERE id = %s", int(chat))
    assert liveness == [("alive",)]
    assert not [f for _, f in desk.frames if card_of(call, liveness="lost")(f)]


@pytest.mark.conformance("6.2.5-3")
async def test_an_app_in_the_background_is_shown_as_such(kamailio: Kamailio, desk: LiveConsole):
    async with NgApp(kamailio.endpoint, "anna") as app:
        call, _ = await answered(app, desk)
        app.command("mode", mode="inactive")
        await app.beat()
        await desk.until(card_of(call, liveness="background"))
        app.command("mode", mode="active")
        await app.say("Bin wieder da")
        shown = await desk.shows("Bin wieder da")
        await desk.until(lambda f: f.get("seq", 0) >= shown["seq"] and card_of(call)(f))
    assert shown["card"]["liveness"] == "alive"


@pytest.mark.conformance("6.2.4-1", "6.2.4-2", "6.2.4-3")
async def test_the_app_ends_the_chat(kamailio: Kamailio, desk: LiveConsole):
    async with NgApp(kamailio.endpoint, "anna") as app:
        call, _ = await answered(app, desk)
        await app.stop("Alles wieder gut")
        await desk.shows("Alles wieder gut")
        await desk.until(card_of(call, session="stopped", endedBy="caller"))
        assert app.states() == ["started", "stopped"]


@pytest.mark.conformance("6.2.4-1", "6.2.4-4", "6.2.4-5")
async def test_the_call_taker_ends_the_chat(kamailio: Kamailio, desk: LiveConsole):
    async with NgApp(kamailio.endpoint, "anna") as app:
        call, chat = await answered(app, desk)
        closed = await desk.command(
            "close", chat=chat, disposition="resolved", text="Die Feuerwehr ist da."
        )
        assert closed["ok"], closed
        last = await app.hears("Die Feuerwehr ist da.")
        await app.becomes("stopped")
        assert last["type"] == lmpe.STOP
        await desk.until(card_of(call, session="stopped", disposition="resolved"))


async def test_an_app_that_lost_its_websocket_gets_what_was_written_meanwhile(
    kamailio: Kamailio, desk: LiveConsole
):
    async with (
        cuttable_proxy(kamailio.ws_port) as network,
        NgApp(f"ws://127.0.0.1:{network.port}", "anna") as app,
    ):
        call, chat = await answered(app, desk, heartbeat=OFTEN)
        network.cut()
        await app.until(lambda event: event.get("state") == "disconnected")
        await said(desk, chat, "Sind Sie noch da?")
        network.heal()
        await app.hears("Sind Sie noch da?")
        await app.say("Ja, kurz kein Netz")
        await desk.shows("Ja, kurz kein Netz")
    assert [m["text"] for m in app.messages() if m["type"] == lmpe.IN_CHAT] == ["Sind Sie noch da?"]
    assert len({f["chat"] for _, f in desk.frames if card_of(call)(f)}) == 1


async def test_a_chat_survives_a_crash_of_the_gateway(
    kamailio: Kamailio, desk: LiveConsole, psap: Instance
):
    async with NgApp(kamailio.endpoint, "anna") as app:
        call, chat = await answered(app, desk)
        restart_gateway(psap)
        await said(desk, chat, "Hören Sie mich?")
        await app.hears("Hören Sie mich?")
        await app.say("Ja, ich höre Sie")
        await desk.shows("Ja, ich höre Sie")
    assert len({f["chat"] for _, f in desk.frames if card_of(call)(f)}) == 1


async def test_an_app_that_dies_is_shown_as_lost(kamailio: Kamailio, desk: LiveConsole):
    async with NgApp(kamailio.endpoint, "anna") as app:
        call, chat = await answered(app, desk, heartbeat=OFTEN)
        app.kill()
        await said(desk, chat, "Hören Sie mich?")
        lost = await desk.until(card_of(call, liveness="lost"), within=LOST_AFTER + 10)
        waiting = await desk.until(text_with("Hören Sie mich?", "deferred"), within=60)
    assert lost["card"]["session"] == "open"
    assert waiting["message"]["sipStatus"] == 480


async def test_a_chat_survives_a_crash_of_the_bcf(kamailio: Kamailio, desk: LiveConsole):
    async with NgApp(kamailio.endpoint, "anna") as app:
        call, chat = await answered(app, desk, heartbeat=OFTEN)
        kamailio.kill()
        await said(desk, chat, "Hören Sie mich?")
        kamailio.start()
        await app.hears("Hören Sie mich?", within=30)
        await app.say("Ja, ich höre Sie")
        await desk.shows("Ja, ich höre Sie")
    assert len({f["chat"] for _, f in desk.frames if card_of(call)(f)}) == 1


@pytest.mark.conformance("6.1.2.3-2", "6.1.2.5-3")
async def test_the_bcf_takes_identities_and_priorities_from_nobody_outside(
    kamailio: Kamailio, desk: LiveConsole, psap: Instance
):
    async with NgApp(kamailio.endpoint, "bert") as app:
        call = await app.start(
            "Hilfe",
            headers={
                "P-Asserted-Identity": "<sip:mayor@example.org>",
                "Resource-Priority": "esnet.4",
            },
        )
        opened = await desk.until(card_of(call))
    assert opened["card"]["caller"]["uri"] == "sip:bert@example.org"
    assert opened["card"]["caller"]["asserted"] is True
    head = head_of(psap, call)
    assert "mayor" not in head
    assert "Resource-Priority: esnet.1\r\n" in head
    assert "esnet.4" not in head


@pytest.mark.conformance("6.1.2.6-1", "6.1.2.6-4", "6.1.2.3-1")
async def test_the_bcf_says_what_was_called_and_that_it_is_an_emergency(
    kamailio: Kamailio, desk: LiveConsole, psap: Instance
):
    async with NgApp(kamailio.endpoint, "anna") as app:
        call = await app.start("Hilfe")
        await desk.until(card_of(call))
    head = head_of(psap, call)
    assert head.startswith("MESSAGE urn:service:sos SIP/2.0\r\n")
    assert [line for line in head.split("\r\n") if line.startswith("History-Info")] == [
        "History-Info: <sip:112@example.org?Reason=SIP%3Bcause%3D302>;index=1",
        "History-Info: <urn:service:sos>;index=1.1",
    ]


async def test_an_app_that_speaks_dec112_is_answered_in_kind(kamailio: Kamailio, desk: LiveConsole):
    dialect = {"registrationId": "4711", "language": "de", "clientVersion": "1.0"}
    async with NgApp(kamailio.endpoint, "anna", dec112=dialect) as app:
        call, chat = await answered(app, desk, isSilent=True)
        await said(desk, chat, "Sind Sie in Gefahr?")
        await app.hears("Sind Sie in Gefahr?")
        await app.say("Ja")
        shown = await desk.shows("Ja")
        await app.stop("Ende")
        await desk.until(card_of(call, session="stopped", endedBy="caller"))
    assert shown["card"]["silent"] is True
    assert shown["card"]["callId"].startswith("urn:dec112:uid:callid:")


@pytest.mark.conformance("6.1.2.10-3", "6.1.2.10-5", "6.1.2.10-10")
async def test_a_test_of_an_app_that_speaks_dec112_ends_by_itself(
    kamailio: Kamailio, psap: Instance
):
    dialect = {"registrationId": "4711", "language": "de", "clientVersion": "1.0"}
    async with NgApp(kamailio.endpoint, "bert", dec112=dialect) as app:
        app.command("move", latitude=48.18, longitude=16.35, radius=15)
        call = await app.start("Test", isTest=True)
        await app.becomes("stopped")
    (only,) = app.messages()
    assert (only["type"], only["id"]) == (lmpe.STOP, "1")
    assert only["text"].splitlines()[1:] == [
        "urn:service:sos",
        "48.18000 N, 16.35000 E, within 15 m",
    ]
    chats = psap.rows(
        "SELECT test, session, ringing_since FROM chats_chat WHERE unique_part = %s", call
    )
    assert chats == [(True, "stopped", None)]


@pytest.mark.conformance("6.2.7-2", "6.2.7-3", "6.2.7-4")
async def test_an_app_that_ends_on_a_redirect_is_passed_on_only_by_intention(
    kamailio: Kamailio, desk: LiveConsole, psap: Instance
):
    elsewhere = "sip:psap@east.example.org"
    ((peer,),) = psap.rows(
        "INSERT INTO psap_peer (name, uris, agreement) VALUES ('East', %s, true) RETURNING id",
        elsewhere,
    )
    async with NgApp(kamailio.endpoint, "anna") as app:
        _, chat = await answered(app, desk)
        order = {"chat": chat, "peer": str(peer), "text": "Wir verbinden Sie."}
        refused = await desk.command("redirect", **order)
        done = await desk.command("redirect", **order, override=True)
        told = await app.hears("Wir verbinden Sie.")
        await app.becomes("stopped")
    assert (refused["ok"], refused["code"]) == (False, "client-ends-session")
    assert done["ok"], done
    assert (told["type"], told["replyTo"]) == (274, elsewhere)
