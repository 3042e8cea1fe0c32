"""We redirect a chat to another PSAP (clause 6.2.7): what is sent, and what not any more."""

from contextlib import AsyncExitStack
from datetime import timedelta

import pytest

from chats.services.errors import (
    ClientEndsSession,
    NoAgreement,
    NotRedirecting,
    PeerUnknown,
    SessionNotOpen,
)
from psap.models import LimitedClient
from sipgateway.simulator import lmpe
from tests.support.caller import Caller, kind_of, texts_of
from tests.support.eventually import eventually
from tests.support.rawsip import RawSip
from tests.support.redirects import STOP_REDIRECT, redirect_scene


@pytest.fixture(scope="module", autouse=True)
def impatient(record):
    """Configured before the module's gateway starts."""
    record.configure(heartbeat_interval=1, redirect_patience=3, redirect_text="Vorgabe")


@pytest.mark.conformance("6.2.7-1", "6.2.7-2", "6.2.7-3", "6.2.7-4")
async def test_the_app_is_told_where_to_go(gateway, record):
    async with redirect_scene(gateway, record) as scene:
        record.send(scene.chat, "Einen Moment")
        await scene.app.until(lambda: bool(texts_of(scene.app.requests)))
        told = await scene.redirected()

    assert lmpe.identify(told).msg_id == 2  # the last one used, not a new one
    assert lmpe.identify(told).call_id == scene.caller.call_id
    assert told.header("reply-to") == scene.uri
    assert told.uri == scene.caller.uri
    assert told.body.decode() == "Wir verbinden Sie."
    assert scene.events("chat-redirecting") == [{"target": scene.uri}]
    record.verify(scene.chat)


async def test_without_a_text_the_apps_get_the_one_of_the_admin(gateway, record):
    async with redirect_scene(gateway, record) as scene:
        scene.redirect("")
        await scene.app.until(lambda: STOP_REDIRECT in map(kind_of, scene.app.requests))
    assert texts_of(scene.app.requests, STOP_REDIRECT) == ["Vorgabe"]


@pytest.mark.conformance("6.2.7-5")
async def test_nothing_of_ours_follows_the_redirect(gateway, record):
    """Red when the sender leaves the chat in memory: heartbeats went out after the 274."""
    async with AsyncExitStack() as stack:
        scenes = [
            await stack.enter_async_context(redirect_scene(gateway, record)) for _ in range(8)
        ]
        witness = await stack.enter_async_context(RawSip(gateway.target()))
        await witness.exchange(Caller().start())
        for scene in scenes:  # at moments spread over the heartbeats' interval
            await scene.app.until(lambda app=scene.app: kind_of(app.requests[-1]) == lmpe.HEARTBEAT)
            scene.redirect()
            beats = len(witness.requests)
            await witness.until(lambda beats=beats: len(witness.requests) > beats, within=15)
        beats = len(witness.requests)
        await witness.until(lambda: len(witness.requests) >= beats + 3, within=15)
        for scene in scenes:
            assert kind_of(scene.app.requests[-1]) == STOP_REDIRECT
        with pytest.raises(SessionNotOpen):
            record.send(scenes[0].chat, "Noch etwas")


async def test_texts_that_still_wait_are_cancelled_and_take_no_msg_id_with_them(gateway, record):
    """Red without `cancel_waiting`: they followed the 274, or came before it out of time."""
    async with redirect_scene(gateway, record) as scene:
        scene.app.answer_status = None
        record.send(scene.chat, "eins")
        await scene.app.until(lambda: texts_of(scene.app.requests) == ["eins"])
        record.send(scene.chat, "zwei")
        record.send(scene.chat, "drei")
        scene.redirect()
        assert scene.statuses() == ["delivered", "sending", "cancelled", "cancelled", "queued"]
        scene.app.answer_status = 200
        scene.app.answer(next(r for r in scene.app.requests if r.body == b"eins"))
        await eventually(lambda: scene.statuses()[-1] == "delivered", "the redirect is delivered")

    assert texts_of(scene.app.requests) == ["eins"]
    told = next(r for r in scene.app.requests if kind_of(r) == STOP_REDIRECT)
    assert lmpe.identify(told).msg_id == 2
    assert [e["cause"] for e in scene.events("delivery-changed")][1:3] == ["redirect"] * 2
    record.verify(scene.chat)


