"""A chat is handed over to us (clauses 6.2.6, 6.3): our 265, and the app that follows it or not."""

from collections.abc import Iterator

import pytest

from psap.models import Trunk
from sipgateway.simulator import lmpe
from tests.support.caller import kind_of
from tests.support.eventually import eventually
from tests.support.instance import wait_until
from tests.support.rawsip import RawSip, make_message
from tests.support.record import PUBLIC_URI
from tests.support.redirects import seen_configuration
from tests.support.transfers import START_TRANSFER, arriving_chat


@pytest.fixture(scope="module", autouse=True)
def reachable(record, gateway) -> Iterator[None]:
    """Apps without a proxy come to us by our Reply-To."""
    uri = f"sip:psap@127.0.0.1:{gateway.port}"
    record.configure(public_uri=uri, heartbeat_interval=1, arrival_text="Hier ist Wien.")
    wait_until(lambda: seen_configuration(record), 10, "the gateway has read it")
    yield
    record.configure(public_uri=PUBLIC_URI)


@pytest.mark.conformance("6.2.6-9", "6.2.6-10", "6.2.6-11", "6.2.6-13", "6.2.6-7")
@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_an_app_without_a_proxy_follows_our_265_and_talks_with_us(gateway, record, transport):
    async with arriving_chat(gateway, record, transport=transport) as scene:
        scene.execute()
        await scene.until("done")
        assert not scene.app.transferring
        assert (await scene.app.say("Sind Sie da?")).status == 200
        await scene.until_session("open")
        record.send(scene.chat, "Ja, hier ist Wien.")
        answer = await scene.app.wait_for_type(lmpe.IN_CHAT)
        await scene.app.wait_for_type(lmpe.HEARTBEAT)
        assert (await scene.app.stop()).status == 200
        await scene.until_session("stopped")

    (start,) = scene.starts()
    uri = f"sip:psap@127.0.0.1:{gateway.port}"
    assert lmpe.identify(start) == lmpe.Identifiers(scene.app.call_id, 2, 265, quoted=False)
    assert (start.header("reply-to"), start.body) == (uri, b"Hier ist Wien.")
    assert start.uri == scene.app.persona.uri
    assert answer.msg_id == 3
    assert scene.app.failures == []
    assert "chat-arrived" in scene.kinds()
    record.verify(scene.chat)


async def test_our_heartbeats_begin_although_the_app_writes_nothing(gateway, record):
    """Red when only a message of the app makes the gateway know the chat."""
    async with arriving_chat(gateway, record, transport="udp") as scene:
        journaled = record.value("SELECT count(*) FROM chats_journal")
        scene.execute()
        await scene.app.wait_for_type(lmpe.HEARTBEAT, timeout=10)
    assert scene.session() == "open"
    assert record.value("SELECT count(*) FROM chats_journal") == journaled
    assert scene.app.failures == []


async def test_a_trunk_with_a_proxy_sends_our_265_by_it(gateway, record):
    async with arriving_chat(gateway, record) as scene, RawSip(gateway.target("udp")) as proxy:
        record.run(Trunk.objects.update, outbound_proxy=f"sip:127.0.0.1:{proxy.local[1]}")
        try:
            await eventually(lambda: seen_configuration(record), "the gateway has read it", 10.0)
            scene.execute()
            await proxy.until(lambda: bool(proxy.requests))
        finally:
            record.run(Trunk.objects.update, outbound_proxy="")
        await eventually(lambda: seen_configuration(record), "the gateway has read it", 10.0)
    assert kind_of(proxy.requests[0]) == START_TRANSFER
    assert proxy.requests[0].uri == scene.app.persona.uri


async def test_a_202_is_no_word_of_the_app(gateway, record):
    """Red when any 2xx counts: a store on the way has it, and the app still waits."""
    async with arriving_chat(gateway, record) as scene:
        scene.app.answers[START_TRANSFER] = 202
        scene.execute(expiry=10)
        await eventually(lambda: scene.ours(265) == [(265, 2, "delivered")], "it is answered")
        assert (scene.state(), scene.session()) == ("executing", "arriving")
        await scene.app.heartbeat()  # to its first PSAP
        assert (scene.state(), scene.session()) == ("executing", "arriving")
        scene.app.next_target = f"sip:psap@127.0.0.1:{gateway.port}"
        assert (await scene.app.heartbeat()).status == 200
        await scene.until("done")
        assert scene.session() == "open"
    record.verify(scene.chat)


async def test_a_lost_acknowledgement_is_got_by_the_same_bytes_again(gateway, record):
    async with arriving_chat(gateway, record, transport="udp") as scene:
        scene.app.lose_answers[START_TRANSFER] = 2
        scene.execute()
        await scene.until("done", within=10)
        assert scene.app.agent.counters.duplicates >= 2
    assert len(scene.starts()) == 1
    assert scene.app.failures == []


