"""Whole control rooms, each others' peers over mutual TLS: chats are handed over and go on."""

from collections.abc import Iterator
from contextlib import AsyncExitStack

import pytest

from sipgateway.simulator import enclosures, lmpe
from sipgateway.simulator.app import SimulatedApp
from tests.support.eventually import eventually
from tests.support.live_console import LiveConsole
from tests.support.rooms import (
    OF_TRANSFERS,
    Room,
    Rooms,
    accept,
    decline,
    offer,
    offered,
    open_chat,
)

pytestmark = pytest.mark.together("rooms")

HANDED_OVER = 30.0
SAME_OF_A_MESSAGE = ("direction", "type", "msgId", "text", "at", "role", "parts")


@pytest.fixture(scope="module", autouse=True)
def chains_hold(rooms: Rooms) -> Iterator[None]:
    """In the end the chains of all chats of these tests hold, in every room."""
    before = [room.latest_chat() for room in rooms]
    yield
    assert sum(room.verify_all(after) for room, after in zip(rooms, before, strict=True)) > 0


async def hand_over(
    app: SimulatedApp, here: LiveConsole, room: Room, there: LiveConsole, to: Room
) -> None:
    """Have a chat of one room offered, accepted and taken over; its app follows."""
    so_far = len(app.counters.transfer_gaps)
    chat = str(room.chat_id(app.call_id))
    await offer(here, chat, room, to)
    await accept(there, app.call_id)
    await eventually(
        lambda: len(app.counters.transfer_gaps) > so_far, "the app has its 265", HANDED_OVER
    )
    await handed_over(app, room, to)


async def handed_over(app: SimulatedApp, room: Room, to: Room) -> None:
    """Wait until both rooms know that the chat has gone over."""
    await eventually(
        lambda: (room.session(app.call_id), to.session(app.call_id)) == ("transferred", "open"),
        "both know",
        HANDED_OVER,
    )
    assert app.next_target == to.uri


def column(room: Room, app: SimulatedApp, name: str) -> object:
    """Return a column of a room's chat."""
    chat = room.chat_id(app.call_id)
    return room.instance.rows(f"SELECT {name} FROM chats_chat WHERE id = %s", chat)[0][0]  # noqa: S608


async def talk(app: SimulatedApp, desk: LiveConsole, room: Room, text: str) -> None:
    """Have the caller write and the call-taker of a room answer."""
    assert (await app.say(text)).status == 200
    await desk.shows(text)
    chat = str(room.chat_id(app.call_id))
    assert (await desk.command("send", chat=chat, text=f"Zu: {text}"))["ok"]
    await app.wait_for(lambda m: m.text == f"Zu: {text}")


@pytest.mark.parametrize("transport", ["tcp", "udp"])
@pytest.mark.conformance("5.4-6", "6.2.6-1", "6.2.6-2", "6.2.6-3", "6.2.6-4", "6.2.6-5")
@pytest.mark.conformance("6.2.6-6", "6.2.6-7", "6.2.6-9", "6.2.6-10", "6.2.6-11", "6.2.6-13")
@pytest.mark.conformance("6.3.1-1", "6.3.4-1")
async def test_a_chat_is_offered_accepted_and_goes_on_at_the_other_room(rooms, transport):
    a, b = rooms.transferor, rooms.transferee
    async with rooms.app(transport) as app, a.desk() as here, b.desk() as there:
        await open_chat(app, here)
        await talk(app, here, a, "Es brennt")
        await hand_over(app, here, a, there, b)
        await talk(app, there, b, "Im zweiten Stock")
        last = max(m.msg_id or 0 for m in app.received if m.text.startswith("Zu: Es"))
        stop, start = [
            next(m for m in app.received if m.msg_type == kind)
            for kind in (lmpe.STOP_TRANSFER, lmpe.START_TRANSFER)
        ]

    assert app.failures == []
    assert (stop.reply_to, stop.msg_id, stop.text) == (a.uri, last, "Wir übergeben Sie.")
    assert (start.reply_to, start.msg_id) == (b.uri, last + 1)
    assert start.text
    assert rooms.custody(app.call_id) == {"b"}
    assert a.transfers(app.call_id) == [("out", "done", "")]
    assert b.transfers(app.call_id) == [("in", "done", "")]
    assert column(a, app, "gone_to") == b.uri
    assert column(b, app, "came_from") == a.uri


