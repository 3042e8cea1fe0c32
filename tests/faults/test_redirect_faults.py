"""The gateway dies at each step of a redirect, Redis hung all the while: the chat has one owner.

Afterwards it is with the target, which has the app's 273, or it is open here and greeted anew.
"""

import asyncio
import signal
import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress

import pytest

from sipgateway.simulator import lmpe
from tests.support.caller import kind_of
from tests.support.eventually import eventually
from tests.support.gateway import options_status
from tests.support.rawsip import RawSip
from tests.support.redirects import STOP_REDIRECT, Scene, redirect_scene

WITHIN = 15.0
PATIENCE = 4
REPEATED_AFTER = 0.5
ON_THE_WAY = ["Hier Anna", "wo sind Sie?", "bitte kommen"]


@pytest.fixture(scope="module", autouse=True)
def patience(record):
    record.configure(heartbeat_interval=20, redirect_patience=PATIENCE)


@pytest.fixture
def deaf_redis() -> Iterator[str]:
    """A Redis that hangs: it takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"redis://127.0.0.1:{listener.getsockname()[1]}/0"


@pytest.fixture
def dying(gateway, deaf_redis, tmp_path):
    """Start a gateway that dies at a fail point once `arm` is called, and again without one."""
    return Dying(gateway, deaf_redis, tmp_path)


class Dying:
    def __init__(self, gateway, redis_url, directory):
        self.gateway = gateway
        self._redis_url = redis_url
        self._proof, self._armed = directory / "reached", directory / "armed"

    def start(self, point="none"):
        self.gateway.start(
            PSAP_FAIL_POINT=f"{point}:{self._proof}:{self._armed}", REDIS_URL=self._redis_url
        )

    def arm(self):
        self._armed.touch()

    async def dies_at(self, point):
        await eventually(lambda: not self.gateway.is_running(), f"it dies: {point}", WITHIN)
        assert self.gateway.wait_for_end() == -signal.SIGKILL
        assert self._proof.read_text() == point

    async def comes_back(self):
        self.gateway.launch(REDIS_URL=self._redis_url)
        await eventually(lambda: options_status(self.gateway.port, 0.1) == 200, "it serves", WITHIN)


async def insist(scene: Scene, data: bytes):
    """Send a request again and again, as an app does, until it is answered with 200."""
    while True:
        with suppress(TimeoutError):
            answer = await scene.app.exchange(data, REPEATED_AFTER)
            assert answer.status == 200
            return


async def goes_over(scene: Scene):
    """Follow the 274 as an app does: go over with a 273, and write on."""
    await scene.app.until(lambda: STOP_REDIRECT in map(kind_of, scene.app.requests), WITHIN)
    await insist(scene, scene.go_over(ON_THE_WAY[0]))
    for text in ON_THE_WAY[1:]:
        await insist(scene, scene.caller.say(text))


def at_target(scene: Scene):
    return list(dict.fromkeys(request.body.decode() for request in scene.target.requests))


def greetings(scene: Scene):
    return {lmpe.identify(r).msg_id for r in scene.app.requests if kind_of(r) == lmpe.START}


def assert_one_owner(scene: Scene):
    """Either the target has the app's 273, or we have greeted the app anew; and all is there."""
    redirected = scene.session() == "redirected"
    assert redirected is (ON_THE_WAY[0] in at_target(scene))
    assert (scene.session() == "open") is (len(greetings(scene)) == 2) is not redirected
    texts = scene.record.texts_in(scene.caller.call_id)
    assert Counter(filter(None, texts)) == Counter(["Hilfe!", *ON_THE_WAY])
    if redirected:
        assert at_target(scene) == ON_THE_WAY
    assert len(set(scene.target.raw_requests)) == len(at_target(scene)), "the same bytes again"
    told = [raw for raw in scene.app.raw_requests if b":msgtype:274:" in raw]
    assert len(set(told)) == 1
    scene.record.verify(scene.chat)