async def test_a_text_that_is_cancelled_while_it_is_claimed_is_not_sent(gateway, record):
    """Red without the second look at the status: the claim made `sending` of `cancelled`."""
    async with redirect_scene(gateway, record) as scene:
        scene.app.answer_status = None
        record.send(scene.chat, "eins")
        await scene.app.until(lambda: texts_of(scene.app.requests) == ["eins"])
        record.send(scene.chat, "zwei")
        with record.session() as cancelling:
            cancelling.execute("UPDATE chats_message SET status = 'cancelled' WHERE text = 'zwei'")
            scene.app.answer_status = 200
            scene.app.answer(next(r for r in scene.app.requests if r.body == b"eins"))
            await eventually(
                lambda: record.value(
                    "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                    " AND application_name = 'leitstand outbox'"
                ),
                "it is being claimed",
            )
        record.send(scene.chat, "drei")
        await scene.app.until(lambda: "drei" in texts_of(scene.app.requests))
    assert texts_of(scene.app.requests) == ["eins", "drei"]


async def test_a_text_that_was_under_way_is_not_repeated_after_the_redirect(gateway, record):
    """Red without the moot check of record_deliveries: a text came back behind the 274."""
    async with redirect_scene(gateway, record) as scene:
        scene.app.answer_status = None
        record.send(scene.chat, "eins")
        await scene.app.until(lambda: texts_of(scene.app.requests) == ["eins"])
        scene.redirect()
        scene.app.answer_status = 200
        scene.app.answer(next(r for r in scene.app.requests if r.body == b"eins"), 503)
        await eventually(
            lambda: scene.statuses() == ["delivered", "cancelled", "delivered"], "it is given up"
        )
    assert texts_of(scene.app.requests) == ["eins"]


async def test_a_peer_must_exist_and_agree(gateway, record):
    async with redirect_scene(gateway, record) as scene:
        with pytest.raises(PeerUnknown):
            record.redirect(scene.chat, 0)
        stranger = record.peer("Leitstelle C", "sip:psap-c@127.0.0.1", agreement=False)
        with pytest.raises(NoAgreement):
            record.redirect(scene.chat, stranger)
        with pytest.raises(NotRedirecting):
            record.take_back(scene.chat)
        record.close_chat(scene.chat)
        with pytest.raises(SessionNotOpen):
            scene.redirect()


async def test_an_app_that_would_end_its_session_is_redirected_on_demand_alone(gateway, record):
    record.run(LimitedClient.objects.create, user_agent="JsSIP")
    agent = ("User-Agent", "ng112-js jssip/3.7.5")
    async with redirect_scene(gateway, record, headers=(agent,)) as scene:
        with pytest.raises(ClientEndsSession):
            scene.redirect()
        assert scene.session() == "open"
        record.redirect(scene.chat, scene.peer, override=True)
        assert scene.events("chat-redirecting") == [{"target": scene.uri, "override": True}]


async def test_an_app_that_is_gone_after_the_redirect_has_gone_over(gateway, record):
    async with redirect_scene(gateway, record) as scene:
        await scene.redirected()
        assert scene.session() == "redirecting"
        await scene.until_session("redirected")
        assert scene.events("chat-redirected") == [{"target": scene.uri}]
        gone_to = record.value("SELECT gone_to FROM chats_chat WHERE id = %s", scene.chat)
        assert gone_to == scene.uri
        record.close_chat(scene.chat)
    record.verify(scene.chat)


async def greeted_again(scene):
    """Wait until the app has a start/257 with a higher MsgId, and the chat is open here."""
    await scene.app.until(lambda: len(texts_of(scene.app.requests, lmpe.START)) == 2, within=20)
    ids = [lmpe.identify(r).msg_id for r in scene.app.requests if kind_of(r) == lmpe.START]
    assert ids == [1, max(ids)] and ids[1] > 1
    assert scene.session() == "open"
    owner, ringing = scene.record.rows(
        "SELECT owner_id, ringing_since FROM chats_chat WHERE id = %s", scene.chat
    )[0]
    assert owner and ringing is None, "it stays with who has it"
    scene.record.verify(scene.chat)