@pytest.mark.conformance("6.3.1-2", "6.3.3-2")
async def test_all_that_was_said_shown_and_known_is_the_same_at_the_other_room(rooms):
    a, b = rooms.transferor, rooms.transferee
    async with rooms.app() as app, a.desk() as here, b.desk() as there:
        await open_chat(app, here, "Grüß Gott 🚑 <b>Hilfe</b>")
        await app.say("Ein Bild", enclosed=[enclosures.picture(), enclosures.file()])
        await app.say("Der Betreiber", enclosed=[enclosures.provider(), enclosures.service()])
        app.move(48.2, 16.37, 25.0)
        await talk(app, here, a, "Ich gehe hinaus")
        app.walk()
        await app.heartbeat()
        await hand_over(app, here, a, there, b)
        ours, theirs = a.export(app.call_id), b.export(app.call_id)

    def same(export):
        return [
            {name: message[name] for name in SAME_OF_A_MESSAGE}
            for message in export["messages"]
            if message["type"] not in OF_TRANSFERS
        ]

    assert len(same(ours)) >= 6
    assert same(theirs) == same(ours)
    assert len(ours["locations"]) >= 3
    assert theirs["locations"] == ours["locations"]
    assert {data["kind"] for data in ours["additionalData"]} >= {"ProviderInfo", "SubscriberInfo"}
    assert theirs["additionalData"] == ours["additionalData"]
    for name in ("caller", "callId", "service", "openedAt", "priority", "silent", "test"):
        assert theirs[name] == ours[name], name
    assert attachments(b, app) == attachments(a, app)
    assert len(attachments(a, app)) >= 4


def attachments(room: Room, app: SimulatedApp) -> list[tuple]:
    """Return type, name, digest and content of the parts of the app's messages."""
    return [
        (kind, name, bytes(digest), bytes(content))
        for kind, name, digest, content in room.instance.rows(
            "SELECT p.content_type, p.name, p.sha256, p.content FROM chats_bodypart p"
            " JOIN chats_message m ON m.id = p.message_id"
            " WHERE m.chat_id = %s AND m.direction = 'in' ORDER BY p.sha256, p.id",
            room.chat_id(app.call_id),
        )
    ]


@pytest.mark.conformance("6.3.4-2")
async def test_what_the_app_writes_to_us_after_its_266_follows_in_order(rooms):
    """Its user does not wait, its acknowledgement of the 265 is late; no call-taker can write."""
    a, b = rooms.transferor, rooms.transferee
    async with rooms.app("udp") as app, a.desk() as here, b.desk() as there:
        app.patient = False
        chat = await open_chat(app, here)
        app.answers = {lmpe.START_TRANSFER: None}
        await offer(here, chat, a, b)
        await accept(there, app.call_id)
        await eventually(lambda: b.session(app.call_id) == "arriving", "B has begun", HANDED_OVER)
        assert (await here.command("send", chat=chat, text="Zu spät"))["code"] == "session-not-open"
        there_too = str(b.chat_id(app.call_id))
        refused = await there.command("send", chat=there_too, text="Zu früh")
        assert refused["code"] == "session-not-open"
        late = [f"Noch {number}" for number in range(5)]
        for text in late:
            assert (await app.say(text)).status == 200
        await here.shows(late[-1])
        assert rooms.custody(app.call_id) == {"a", "b"}
        for room, side in ((a, "out"), (b, "in")):
            assert room.transfers(app.call_id) == [(side, "executing", "")]
            assert seconds_left(room, app) > 0
        app.answers = {}
        await handed_over(app, a, b)
        for text in late:
            await there.shows(text)
        assert there.texts(b.chat_id(app.call_id))[-len(late) :] == late
        await talk(app, there, b, "Nun bei B")
    assert rooms.custody(app.call_id) == {"b"}
    assert b.texts(app.call_id)[-2 - len(late) :] == [*late, "Nun bei B", "Zu: Nun bei B"]


