"""We hand a chat over to another PSAP (clause 6.2.6): what the app gets, and what not any more."""

from contextlib import AsyncExitStack

import pytest

from chats.services.errors import ClientEndsSession, SessionNotOpen
from psap.models import LimitedClient
from sipgateway.simulator import lmpe
from tests.support.caller import Caller, kind_of, texts_of
from tests.support.eventually import eventually
from tests.support.rawsip import RawSip
from tests.support.record import PUBLIC_URI
from tests.support.transfers import START_TRANSFER, STOP_TRANSFER, leaving_chat


@pytest.fixture(scope="module", autouse=True)
def impatient(record):
    """Configured before the module's gateway starts."""
    record.configure(heartbeat_interval=1, transfer_text="Vorgabe", arrival_text="Wieder da.")


@pytest.mark.conformance("6.2.6-1", "6.2.6-3", "6.2.6-4", "6.2.6-5")
async def test_the_app_gets_a_266_with_our_reply_to_and_the_last_msg_id(gateway, record):
    async with leaving_chat(gateway, record) as scene:
        record.send(scene.chat, "Einen Moment")
        await scene.app.until(lambda: bool(texts_of(scene.app.requests)))
        await eventually(lambda: scene.ours(259)[0][2] == "delivered", "the text is delivered")
        stop = await scene.stalled()

    wire = next(raw for raw in scene.app.raw_requests if raw.endswith(b"Bitte warten."))
    element = "app.example.org"
    assert stop.uri == scene.caller.uri
    assert wire.startswith(f"MESSAGE {scene.caller.uri} SIP/2.0\r\n".encode())
    assert f"\r\nReply-To: {PUBLIC_URI}\r\n".encode() in wire
    identifiers = (
        f"\r\nCall-Info: <{scene.caller.call_id}>;purpose=EmergencyCallData.CallId"
        f"\r\nCall-Info: <urn:emergency:service:uid:msgid:2:{element}>"
        ";purpose=EmergencyCallData.MsgId"
        f"\r\nCall-Info: <urn:emergency:service:uid:msgtype:266:{element}>"
        ";purpose=EmergencyCallData.MsgType\r\n"
    )
    assert identifiers.encode() in wire
    assert wire.endswith(b"\r\nContent-Length: 13\r\n\r\nBitte warten.")
    record.verify(scene.chat)


@pytest.mark.conformance("6.2.6-6")
async def test_nothing_of_ours_follows_the_266(gateway, record):
    """Red when the sender leaves the chat in memory: heartbeats went out after the 266."""
    async with AsyncExitStack() as stack:
        scenes = [await stack.enter_async_context(leaving_chat(gateway, record)) for _ in range(4)]
        witness = await stack.enter_async_context(RawSip(gateway.target()))
        await witness.exchange(Caller().start())
        for scene in scenes:
            await scene.app.until(lambda app=scene.app: kind_of(app.requests[-1]) == lmpe.HEARTBEAT)
            await scene.stalled()
            # What the app writes now makes it known as alive, and nothing more.
            await scene.app.exchange(scene.caller.heartbeat())
        beats = len(witness.requests)
        await witness.until(lambda: len(witness.requests) >= beats + 3, within=15)
        for scene in scenes:
            assert kind_of(scene.app.requests[-1]) == STOP_TRANSFER
        with pytest.raises(SessionNotOpen):
            record.send(scenes[0].chat, "Noch etwas")


