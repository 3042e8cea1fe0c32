"""What reaches us for a chat that we redirect goes on to the target, in order, as by a proxy."""

from datetime import timedelta

import pytest

from psap.models import Trunk
from sipgateway.simulator import lmpe
from tests.support.caller import Caller, kind_of, texts_of
from tests.support.eventually import eventually
from tests.support.rawsip import RawSip
from tests.support.record import PUBLIC_URI
from tests.support.redirects import START_REDIRECT, redirect_scene, seen_configuration

ASSERTED = ("P-Asserted-Identity", "<sip:+436645550001@provider.example>")
PATIENCE = 5
INCIDENT = "<urn:emergency:uid:incidentid:1:esrp.example>;purpose=emergency-IncidentId"


@pytest.fixture(scope="module", autouse=True)
def impatient(record):
    """Configured before the module's gateway starts."""
    record.configure(heartbeat_interval=20, redirect_patience=PATIENCE)


def texts_at(scene):
    return [request.body.decode() for request in scene.target.requests]


@pytest.mark.conformance("6.2.7-6", "6.1.2.6-3")
async def test_a_273_goes_on_with_all_that_it_says_of_its_caller(gateway, record):
    async with redirect_scene(gateway, record, headers=(ASSERTED,)) as scene:
        await scene.redirected()
        sent = scene.caller.message(
            START_REDIRECT,
            "Hier Anna",
            call_info=(*scene.caller.info(START_REDIRECT, 2), INCIDENT),
            headers=(
                ASSERTED,
                ("History-Info", f"<{PUBLIC_URI}>;index=1"),
                ("Route", "<sip:us;lr>"),
            ),
            uri=PUBLIC_URI,
        )
        assert (await scene.app.exchange(sent)).status == 200
        await scene.until_session("redirected")

    (relayed,) = scene.target.requests
    came = next(line for line in sent.decode().split("\r\n") if line.startswith("From:"))
    assert (relayed.method, relayed.uri) == ("MESSAGE", scene.uri)
    assert f"From: {relayed.header('from')}" == came
    assert relayed.header("to") == f"<{PUBLIC_URI}>"
    assert relayed.header("p-asserted-identity") == ASSERTED[1]
    assert relayed.values("call-info")[-1] == INCIDENT
    assert lmpe.identify(relayed).call_id == scene.caller.call_id
    assert relayed.body == b"Hier Anna"
    assert len(relayed.values("via")) == 2
    assert relayed.header("max-forwards") == "69"
    assert not relayed.has("record-route") and not relayed.has("route")
    assert relayed.values("history-info") == [
        f"<{PUBLIC_URI}>;index=1",
        f"<{PUBLIC_URI}?Reason=SIP%3Bcause%3D302>;index=1.1",
    ]
    assert scene.events("message-relayed") == [{"target": scene.uri, "sipStatus": 200}]
    assert scene.events("chat-redirected") == [{"target": scene.uri}]
    assert START_REDIRECT not in map(kind_of, scene.app.requests), "the target greets, not we"
    assert lmpe.START not in map(kind_of, scene.app.requests[1:])
    record.verify(scene.chat)


async def test_an_assertion_that_we_do_not_believe_does_not_go_on(gateway, record):
    """Red without the filter: an app's own claim became an assertion of ours (RFC 3325 5)."""
    record.run(lambda: Trunk.objects.update(trusted_networks="192.0.2.0/24"))
    await eventually(lambda: seen_configuration(record), "the gateway has read it", 10)
    try:
        async with redirect_scene(gateway, record) as scene:
            await scene.redirected()
            sent = scene.caller.message(START_REDIRECT, "Ich", headers=(ASSERTED,))
            await scene.app.exchange(sent)
            await scene.target.until(lambda: bool(scene.target.requests))
    finally:
        record.run(lambda: Trunk.objects.update(trusted_networks="127.0.0.0/8 ::1/128"))
        await eventually(lambda: seen_configuration(record), "as before", 10)
    assert not scene.target.requests[0].has("p-asserted-identity")


async def test_what_was_written_before_and_comes_later_follows_in_order(gateway, record):
    """Red without the held messages, or when a relay passes one that is still under way."""
    async with redirect_scene(gateway, record) as scene:
        await scene.redirected()
        await scene.app.exchange(scene.caller.say("noch an Sie"))
        await scene.app.exchange(scene.caller.heartbeat())
        assert scene.target.requests == []
        scene.target.answer_status = None
        await scene.app.exchange(scene.go_over())
        await scene.target.until(lambda: bool(scene.target.requests))
        await scene.app.exchange(scene.caller.say("wo sind Sie?"))
        assert texts_at(scene) == ["Hier Anna"]
        scene.target.answer_status = 200
        scene.target.answer(scene.target.requests[0])
        await scene.target.until(lambda: len(scene.target.requests) >= 3)
        await scene.until_session("redirected")
        for text in ("eins", "zwei", "drei"):
            await scene.app.exchange(scene.caller.say(text))
        await scene.app.exchange(scene.caller.stop("Danke"))
        await scene.target.until(lambda: texts_at(scene)[-1:] == ["Danke"])

    assert list(dict.fromkeys(texts_at(scene))) == [
        *("Hier Anna", "noch an Sie", "wo sind Sie?"),
        *("eins", "zwei", "drei", "Danke"),
    ]
    assert scene.session() == "redirected"
    assert record.texts_in(scene.caller.call_id)[-4:] == ["eins", "zwei", "drei", "Danke"]
    record.verify(scene.chat)