@pytest.mark.parametrize("inactive", [False, True])
async def test_an_app_that_is_still_heard_is_taken_back(gateway, record, inactive):
    """Red without STILL_HERE in the sweep: it counted as gone over and nobody answered it."""
    async with redirect_scene(gateway, record) as scene:
        await scene.redirected()
        await scene.app.exchange(scene.caller.heartbeat(inactive=inactive))
        due = record.value("SELECT session_due FROM chats_chat WHERE id = %s", scene.chat)
        turns = timedelta(seconds=2.5)
        await eventually(lambda: record.value("SELECT now()") > due + turns, "it was looked at", 10)
        assert scene.session() == "redirecting", "heard before, not since: it may have gone"
        await scene.app.exchange(scene.caller.heartbeat(inactive=inactive))
        await greeted_again(scene)
        assert scene.events("redirect-failed") == [
            {"target": scene.uri, "cause": "the app is still heard here"}
        ]


@pytest.mark.parametrize("status", [403, 603])
async def test_an_app_that_refuses_the_redirect_is_taken_back(gateway, record, status):
    async with redirect_scene(gateway, record) as scene:
        scene.app.answer_status = status
        scene.redirect()
        await eventually(lambda: "failed" in scene.statuses(), "it has failed")
        scene.app.answer_status = 200
        await greeted_again(scene)
        assert "acknowledged" in scene.events("redirect-failed")[0]["cause"]


async def test_a_call_taker_takes_a_chat_back(gateway, record):
    async with redirect_scene(gateway, record) as scene:
        await scene.redirected()
        record.take_back(scene.chat)
        await greeted_again(scene)
        record.send(scene.chat, "Wir sind wieder da")
        await scene.app.until(lambda: texts_of(scene.app.requests) == ["Wir sind wieder da"])
        await scene.app.exchange(scene.caller.heartbeat())
        beat = len(scene.app.requests)
        await scene.app.until(
            lambda: lmpe.HEARTBEAT in map(kind_of, scene.app.requests[beat:]), within=10
        )


async def test_a_redirect_that_has_not_left_is_kept_back_when_it_is_taken_back(gateway, record):
    async with redirect_scene(gateway, record) as scene:
        scene.app.answer_status = None
        record.send(scene.chat, "eins")
        await scene.app.until(lambda: texts_of(scene.app.requests) == ["eins"])
        scene.redirect()
        record.take_back(scene.chat)
        scene.app.answer_status = 200
        scene.app.answer(next(r for r in scene.app.requests if r.body == b"eins"))
        await greeted_again(scene)
    assert STOP_REDIRECT not in map(kind_of, scene.app.requests)


async def test_a_redirect_under_way_is_not_repeated_once_it_is_taken_back(gateway, record):
    """Red when only texts lose their sense: the app was sent away after it had been greeted."""
    async with redirect_scene(gateway, record) as scene:
        scene.app.answer_status = None
        scene.redirect()
        await scene.app.until(lambda: STOP_REDIRECT in map(kind_of, scene.app.requests))
        record.take_back(scene.chat)
        scene.app.answer_status = 200
        told = next(r for r in scene.app.requests if kind_of(r) == STOP_REDIRECT)
        scene.app.answer(told, 503)
        await greeted_again(scene)
        expected = ["delivered", "cancelled", "delivered"]
        await eventually(lambda: scene.statuses() == expected, "the greeting is delivered")
    assert [kind_of(r) for r in scene.app.requests].count(STOP_REDIRECT) == 1


async def test_a_chat_that_was_closed_meanwhile_rings_when_it_comes_back(gateway, record):
    async with redirect_scene(gateway, record) as scene:
        scene.app.answer_status = 603
        scene.redirect()
        record.close_chat(scene.chat)
        await scene.until_session("open")
        owner, ringing, disposition = record.rows(
            "SELECT owner_id, ringing_since, disposition FROM chats_chat WHERE id = %s", scene.chat
        )[0]
        assert (owner, disposition) == (None, None) and ringing
    record.verify(scene.chat)


async def test_a_stop_of_the_app_ends_a_redirect(gateway, record):
    async with redirect_scene(gateway, record) as scene:
        await scene.redirected()
        await scene.app.exchange(scene.caller.stop())
        await scene.until_session("stopped")
        due, gone_to = record.rows(
            "SELECT session_due, gone_to FROM chats_chat WHERE id = %s", scene.chat
        )[0]
        assert (due, gone_to) == (None, "")
    record.verify(scene.chat)


async def test_a_start_of_the_app_opens_the_chat_here_again(gateway, record):
    async with redirect_scene(gateway, record) as scene:
        await scene.redirected()
        await scene.app.exchange(scene.caller.start("Noch einmal"))
        await greeted_again(scene)
        assert scene.events("redirect-failed")[0]["target"] == scene.uri