async def test_what_the_app_writes_meanwhile_goes_on_in_order_once_it_is_taken(gateway, record):
    async with leaving_chat(gateway, record) as scene:
        await scene.executed()
        for text in ("eins", "zwei"):
            assert (await scene.app.exchange(scene.caller.say(text))).status == 200
        assert scene.relays() == []
        scene.take()
        await eventually(lambda: len(scene.relays()) == 2, "it goes on")
        for text in ("drei", "vier"):
            await scene.app.exchange(scene.caller.say(text))
        assert (await scene.app.exchange(scene.caller.stop("fünf"))).status == 200
        await eventually(
            lambda: [status for _, status in scene.relays()] == ["relayed"] * 5, "all has gone on"
        )
        assert scene.session() == "transferred"

    passed_on = [request for request in scene.target.requests if request.body]
    assert [request.body.decode() for request in passed_on] == [
        "eins", "zwei", "drei", "vier", "fünf",
    ]  # fmt: skip
    for request in passed_on:
        assert scene.caller.uri in request.header("from")
        assert lmpe.identify(request).call_id == scene.caller.call_id
        assert len(request.values("via")) == 2
    assert [kind for kind in scene.kinds() if kind.startswith("redirect")] == []
    record.verify(scene.chat)


async def test_a_stop_while_it_is_handed_over_waits_and_goes_on_too(gateway, record):
    """Red when it ends the session here: nobody told the transferee."""
    async with leaving_chat(gateway, record) as scene:
        await scene.executed()
        await scene.app.exchange(scene.caller.stop("Ich lege auf"))
        await eventually(lambda: "Ich lege auf" in record.texts_in(scene.caller.call_id), "stored")
        assert (scene.session(), scene.state()) == ("transferring", "executing")
        scene.take()
        await eventually(lambda: scene.relays() == [("Ich lege auf", "relayed")], "it has gone on")
    assert scene.session() == "transferred"
    record.verify(scene.chat)


async def test_an_app_that_starts_here_again_is_greeted_and_stays(gateway, record):
    async with leaving_chat(gateway, record) as scene:
        await scene.stalled()
        await scene.app.exchange(scene.caller.start())
        await scene.until("failed")
        await scene.app.until(lambda: texts_of(scene.app.requests, lmpe.START)[1:] != [])
    assert scene.session() == "open"
    kinds = scene.kinds()
    assert kinds.index("session-reopened") < kinds.index("transfer-failed")
    assert "redirect-failed" not in kinds
    record.verify(scene.chat)


async def test_a_transferred_app_that_starts_here_again_rings_here(gateway, record):
    async with leaving_chat(gateway, record) as scene:
        await scene.executed()
        scene.take()
        await scene.until_session("transferred")
        await scene.app.exchange(scene.caller.start())
        await scene.until_session("open")
        await eventually(lambda: scene.ours(257)[-1][2] == "delivered", "it is greeted")
    assert "redirect-failed" not in scene.kinds()
    record.verify(scene.chat)


@pytest.mark.conformance("6.3.3-7", "6.3.4-3")
async def test_an_app_that_is_taken_back_gets_266_and_265_and_then_our_heartbeats(gateway, record):
    """Red when an app that stalls gets a heartbeat: nothing but a 265 is for it."""
    async with leaving_chat(gateway, record) as scene:
        await scene.executed()
        before = len(scene.app.requests)
        scene.refuse()
        await scene.app.until(lambda: START_TRANSFER in map(kind_of, scene.app.requests))
        await scene.app.exchange(scene.caller.say("Noch da?"))
        await scene.app.until(lambda: kind_of(scene.app.requests[-1]) == lmpe.HEARTBEAT)

    since = scene.app.requests[before:]
    assert [kind_of(request) for request in since[:2]] == [STOP_TRANSFER, START_TRANSFER]
    assert [lmpe.identify(request).msg_id for request in since[:2]] == [3, 4]
    assert since[1].body == b"Wieder da."
    assert since[1].header("reply-to") == PUBLIC_URI
    assert scene.session() == "open"
    record.verify(scene.chat)


async def test_our_heartbeats_go_on_with_an_app_that_writes_nothing_after_it_was_taken_back(
    gateway, record
):
    """Red when only a message of the app makes the gateway know the chat again."""
    async with leaving_chat(gateway, record) as scene:
        await scene.executed()
        scene.refuse()
        await scene.app.until(lambda: kind_of(scene.app.requests[-1]) == lmpe.HEARTBEAT, within=10)
    assert scene.session() == "open"