async def test_what_anybody_writes_is_no_word_of_an_app_whose_identity_was_asserted(
    gateway, record
):
    """Red when a message that nobody has vouched for opens the session."""
    asserted = "sip:+436641234567@carrier.example"
    async with arriving_chat(gateway, record) as scene, RawSip(gateway.target("udp")) as stranger:
        scene.app.answers[START_TRANSFER] = None
        record.run(Trunk.objects.update, trusted_networks="192.0.2.0/24")
        try:
            await eventually(lambda: seen_configuration(record), "the gateway has read it", 10.0)
            scene.execute(asserted_uri=asserted)
            forged = written_by(scene.app, "Ich bin es")
            assert (await stranger.exchange(forged)).status == 200
            await eventually(lambda: "Ich bin es" in texts(record, scene.chat), "it is stored")
            assert (scene.session(), scene.state()) == ("arriving", "executing")
        finally:
            record.run(Trunk.objects.update, trusted_networks="127.0.0.0/8 ::1/128")
    record.verify(scene.chat)


async def test_what_the_transferor_passes_on_is_not_the_way_to_the_app(gateway, record):
    """Red when our answers follow it: they end with a transferor that has been restarted."""
    async with arriving_chat(gateway, record, transport="udp") as scene:
        scene.execute()
        await scene.until("done")
        assert (await scene.app.say("Sind Sie da?")).status == 200
        async with RawSip(gateway.target("udp")) as transferor:
            came_from = record.value("SELECT came_from FROM chats_chat WHERE id = %s", scene.chat)
            via = ("History-Info", f"<{came_from}?Reason=SIP%3Bcause%3D302>;index=1")
            late = written_by(scene.app, "Noch dorthin", headers=(via,))
            assert (await transferor.exchange(late)).status == 200
            await eventually(lambda: "Noch dorthin" in texts(record, scene.chat), "it is shown")
            record.send(scene.chat, "Ja, hier ist Wien.")
            await scene.app.wait_for(lambda m: m.text == "Ja, hier ist Wien.")
            assert transferor.requests == []


@pytest.mark.conformance("6.3.3-5", "6.3.3-6")
async def test_no_265_leaves_after_the_time_of_the_execution(gateway, record):
    """Red without `_TOO_LATE`: after a restart it went out, while the transferor had the chat."""
    async with arriving_chat(gateway, record, transport="udp") as scene:
        gateway.kill()
        scene.execute()
        record.rows(
            "UPDATE chats_transfer SET execution_expires_at = now(), due_at = now() WHERE id = %s",
            scene.transfer,
        )
        gateway.start()
        await scene.until("failed")
        assert scene.starts() == []
        assert scene.app.transferring
    assert scene.ours(265) == [(265, 2, "cancelled")]
    assert scene.session() == "stopped"
    record.verify(scene.chat)


async def test_a_265_is_not_repeated_after_the_time_of_the_execution(gateway, record):
    """Red without `stale`: the app would be ours while the transferor takes the chat back."""
    async with arriving_chat(gateway, record, transport="udp") as scene:
        scene.app.answer_status = None
        scene.execute()
        await eventually(lambda: scene.ours(265) == [(265, 2, "sending")], "it is on its way")
        gateway.kill()
        record.rows(
            "UPDATE chats_transfer SET execution_expires_at = now(), due_at = now() WHERE id = %s",
            scene.transfer,
        )
        await scene.app.heartbeat()  # what had come before the crash has been read
        scene.app.answer_status = 200
        gateway.start()
        await scene.until("uncertain")
        await eventually(lambda: scene.ours(265) == [(265, 2, "cancelled")], "it is kept back")
        assert scene.starts() == []
        assert (await said_to_us(scene, gateway)).status == 200
        await scene.until("done")
    assert scene.session() == "open"
    record.verify(scene.chat)


async def test_an_app_that_stops_with_its_first_word_has_followed_us(gateway, record):
    async with arriving_chat(gateway, record) as scene:
        scene.app.answers[START_TRANSFER] = None
        scene.execute()
        scene.app.next_target = f"sip:psap@127.0.0.1:{gateway.port}"
        assert (await scene.app.stop("Schon gut")).status == 200
        await scene.until("done")
    assert scene.session() == "stopped"
    record.verify(scene.chat)


async def said_to_us(scene, gateway):
    """The app that has taken up our 265 writes, though its acknowledgement was lost."""
    scene.app.next_target = f"sip:psap@127.0.0.1:{gateway.port}"
    return await scene.app.heartbeat()


def texts(record, chat: int) -> list[str]:
    return [
        row[0] for row in record.rows("SELECT text FROM chats_message WHERE chat_id = %s", chat)
    ]


def written_by(app, text, headers=()) -> bytes:
    """Write a text with an app's identifiers, as anybody can."""
    uid = "urn:emergency:service:uid"
    info = (
        f"<{app.call_id}>; purpose=EmergencyCallData.CallId",
        f"<{uid}:msgid:9:x>; purpose=EmergencyCallData.MsgId",
        f"<{uid}:msgtype:259:x>; purpose=EmergencyCallData.MsgType",
    )
    return make_message(
        call_info=info, body=text.encode(), from_uri=app.persona.uri, headers=headers
    )