async def test_one_message_goes_on_at_a_time(gateway, record):
    """Red without the `NOT EXISTS` of the claim: a later text overtook one that was lost."""
    async with redirect_scene(gateway, record) as scene:
        await scene.redirected()
        await scene.app.exchange(scene.go_over())
        await scene.until_session("redirected")
        scene.target.answer_status = None
        await scene.app.exchange(scene.caller.say("eins"))
        await scene.target.until(lambda: texts_at(scene)[-1] == "eins")
        await scene.app.exchange(scene.caller.say("zwei"))
        await eventually(
            lambda: (
                record.value(
                    "SELECT count(*) FROM chats_relay WHERE chat_id = %s AND status = 'queued'",
                    scene.chat,
                )
                == 2
            ),
            "both are on the record",
        )
        seen = len(scene.target.requests)
        await scene.target.until(lambda: len(scene.target.requests) >= seen + 2, 15)  # Timer E
        assert "zwei" not in texts_at(scene)
        scene.target.answer_status = 200
        await scene.target.until(lambda: texts_at(scene)[-1] == "zwei")


async def test_a_target_that_is_busy_gets_the_message_again(gateway, record):
    async with redirect_scene(gateway, record) as scene:
        await scene.redirected()
        scene.target.answer_status = 503
        await scene.app.exchange(scene.go_over())
        await scene.target.until(lambda: bool(scene.target.requests))
        scene.target.answer_status = 200
        await scene.until_session("redirected")
    first, second = scene.target.requests
    assert first.branch != second.branch
    assert first.header("call-id") == second.header("call-id")


async def test_a_lost_datagram_goes_on_again_byte_for_byte(gateway, record):
    async with redirect_scene(gateway, record) as scene:
        await scene.redirected()
        scene.target.answer_status = None
        await scene.app.exchange(scene.go_over())
        await scene.target.until(lambda: len(scene.target.requests) == 2)
        scene.target.answer_status = 200
        await scene.until_session("redirected")
    assert len(set(scene.target.raw_requests)) == 1


async def open_again(scene, cause):
    await scene.until_session("open", within=20)
    await scene.app.until(lambda: len(texts_of(scene.app.requests, lmpe.START)) == 2, within=10)
    (failed,) = scene.events("redirect-failed")
    assert failed["target"] == scene.uri and failed["cause"].startswith(cause)
    scene.record.verify(scene.chat)


async def test_a_target_that_refuses_brings_the_chat_back(gateway, record):
    """Red without the deadline that a failed relay sets: the app stayed stalled all the time."""
    async with redirect_scene(gateway, record) as scene:
        await scene.redirected()
        scene.target.answer_status = 403
        began = record.value("SELECT now()")
        await scene.app.exchange(scene.go_over())
        await open_again(scene, "403")
        patience = timedelta(seconds=PATIENCE)
        assert scene.record.value("SELECT now()") < began + patience, "at once"
        assert scene.events("relay-failed")[0]["sipStatus"] == 403


async def test_a_target_that_is_silent_brings_the_chat_back_when_patience_ends(gateway, record):
    async with redirect_scene(gateway, record) as scene:
        await scene.redirected()
        scene.target.answer_status = None
        await scene.app.exchange(scene.go_over())
        await open_again(scene, "the target has not answered")


async def test_a_target_that_answers_after_the_chat_was_taken_back_gets_no_more(gateway, record):
    """Red when what follows a relayed 273 goes on whatever became of the chat."""
    async with redirect_scene(gateway, record) as scene:
        await scene.redirected()
        scene.target.answer_status = None
        await scene.app.exchange(scene.go_over())
        await scene.target.until(lambda: bool(scene.target.requests))
        record.take_back(scene.chat)
        await scene.app.exchange(scene.caller.say("an Sie allein"))
        await eventually(
            lambda: "an Sie allein" in record.texts_in(scene.caller.call_id), "it is on the record"
        )
        scene.target.answer_status = 200
        scene.target.answer(scene.target.requests[0])
        await eventually(lambda: scene.events("message-relayed"), "the target has taken the 273")
        assert scene.session() == "open"
        assert record.value("SELECT count(*) FROM chats_relay WHERE chat_id = %s", scene.chat) == 1


