"""Answers of a peer or of the app get lost, peers hang, rows are held: a chat has one owner."""

import asyncio
import itertools
import json
import os
import socket
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager

import psycopg
import pytest

from sipgateway.simulator import lmpe
from sipgateway.simulator.checks import Name
from tests.support.caller import kind_of
from tests.support.cuttable import CuttableProxy, cuttable_proxy
from tests.support.eventually import eventually
from tests.support.handing import Handing, handed_over
from tests.support.peerapi import PeerConnection
from tests.support.rawsip import RawSip
from tests.support.rooms import Room, Rooms, control_rooms

pytestmark = pytest.mark.alone

FULL = bool(os.environ.get("PSAP_FULL_MATRIX"))
EXPIRY = 10  # Annex A has no shorter one
MARGIN = 1
WITHIN = 40.0
LATE = 15.0  # a sweep a second, and a busy machine
LONG = 60  # seconds for an execution that has to be over in time on a busy machine too
DELAY = 8.0  # on a busy machine; who waited for the hung or the held would wait for all of it
PARALLEL = 50
SILENT: dict[int, int | None] = {lmpe.START_TRANSFER: None}
DEAF: dict[int, int | None] = {lmpe.STOP_TRANSFER: 403}  # and so to a 265 after it


@pytest.fixture(scope="module")
def rooms() -> Iterator[Rooms]:
    agreed = {"auto_accept": True, "auto_accept_limit": 1000, "execution_time": EXPIRY}
    with control_rooms("a", "b", expiry_time=30, **agreed) as rooms:
        for room in rooms:
            room.configure(heartbeat_interval=20, transfer_margin=MARGIN)
        yield rooms
        assert sum(room.verify_all() for room in rooms) > 0


@pytest.fixture
def unhurried(rooms: Rooms) -> Iterator[None]:
    """No execution expires, however slow the machine is."""
    set_execution_time(rooms, LONG)
    yield
    set_execution_time(rooms, EXPIRY)


def set_execution_time(rooms: Rooms, seconds: int) -> None:
    for room, other in itertools.permutations(rooms):
        room.set_peer(other, execution_time=seconds)


@asynccontextmanager
async def proxy_before(rooms: Rooms) -> AsyncIterator[CuttableProxy]:
    """Have A's calls to B go through a proxy that can be cut."""
    a, b = rooms.transferor, rooms.transferee
    async with cuttable_proxy(b.instance.environment.peer_port) as proxy:
        a.set_peer(b, url=f"https://127.0.0.1:{proxy.port}/")
        try:
            yield proxy
        finally:
            a.set_peer(b, url=b.url)


async def until_state(room: Room, scene: Handing, *states: str, within: float = WITHIN) -> None:
    """Wait until the latest attempt is in one of the states."""

    def reached() -> bool:
        latest = room.transfers(scene.app.call_id)[-1:]
        return bool(latest) and latest[0][1] in states

    await eventually(reached, f"{states} at {room.name}", within)


async def ends_with(scene: Handing, owner: str) -> None:
    """Wait until all is settled and the chat goes on where it should."""
    assert await scene.healed() == owner
    await scene.goes_on(owner)
    scene.assert_all_is_well(owner)


async def begun_at_b(rooms: Rooms, scene: Handing) -> None:
    """Hand over to B with an app that is silent to its 265, so that the execution is open."""
    scene.app.answers = dict(SILENT)
    scene.hand_over()
    await until_state(rooms.transferee, scene, "executing")


@pytest.mark.usefixtures("unhurried")
async def test_an_answer_that_is_cut_once_is_asked_for_again(rooms):
    """Red when an answer that is lost counts as a no."""
    async with proxy_before(rooms) as proxy, handed_over(rooms) as scene:
        await begun_at_b(rooms, scene)
        proxy.hold_answers()
        scene.app.answers = {}
        await until_state(rooms.transferee, scene, "done")
        proxy.cut()
        proxy.heal()
        proxy.release_answers()
        await ends_with(scene, "b")
        kinds = {event["kind"] for event in rooms.transferor.export(scene.app.call_id)["events"]}
        assert "custody-uncertain" in kinds
    assert rooms.transferor.transfers(scene.app.call_id) == [("out", "done", "")]