@pytest.mark.parametrize(
    "point",
    [
        "after-sending",  # the 274 has left
        "before-marking",  # its 200 has come
        "after-commit",  # of the 273
        "after-200",
        "relay-claimed",
        "relay-sent",
        "relay-answered",
        "relay-recorded",
    ],
)
async def test_dying_at_any_step_leaves_the_chat_with_the_target_alone(dying, record, point):
    """Red without `free_relays`, or when a relay's branch is drawn at the sending."""
    dying.start(point)
    async with redirect_scene(dying.gateway, record, transport="udp") as scene:
        dying.arm()
        scene.redirect()
        going = asyncio.create_task(goes_over(scene))
        try:
            await dying.dies_at(point)
            await dying.comes_back()
            await going
            await scene.until_session("redirected", within=WITHIN)
            await scene.target.until(lambda: len(at_target(scene)) == len(ON_THE_WAY), WITHIN)
            await eventually(
                lambda: len(scene.events("message-relayed")) == len(ON_THE_WAY), "all are recorded"
            )
        finally:
            going.cancel()
        assert_one_owner(scene)
        assert scene.events("chat-redirected") == [{"target": scene.uri}]


async def test_a_273_that_waited_for_us_longer_than_patience_lasts_goes_to_the_target(
    dying, record
):
    """Red when our own absence counts as the target's silence: both had the chat then."""
    dying.start("after-200")
    async with redirect_scene(dying.gateway, record, transport="udp") as scene:
        await scene.redirected()
        dying.arm()
        going = asyncio.create_task(goes_over(scene))
        try:
            await dying.dies_at("after-200")
            await too_late(scene)
            scene.target.answer_status = None
            await dying.comes_back()
            await answers_the_third(scene.target)
            await going
            await scene.until_session("redirected", within=WITHIN)
            await scene.target.until(lambda: len(at_target(scene)) == len(ON_THE_WAY), WITHIN)
        finally:
            going.cancel()
        assert_one_owner(scene)
        assert scene.events("redirect-failed") == []


async def test_a_274_that_could_not_leave_in_time_leaves_and_counts_from_then(dying, record):
    """Red when the chat is taken back as soon as we are there, before the 274 can have left."""
    dying.start()
    async with redirect_scene(dying.gateway, record, transport="udp") as scene:
        dying.gateway.kill()
        scene.redirect()
        await too_late(scene)
        scene.app.answer_status, greeted = None, len(scene.app.requests)
        await dying.comes_back()
        await answers_the_third(scene.app, greeted)
        await goes_over(scene)
        await scene.until_session("redirected", within=WITHIN)
        await scene.target.until(lambda: len(at_target(scene)) == len(ON_THE_WAY), WITHIN)
        assert_one_owner(scene)


async def test_an_app_that_stays_is_greeted_anew_after_a_crash(dying, record):
    """Red without the presence of its chat, or when what is due is forgotten by a restart."""
    dying.start("before-marking")
    async with redirect_scene(dying.gateway, record, transport="udp") as scene:
        dying.arm()
        scene.redirect()
        await dying.dies_at("before-marking")
        await dying.comes_back()
        for text in ON_THE_WAY:
            await insist(scene, scene.caller.say(text))
        async with asyncio.timeout(25):
            while len(greetings(scene)) < 2:
                await insist(scene, scene.caller.heartbeat())
                with suppress(TimeoutError):
                    await scene.app.until(lambda: len(greetings(scene)) == 2, REPEATED_AFTER)
        assert scene.target.requests == []
        assert_one_owner(scene)


async def answers_the_third(side: RawSip, first: int = 0):
    """Have an app or a target take what it gets only when it comes for the third time, late."""
    await side.until(lambda: len(side.requests) >= first + 3, WITHIN)
    side.answer_status = 200
    side.answer(side.requests[first])


async def too_late(scene: Scene):
    """Wait until all is due that would have been, had we been there."""
    scene.record.rows(
        "UPDATE chats_chat SET session_due = now() - interval '1 minute' WHERE id = %s", scene.chat
    )
    scene.record.rows(
        "UPDATE chats_journal SET received_at = now() - interval '1 minute' WHERE id ="
        " (SELECT max(id) FROM chats_journal) AND NOT EXISTS (SELECT FROM chats_message m"
        " WHERE m.journal_id = chats_journal.id)"
    )