async def test_a_stop_before_the_target_has_answered_goes_after_the_273(gateway, record):
    """Red without it: the target greeted somebody who had ended the chat."""
    async with redirect_scene(gateway, record) as scene:
        await scene.redirected()
        scene.target.answer_status = None
        await scene.app.exchange(scene.go_over())
        await scene.target.until(lambda: bool(scene.target.requests))
        await scene.app.exchange(scene.caller.stop("Hat sich erledigt"))
        await scene.until_session("stopped")
        scene.target.answer_status = 200
        scene.target.answer(scene.target.requests[0])
        await scene.target.until(lambda: texts_at(scene)[-1] == "Hat sich erledigt")
        assert scene.session() == "stopped"
    record.verify(scene.chat)


async def test_a_text_that_the_target_refuses_later_brings_the_chat_back(gateway, record):
    """A human wrote, and nobody else has it."""
    async with redirect_scene(gateway, record) as scene:
        await scene.redirected()
        await scene.app.exchange(scene.go_over())
        await scene.until_session("redirected")
        record.close_chat(scene.chat)
        scene.target.answer_status = 404
        await scene.app.exchange(scene.caller.say("Hallo?"))
        await open_again(scene, "404")
        assert record.value("SELECT ringing_since FROM chats_chat WHERE id = %s", scene.chat)


async def test_a_heartbeat_long_after_an_app_seemed_gone_brings_it_back(gateway, record):
    """Red without the deadline in REDIRECTED: nobody had the chat, and its app still thought so."""
    async with redirect_scene(gateway, record) as scene:
        await scene.redirected()
        await scene.until_session("redirected")
        await scene.app.exchange(scene.caller.heartbeat())
        await open_again(scene, "the app is still heard here")


async def test_a_text_after_an_app_seemed_gone_goes_to_the_target(gateway, record):
    async with redirect_scene(gateway, record) as scene:
        await scene.redirected()
        await scene.until_session("redirected")
        await scene.app.exchange(scene.caller.say("Bin wieder da"))
        await scene.target.until(lambda: texts_at(scene) == ["Bin wieder da"])
        await eventually(
            lambda: (
                record.value("SELECT session_due FROM chats_chat WHERE id = %s", scene.chat) is None
            ),
            "it is settled",
            10,
        )
        assert scene.session() == "redirected"


@pytest.mark.conformance("6.2.7-7", "6.2.7-8")
async def test_a_273_that_comes_back_from_the_target_opens_the_chat_here(gateway, record):
    """Red when every 273 of a redirected chat goes on: two control rooms played ping-pong."""
    async with redirect_scene(gateway, record) as scene:
        await scene.redirected()
        await scene.app.exchange(scene.go_over())
        await scene.until_session("redirected")
        history = ("History-Info", f"<{PUBLIC_URI}>;index=1, <{scene.uri};user=phone>;index=1.1")
        back = scene.caller.message(START_REDIRECT, "Zurück", headers=(history,))
        await scene.app.exchange(back)
        await scene.app.until(lambda: len(texts_of(scene.app.requests, lmpe.START)) == 2)
        await scene.until_session("open")
    assert len(scene.target.requests) == 1
    assert scene.events("session-reopened")[-1] == {"cameFrom": f"{scene.uri};user=phone"}
    assert scene.events("redirect-failed") == []
    record.verify(scene.chat)


async def test_a_restart_forgets_neither_relay_nor_deadline(gateway, record):
    """Red when a relay's claim outlives its process: it waited for the lease, past all patience."""
    async with redirect_scene(gateway, record) as scene:
        await scene.redirected()
        scene.target.answer_status = None
        await scene.app.exchange(scene.go_over())
        await scene.target.until(lambda: bool(scene.target.requests))
        gateway.kill()
        scene.target.answer_status = 200
        gateway.start()
        await scene.until_session("redirected")
        assert len(set(scene.target.raw_requests)) == 1


@pytest.mark.conformance("6.2.7-7", "6.2.7-8", "6.2.7-9")
async def test_a_273_of_another_control_rooms_chat_opens_one_that_says_so(gateway, record):
    caller, origin = Caller(), "sip:psap-a@psap-a.example.org"
    async with RawSip(gateway.target()) as app:
        history = ("History-Info", f"<{origin}?Reason=SIP%3Bcause%3D302>;index=1")
        caller.msg_id = 4
        await app.exchange(caller.message(START_REDIRECT, "Hier Anna", headers=(history,)))
        await app.until(lambda: bool(app.requests))
        greeting = app.requests[0]
        assert (kind_of(greeting), greeting.header("reply-to")) == (lmpe.START, PUBLIC_URI)
        assert lmpe.identify(greeting).call_id == caller.call_id
        chat = record.chat_id(caller.call_id)
        opened, came_from = record.rows(
            "SELECT e.data, c.came_from FROM chats_chat c JOIN chats_chatevent e"
            " ON e.chat_id = c.id AND e.kind = 'chat-opened' WHERE c.id = %s",
            chat,
        )[0]
        assert (opened["cameFrom"], came_from) == (origin, origin)
        assert not opened["recovered"]
        await app.exchange(caller.say("Es brennt"))
        record.claim(chat)
        record.send(chat, "Wir kommen")
        await app.until(lambda: texts_of(app.requests) == ["Wir kommen"])
    record.verify(chat)