def seconds_left(room: Room, app: SimulatedApp) -> float:
    """Return how long the execution under way may still take, by a room's clock."""
    [[left]] = room.instance.rows(
        "SELECT extract(epoch FROM execution_expires_at - now()) FROM chats_transfer"
        " WHERE call_id = %s ORDER BY id DESC LIMIT 1",
        app.call_id,
    )
    return float(left)


async def test_a_chat_goes_on_to_a_third_room_with_what_has_grown_meanwhile(rooms):
    a, b, c = rooms
    async with AsyncExitStack() as stack:
        app = await stack.enter_async_context(rooms.app())
        desks = [await stack.enter_async_context(room.desk()) for room in rooms]
        await open_chat(app, desks[0], "Bei A")
        await hand_over(app, desks[0], a, desks[1], b)
        await talk(app, desks[1], b, "Bei B")
        await hand_over(app, desks[1], b, desks[2], c)
        await talk(app, desks[2], c, "Bei C")
    assert app.failures == []
    assert rooms.custody(app.call_id) == {"c"}
    assert c.texts(app.call_id)[-4:] == ["Bei B", "Zu: Bei B", "Bei C", "Zu: Bei C"]
    assert c.texts(app.call_id)[: len(b.texts(app.call_id))] == b.texts(app.call_id)
    assert [psap["uri"] for psap in c.export(app.call_id)["psaps"]] == [a.uri, b.uri]
    assert {m["psap"] for m in c.export(app.call_id)["messages"]} == {a.uri, b.uri, ""}


async def test_a_chat_comes_back_and_nothing_of_it_is_there_twice(rooms):
    a, b = rooms.transferor, rooms.transferee
    async with rooms.app() as app, a.desk() as here, b.desk() as there:
        await open_chat(app, here, "Zuerst bei A")
        await hand_over(app, here, a, there, b)
        await talk(app, there, b, "Bei B")
        await hand_over(app, there, b, here, a)
        await talk(app, here, a, "Wieder bei A")
    assert app.failures == []
    assert rooms.custody(app.call_id) == {"a"}
    texts = a.texts(app.call_id)
    assert len(texts) == len(set(texts))
    assert texts[:1] == ["Zuerst bei A"]
    assert texts[-4:] == ["Bei B", "Zu: Bei B", "Wieder bei A", "Zu: Wieder bei A"]
    assert texts[: len(b.texts(app.call_id))] == b.texts(app.call_id)


async def test_an_offer_that_is_called_off_rings_no_more(rooms):
    a, b = rooms.transferor, rooms.transferee
    async with rooms.app() as app, a.desk() as here, b.desk() as there:
        chat = await open_chat(app, here)
        await offer(here, chat, a, b)
        await offered(there, app.call_id)
        assert (await here.command("take-back", chat=chat))["ok"]
        frame = await there.until(
            lambda f: any(one["callId"] == app.call_id for one in f.get("ended", ()))
        )
        await talk(app, here, a, "Doch bei A")
    (ended,) = (one for one in frame["ended"] if one["callId"] == app.call_id)
    assert (ended["state"], ended["cause"]) == ("cancelled", "It was called off by a.")
    assert app.failures == []
    assert rooms.custody(app.call_id) == {"a"}


async def test_a_declined_offer_leaves_the_chat_where_it_is(rooms):
    a, b = rooms.transferor, rooms.transferee
    async with rooms.app() as app, a.desk() as here, b.desk() as there:
        chat = await open_chat(app, here)
        await offer(here, chat, a, b)
        await decline(there, app.call_id, "Kein Platz")
        refused = await here.until(
            lambda f: f.get("ev") == "transfer-declined" and f.get("chat") == chat
        )
        await talk(app, here, a, "Noch immer da")
    assert refused["card"]["transfer"]["cause"] == "Kein Platz"
    assert app.failures == []
    assert not [m for m in app.received if m.msg_type in OF_TRANSFERS]
    assert rooms.custody(app.call_id) == {"a"}
    assert b.chat_ids(app.call_id) == []
