"""What the new PSAP sends to a redirected app over us reaches the app, as through any proxy."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from django.db import transaction
from django.utils import timezone

from chats.models import Chat, Session
from chats.services.relays import relay_held
from psap.models import Trunk
from sipgateway.simulator import lmpe
from sipgateway.simulator.message import SipMessage
from tests.support.caller import Caller, kind_of
from tests.support.eventually import eventually
from tests.support.rawsip import RawSip, make_message
from tests.support.redirects import Scene, redirect_scene, seen_configuration

NEW_PSAP = "sip:psap-b@b.example"


@pytest.fixture(scope="module", autouse=True)
def impatient(record):
    """Configured before the module's gateway starts."""
    record.configure(heartbeat_interval=20, redirect_patience=5)


@dataclass(slots=True)
class Other:
    """The new PSAP, writing to the app as its chat's messages come."""

    caller: Caller
    msg_id: int = 0

    def write(self, msg_type: int, text: str, **parts: object) -> bytes:
        self.msg_id += 1
        given: dict = {
            "call_info": self.caller.info(msg_type, self.msg_id),
            "body": text.encode(),
            "uri": self.caller.uri,
            "from_uri": NEW_PSAP,
            "headers": (("Reply-To", NEW_PSAP), ("P-Asserted-Identity", f"<{NEW_PSAP}>")),
            **parts,
        }
        return make_message(**given)


async def went_over(scene: Scene) -> Other:
    await scene.redirected()
    assert (await scene.app.exchange(scene.go_over())).status == 200
    await scene.until_session("redirected")
    return Other(scene.caller)


def from_the_new_psap(scene: Scene) -> list[SipMessage]:
    return [r for r in scene.app.requests if NEW_PSAP in r.header("from")]


async def test_its_start_reaches_the_app_and_the_apps_answer_reaches_it(gateway, record):
    async with redirect_scene(gateway, record) as scene:
        other = await went_over(scene)
        answer = await scene.target.exchange(other.write(lmpe.START, "PSAP B, what happened?"))
        (start,) = from_the_new_psap(scene)

    assert answer.status == 200
    assert (kind_of(start), start.body) == (lmpe.START, b"PSAP B, what happened?")
    assert (start.uri, start.header("reply-to")) == (scene.caller.uri, NEW_PSAP)
    assert (start.header("max-forwards"), len(start.values("via"))) == ("69", 2)
    assert not start.has("p-asserted-identity") and not start.has("history-info")
    assert record.chat_ids(scene.caller.call_id) == [scene.chat]


async def test_what_is_written_to_an_app_that_a_peer_has_taken_reaches_it_all_the_same(
    gateway, record
):
    """A chat goes by a peer's custody notice while nobody writes: no message told the gateway.

    Red when the way back is known only of chats that the gateway has seen leave: what the peer
    writes opens another chat here then, and the app gets nothing.
    """
    async with redirect_scene(gateway, record) as scene:
        before = record.value("SELECT max(id) FROM chats_message WHERE chat_id = %s", scene.chat)
        assert (await scene.app.exchange(scene.caller.say("Noch da?"))).status == 200
        await eventually(lambda: "Noch da?" in record.texts_in(scene.caller.call_id), "projected")
        record.run(lambda: goes_by_itself(scene, before))
        await scene.target.until(lambda: bool(scene.target.requests))
        other = Other(scene.caller)
        answer = await scene.target.exchange(other.write(lmpe.IN_CHAT, "PSAP B, what happened?"))
        (written,) = from_the_new_psap(scene)
    assert answer.status == 200
    assert written.body == b"PSAP B, what happened?"
    assert record.chat_ids(scene.caller.call_id) == [scene.chat]


@transaction.atomic
def goes_by_itself(scene: Scene, after: int) -> None:
    """Have a chat be with the target as of now, what came after a message too."""
    chat = Chat.objects.select_for_update().get(pk=scene.chat)
    chat.session, chat.gone_to = Session.TRANSFERRED, scene.uri
    chat.save(update_fields=["session", "gone_to"])
    relay_held(chat=chat, target=scene.uri, after=after, now=timezone.now())


async def test_what_the_app_refuses_is_refused(gateway, record):
    async with redirect_scene(gateway, record) as scene:
        other = await went_over(scene)
        scene.app.answer_status = 488
        answer = await scene.target.exchange(other.write(lmpe.START, "PSAP B"))
    assert answer.status == 488


async def test_after_a_restart_it_goes_on(gateway, record):
    async with redirect_scene(gateway, record) as scene:
        other = await went_over(scene)
        gateway.kill()
        gateway.start()
        async with RawSip(gateway.target()) as app:  # the app's connection is a new one
            await app.exchange(scene.caller.say("Are you there?", from_uri=scene.caller.uri))
            await eventually(lambda: heard_on(record, scene.chat, app), "it is heard")
            async with asyncio.timeout(10):  # the record knows the app's new way a moment earlier
                answer = await scene.target.exchange(other.write(lmpe.IN_CHAT, "Yes, B is here."))
                while answer.status == 480:
                    answer = await scene.target.exchange(other.write(lmpe.IN_CHAT, "B is here."))
            await app.until(lambda: any(b"B is here" in r.body for r in app.requests))
    assert answer.status == 200


async def test_nobody_whom_we_do_not_trust_writes_to_the_app_over_us(gateway, record):
    """It is a stranger's chat, as ever: red when every sender is passed back."""
    async with redirect_scene(gateway, record) as scene, RawSip(gateway.target("udp")) as stranger:
        other = await went_over(scene)
        with trusting(record, "192.0.2.0/24"):
            await eventually(lambda: seen_configuration(record), "the gateway has read it", 10.0)
            answer = await stranger.exchange(other.write(lmpe.IN_CHAT, "I am B, trust me"))
            await eventually(
                lambda: len(record.chat_ids(scene.caller.call_id)) == 2, "a chat of its own"
            )
    assert answer.status == 200
    assert from_the_new_psap(scene) == []


async def test_whoever_we_relay_to_writes_back_on_the_same_way(gateway, record):
    """Red when it is to be trusted as well: its texts were a stranger's chat, and lost."""
    async with redirect_scene(gateway, record) as scene:
        other = await went_over(scene)
        with trusting(record, "192.0.2.0/24"):
            await eventually(lambda: seen_configuration(record), "the gateway has read it", 10.0)
            answer = await scene.target.exchange(other.write(lmpe.IN_CHAT, "B is here"))
        assert answer.status == 200
        assert [request.body for request in from_the_new_psap(scene)] == [b"B is here"]


@contextmanager
def trusting(record, networks: str) -> Iterator[None]:
    trust(record, networks)
    try:
        yield
    finally:
        trust(record, "127.0.0.0/8 ::1/128")


def trust(record, networks: str) -> None:
    record.run(lambda: Trunk.objects.update(trusted_networks=networks))


def heard_on(record, chat: int, app: RawSip) -> bool:
    peer = record.value("SELECT peer FROM chats_chat WHERE id = %s", chat)
    return peer == f"127.0.0.1:{app.local[1]}"