async def test_no_heartbeat_comes_before_an_app_that_is_taken_back_has_our_265(gateway, record):
    """Red when its word, or its answer to our 266, lets heartbeats begin."""
    async with leaving_chat(gateway, record) as scene, RawSip(gateway.target()) as witness:
        await witness.exchange(Caller().start())
        await scene.executed()
        scene.app.answer_status = None
        stops = len([r for r in scene.app.requests if kind_of(r) == STOP_TRANSFER])
        scene.refuse()
        await scene.app.until(
            lambda: len([r for r in scene.app.requests if kind_of(r) == STOP_TRANSFER]) > stops
        )
        await scene.app.exchange(scene.caller.say("Noch da?"))
        beats = len(witness.requests)
        await witness.until(lambda: len(witness.requests) >= beats + 3, within=15)
        assert kind_of(scene.app.requests[-1]) == STOP_TRANSFER
        scene.app.answer(scene.app.requests[-1])
        await scene.app.until(lambda: START_TRANSFER in map(kind_of, scene.app.requests))
        beats = len(witness.requests)
        await witness.until(lambda: len(witness.requests) >= beats + 3, within=15)
        assert kind_of(scene.app.requests[-1]) == START_TRANSFER
        scene.app.answer(scene.app.requests[-1])
        await scene.app.until(lambda: kind_of(scene.app.requests[-1]) == lmpe.HEARTBEAT, within=10)


async def test_the_266_of_a_reactivation_is_tried_again(gateway, record):
    """Red when a 266 has lost its sense in an open chat: the 265 came alone, and was refused."""
    async with leaving_chat(gateway, record) as scene:
        await scene.executed()
        before = len(scene.app.requests)
        scene.app.answer_status = 503
        scene.refuse()
        await scene.app.until(lambda: len(scene.app.requests) > before)
        scene.app.answer_status = 200
        await scene.app.until(lambda: START_TRANSFER in map(kind_of, scene.app.requests), within=10)
    kinds = [kind_of(request) for request in scene.app.requests[before:]]
    assert kinds == [STOP_TRANSFER, STOP_TRANSFER, START_TRANSFER]


async def test_nothing_leaves_any_more_once_the_other_psap_has_the_chat(gateway, record):
    """Red without `stale`: after a crash the 266 went out again, and stalled the app over there."""
    async with leaving_chat(gateway, record, transport="udp") as scene:
        await scene.executed()
        before = len(scene.app.requests)
        scene.app.answer_status = None
        scene.refuse()
        await scene.app.until(lambda: len(scene.app.requests) > before)
        gateway.kill()
        record.rows("UPDATE chats_chat SET session = 'transferred' WHERE id = %s", scene.chat)
        known = len(scene.app.requests)
        gateway.start()
        await eventually(
            lambda: scene.ours(266, 265)[1:] == [(266, 3, "cancelled"), (265, 4, "cancelled")],
            "both are kept back",
        )
        assert scene.app.requests[known:] == []


async def test_a_266_that_is_refused_leaves_the_chat_here(gateway, record):
    async with leaving_chat(gateway, record) as scene:
        scene.app.answer_status = 488
        scene.request()
        await scene.until("failed")
        scene.app.answer_status = 200
        await scene.until_session("open")
    record.verify(scene.chat)


async def test_an_app_that_is_known_to_end_on_a_266_is_not_transferred(gateway, record):
    """By its User-Agent, on the list of the admin."""
    record.run(LimitedClient.objects.update_or_create, user_agent="ng112-js")
    agent = ("User-Agent", "NG112-js/2.0.0")
    async with leaving_chat(gateway, record, headers=(agent,)) as scene:
        with pytest.raises(ClientEndsSession):
            scene.request()
    assert STOP_TRANSFER not in map(kind_of, scene.app.requests)