@pytest.mark.parametrize("how", ["cut", *(["hold_answers"] if FULL else [])])
async def test_a_peer_out_of_reach_until_all_is_over_gives_the_chat_back(rooms, how):
    """B has the app, A does not know: A takes the chat back, and B learns it once it is there."""
    a, b = rooms
    async with proxy_before(rooms) as proxy, handed_over(rooms) as scene:
        scene.write_on()
        await begun_at_b(rooms, scene)
        getattr(proxy, how)()
        scene.app.answers = {}
        await until_state(b, scene, "done")
        await until_state(a, scene, "failed")
        await eventually(lambda: scene.app.next_target == a.uri, "it follows A again", WITHIN)
        assert rooms.custody(scene.app.call_id) == {"a", "b"}
        proxy.cut()  # what hangs has hung long enough
        proxy.heal()
        proxy.release_answers()
        await ends_with(scene, "a")
    assert b.transfers(scene.app.call_id)[-1][:2] == ("in", "released")
    assert scene.watch.together > 0


async def test_an_acknowledgement_that_gets_lost_is_a_503_and_a_late_word_heals_it(rooms):
    """Two chats: one follows A's reactivation, the other writes to B, which it had followed."""
    a, b = rooms

    async def follows_a() -> None:
        async with handed_over(rooms) as scene:
            scene.app.lose_answers = {lmpe.START_TRANSFER: 1000}
            scene.hand_over()
            await until_state(b, scene, "uncertain")
            await until_state(a, scene, "failed")
            scene.app.lose_answers = {}
            await ends_with(scene, "a")
            assert b.transfers(scene.app.call_id)[-1][:2] == ("in", "released")

    async def follows_b() -> None:
        async with handed_over(rooms) as scene:
            scene.app.lose_answers = {lmpe.START_TRANSFER: 1000}
            scene.hand_over()
            await until_state(b, scene, "executing")
            await eventually(lambda: scene.app.next_target == b.uri, "it has B's 265", WITHIN)
            scene.app.answers = dict(DEAF)
            await until_state(b, scene, "uncertain")
            await until_state(a, scene, "failed", "done")
            scene.app.lose_answers = {}
            await scene.write("Seid ihr da?")
            assert await scene.healed() == "b"
            await scene.goes_on("b")
            failures = {failure.name for failure in scene.app.failures}
            assert failures - {Name.HEARTBEAT_LATE} == {Name.START_REFUSED}
            scene.app.failures.clear()
            scene.assert_all_is_well("b")
            assert a.transfers(scene.app.call_id)[-1][:2] == ("out", "done")

    await asyncio.gather(follows_a(), follows_b())


async def test_fifty_identical_executions_at_once_are_one_chat(rooms):
    """Red when the negotiation's row is not locked before its chat is made."""
    a, b = rooms
    async with RawSip(b.sip("udp")) as app:
        call_id = f"urn:emergency:uid:callid:{time.time_ns()}:app.example.org"
        host, port = app.local
        data = {"Version": 1, "AppUri": f"sip:anna@{host}:{port}", "Messages": []}
        executed = {"CallId": call_id, "MessageId": 4, "ExpiryTime": 20, "Data": data}
        asked = {"CallId": call_id, "TransferFrom": a.uri, "TransferTo": b.uri}

        def post(what: str, document: object) -> tuple[int, bytes]:
            peer_port = b.instance.environment.peer_port
            connection = PeerConnection(("127.0.0.1", peer_port), rooms.context(a))
            connection.host = "127.0.0.1"  # that its certificate names
            with connection:
                said = connection.post(what, document)
                return said.status, said.body

        status, body = await asyncio.to_thread(post, "negotiation", asked)
        assert (status, json.loads(body)["StatusCode"]) == (200, 202)
        with ThreadPoolExecutor(PARALLEL) as pool:
            loop = asyncio.get_running_loop()
            answers = await asyncio.gather(
                *(loop.run_in_executor(pool, post, "execution", executed) for _ in range(PARALLEL))
            )
    assert len({body for _, body in answers}) == 1
    assert json.loads(answers[0][1])["StatusCode"] == 200
    assert b.chat_id(call_id) is not None
    assert b.transfers(call_id) == [("in", "done", "")]
    assert {kind_of(request) for request in app.requests} == {lmpe.START_TRANSFER}
    assert len({request.header("call-id") for request in app.requests}) == 1


async def test_transfers_and_their_deadlines_need_no_redis(rooms):
    """One goes over, one is never followed, one is accepted and never handed over."""
    a, b = rooms
    with a.instance.held_down("redis"), b.instance.held_down("redis"):
        async with AsyncExitStack() as stack:
            over, unheard, waiting = [
                await stack.enter_async_context(handed_over(rooms)) for _ in range(3)
            ]
            set_execution_time(rooms, LONG)
            over.write_on()
            over.hand_over()
            await ends_with(over, "b")
            set_execution_time(rooms, EXPIRY)
            b.set_peer(a, expiry_time=EXPIRY)
            unheard.app.answers = dict(SILENT)
            unheard.write_on()
            unheard.hand_over()
            waiting.hand_over(at_once=False)
            await until_state(a, waiting, "accepted")
            for room in rooms:
                await until_state(room, waiting, "expired")
            await until_state(a, unheard, "failed")
            assert lateness(a, unheard, "failed", "execution_expires_at") < LATE
            unheard.app.answers = {}  # whosever 265 comes first now
            owner = await unheard.healed()
            await unheard.goes_on(owner)
            failures = {failure.name for failure in unheard.app.failures}
            assert failures <= {Name.START_REFUSED, Name.HEARTBEAT_LATE}
            unheard.app.failures.clear()
            unheard.assert_all_is_well(owner)
            await ends_with(waiting, "a")
            for room in rooms:
                assert lateness(room, waiting, "expired", "expires_at") < LATE
    b.set_peer(a, expiry_time=30)


def lateness(room: Room, scene: Handing, state: str, promised: str) -> float:
    """Return how many seconds after what was promised the latest attempt has ended."""
    [[late]] = room.instance.rows(
        f"SELECT extract(epoch FROM ended_at - {promised}) FROM chats_transfer"  # noqa: S608
        " WHERE call_id = %s AND state = %s",
        scene.app.call_id,
        state,
    )
    return float(late)


@pytest.mark.usefixtures("unhurried")
async def test_a_chat_that_goes_to_and_fro_ten_times_is_whole(rooms):
    a, b = rooms
    async with handed_over(rooms) as scene:
        scene.app.patient = True
        for number in range(10):
            there, here = (b, a) if number % 2 == 0 else (a, b)
            await scene.pass_on(here, there)
            await scene.write(f"Runde {number}")
        await ends_with(scene, "a")
        told = [m.msg_id for m in scene.app.received if m.msg_type == lmpe.START_TRANSFER]
    assert len(told) == 10
    assert told == sorted(set(told))
    for room in rooms:
        assert len(room.chat_ids(scene.app.call_id)) == 1


@contextmanager
def hung_peer() -> Iterator[str]:
    """A peer that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listener:
        yield f"https://127.0.0.1:{listener.getsockname()[1]}/"


@contextmanager
def held(room: Room, call_id: str) -> Iterator[None]:
    """Somebody has a chat's row locked."""
    with psycopg.connect(room.instance.environment.database_url) as holding:
        holding.execute("SELECT 1 FROM chats_chat WHERE call_id = %s FOR UPDATE", (call_id,))
        yield
        holding.rollback()


async def goes_over_in_time(rooms: Rooms) -> float:
    """Return how long a chat takes to be with B for good."""
    async with handed_over(rooms) as scene:
        began = time.monotonic()
        scene.hand_over()
        assert await scene.healed() == "b"
        took = time.monotonic() - began
        await scene.goes_on("b")
        scene.assert_all_is_well("b")
    return took


@pytest.mark.usefixtures("unhurried")
async def test_a_hung_peer_and_held_chats_delay_no_other_transfer(rooms):
    """Red when calls share a thread, or when a sweep waits for a row that somebody holds."""
    a, b = rooms
    alone = await goes_over_in_time(rooms)
    a.instance.execute(
        "INSERT INTO psap_peer (name, uris, agreement, url, certificate_names)"
        " VALUES ('hung', 'sip:hung@127.0.0.1', true, %s, '')",
        ["https://127.0.0.1:9/"],
    )
    [[peer]] = a.instance.rows("SELECT id FROM psap_peer WHERE name = 'hung'")
    async with AsyncExitStack() as stack:
        url = stack.enter_context(hung_peer())
        a.instance.execute("UPDATE psap_peer SET url = %s WHERE id = %s", [url, peer])
        hanging, at_a, at_b = [
            await stack.enter_async_context(handed_over(rooms)) for _ in range(3)
        ]
        hanging.hand_over(peer=str(peer))
        for scene in (at_a, at_b):
            scene.app.answers = dict(SILENT)
            scene.hand_over()
            await until_state(b, scene, "executing")
            await until_state(a, scene, "executing")
        with held(a, at_a.app.call_id), held(b, at_b.app.call_id):
            for scene in (at_a, at_b):
                scene.app.answers = {}
            times = [await goes_over_in_time(rooms) for _ in range(3)]
            assert a.transfers(hanging.app.call_id)[-1][1] == "negotiating"
            assert a.transfers(at_a.app.call_id)[-1][1] == "executing"
            assert b.transfers(at_b.app.call_id)[-1][1] == "executing"
        for scene in (at_a, at_b):
            await ends_with(scene, "b")
        a.instance.execute(
            "UPDATE psap_peer SET url = 'https://127.0.0.1:9/' WHERE id = %s", [peer]
        )
    assert min(times) < alone + DELAY, (alone, times)
