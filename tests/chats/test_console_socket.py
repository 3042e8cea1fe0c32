"""The WebSocket of a console, spoken to as a browser would."""

import asyncio
import json

import pytest
from django.contrib.sessions.models import Session as LoginSession
from django.db import transaction

from chats import consumers
from chats.database_threads import DatabaseThreads, database_threads
from chats.frames import batches
from chats.models import Chat
from psap.models import ADMINISTRATOR, SUPERVISOR, User
from tests.support.chats import make_psap, make_user, open_chat, receive_message
from tests.support.console import Console, console, log_in

in_database = database_threads.run
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def chat() -> Chat:
    make_psap()
    return open_chat("help", "are you there?")


@pytest.fixture
def desk(anna: User) -> str:
    return log_in(anna)


@pytest.fixture
def other_desk(berta: User) -> str:
    return log_in(berta)


async def test_a_console_starts_from_a_snapshot_of_the_queue(chat: Chat, desk: str):
    async with console(desk) as screen:
        snapshot = await screen.event("snapshot")
    assert snapshot["you"]["username"] == "anna"
    assert snapshot["you"]["roles"] == ["call-taker"]
    assert "claim" in snapshot["you"]["commands"]
    assert snapshot["psap"]["name"] == "Leitstelle Test"
    assert {"value": "resolved", "label": "Resolved"} in snapshot["psap"]["dispositions"]
    (card,) = snapshot["chats"]
    assert (card["chat"], card["seq"], card["preview"]) == (str(chat.pk), 3, "are you there?")
    assert (card["messages"], card["owner"], card["fix"]) == (2, None, None)
    assert card["ringingSince"] == "2026-01-31T12:00:00.250000Z"


async def test_what_arrives_is_shown_with_everything_that_it_brought(chat: Chat, desk: str):
    async with console(desk) as screen:
        await screen.event("snapshot")
        await in_database(
            receive_message,
            chat,
            "I am here",
            msg_id=3,
            parts=[b"I am here"],
            position=(48.2, 16.37),
            additional=[("SubscriberInfo", {"name": "Anna"})],
        )
        event = await screen.event("message-received")
    assert (event["chat"], event["seq"], event["actor"]) == (str(chat.pk), 4, "caller")
    assert event["message"]["text"] == "I am here"
    assert event["message"]["parts"][0]["size"] == 9
    (fix,) = event["fixes"]
    assert (fix["lat"], fix["lon"], fix["msgId"]) == (48.2, 16.37, 3)
    assert fix["messageId"] == event["message"]["id"]
    (data,) = event["additionalData"]
    assert (data["kind"], data["name"]) == ("SubscriberInfo", "Anna")
    assert (event["card"]["seq"], event["card"]["preview"]) == (4, "I am here")
    assert event["card"]["fix"] == fix


async def test_a_chat_is_claimed_answered_and_closed_and_others_see_it(
    chat: Chat, desk: str, other_desk: str
):
    async with console(desk) as mine, console(other_desk) as other:
        await other.event("snapshot")
        assert (await mine.command("claim", chat=str(chat.pk)))["ok"]
        claimed = await other.event("chat-claimed")
        assert claimed["card"]["owner"] == {"username": "anna", "name": "Anna"}
        lost = await other.command("claim", chat=str(chat.pk))
        assert (lost["ok"], lost["code"]) == (False, "chat-already-owned")
        assert lost["owner"] == {"username": "anna", "name": "Anna"}
        sent = await mine.command("send", chat=str(chat.pk), text="Where are you?")
        queued = await other.event("message-queued")
        assert queued["message"]["id"] == sent["message"]
        assert queued["message"]["author"]["username"] == "anna"
        closed = await mine.command("close", chat=str(chat.pk), disposition="test", text="Bye")
        assert closed["ok"]
        assert (await other.event("chat-closed"))["card"]["disposition"] == "test"


async def test_a_repeated_command_gets_the_first_reply_on_another_socket_too(chat: Chat, desk: str):
    async with console(desk) as before, console(desk) as after:
        await before.command("claim", chat=str(chat.pk))
        send = {"id": "once", "chat": str(chat.pk), "text": "hello"}
        assert await before.command("send", **send) == await after.command("send", **send)
    assert await in_database(Chat.objects.filter(messages__direction="out").count) == 1


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ("no json", "bad-request"),
        ("[1]", "bad-request"),
        ('{"do":"claim"}', "bad-request"),
        ('{"id":"\\ud800","do":"claim","chat":"1"}', "bad-request"),
        ('{"id":"1","do":"claim","chat":"one"}', "bad-request"),
        ('{"id":"1","do":"send","chat":"1"}', "bad-request"),
        ('{"id":"1","do":"catch-up","seen":{"1":"x"}}', "bad-request"),
        ('{"id":"1","do":"dance"}', "unknown-command"),
        ('{"id":"1","do":"claim","chat":"99999999999999999999"}', "bad-request"),
        ('{"id":"1","do":"claim","chat":"9999999999999999999"}', "chat-unknown"),
        ("[" * 100_000, "bad-request"),
    ],
)
async def test_a_bad_frame_is_answered_and_the_console_goes_on(
    chat: Chat, desk: str, frame: str, code: str
):
    async with console(desk) as screen:
        await screen.say_text(frame)
        assert (await screen.until(lambda reply: "re" in reply))["code"] == code
        assert (await screen.command("claim", chat=str(chat.pk)))["ok"]


async def test_supervisors_command_as_call_takers_do(chat: Chat):
    desk = await in_database(lambda: log_in(make_user("clara", SUPERVISOR)))
    async with console(desk) as screen:
        assert (await screen.command("claim", chat=str(chat.pk)))["ok"]


async def test_administrators_see_no_chats(chat: Chat):
    desk = await in_database(lambda: log_in(make_user("dora", ADMINISTRATOR)))
    async with console(desk) as screen:
        assert await screen.read() == {"closed": 4403}


async def test_a_command_after_the_role_was_lost_is_forbidden(chat: Chat, desk: str, anna: User):
    async with console(desk) as screen:
        await screen.event("snapshot")
        await in_database(anna.groups.clear)
        assert (await screen.command("claim", chat=str(chat.pk)))["code"] == "forbidden"


@pytest.mark.parametrize("session", [None, "0" * 32])
async def test_nobody_is_let_in_without_a_login(chat: Chat, session: str | None):
    async with console(session) as screen:
        assert await screen.read() == {"closed": 4401}


async def test_a_page_of_another_origin_is_refused(desk: str):
    assert not await Console(desk, origin="https://evil.example").connect()


async def test_a_command_after_logging_out_closes_the_console(chat: Chat, desk: str):
    async with console(desk) as screen:
        await screen.event("snapshot")
        await in_database(LoginSession.objects.all().delete)
        await screen.say(do="claim", chat=str(chat.pk))
        assert (await screen.until(lambda frame: "closed" in frame))["closed"] == 4401
    assert not await in_database(Chat.objects.filter(owner__isnull=False).exists)


async def test_a_deactivated_user_is_noticed_without_a_command(
    chat: Chat, desk: str, anna: User, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(consumers, "CHECK_SESSION_EVERY", 0.05)
    async with console(desk) as screen:
        await screen.event("snapshot")
        await in_database(lambda: User.objects.update(is_active=False))
        assert (await screen.until(lambda frame: "closed" in frame))["closed"] == 4401


async def test_a_console_that_answers_no_ping_is_closed(
    chat: Chat, desk: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(consumers, "PING_EVERY", 0.02)
    monkeypatch.setattr(consumers, "PONG_WITHIN", 0.1)
    async with console(desk) as screen:
        assert (await screen.until(lambda frame: "closed" in frame))["closed"] == 4408


async def test_a_pong_renews_the_leases_of_the_desk(
    chat: Chat, desk: str, monkeypatch: pytest.MonkeyPatch
):
    loop = asyncio.get_running_loop()
    async with console(desk) as screen:
        await screen.event("snapshot")
        renewed = asyncio.Event()
        monkeypatch.setattr(
            consumers, "renew_leases", lambda **_: loop.call_soon_threadsafe(renewed.set)
        )
        await screen.say_text('{"do":"pong"}')
        await asyncio.wait_for(renewed.wait(), 5)


async def test_catch_up_replays_what_was_missed_in_order_before_what_follows(chat: Chat, desk: str):
    async with console(desk) as screen:
        await screen.event("snapshot")
        await in_database(receive_message, chat, "during the gap")
        reply = await screen.command("catch-up", seen={str(chat.pk): 1})
        assert (reply["ok"], reply["more"]) == (True, False)
        await in_database(receive_message, chat, "afterwards")
        await screen.until(lambda frame: frame.get("seq") == 5)
    events = [frame for frame in screen.frames if "seq" in frame]
    assert [event["seq"] for event in events] == [2, 3, 4, 5]
    texts = [event["message"]["text"] for event in events]
    assert texts == ["help", "are you there?", "during the gap", "afterwards"]


async def test_a_client_that_takes_batches_gets_together_what_came_together(chat: Chat, desk: str):
    def write() -> None:
        with transaction.atomic():
            for number in range(5):
                receive_message(chat, f"text {number}")

    async with console(desk, "?batch=1") as batched, console(desk) as single:
        for screen in (batched, single):
            await screen.event("snapshot")
            await screen.say_text('{"do":"pong"}')
        await in_database(write)
        batch = await batched.event("batch")
        await single.until(lambda frame: frame.get("seq") == 8)
    apart = [frame for frame in single.frames if "seq" in frame]
    assert [event["seq"] for event in batch["events"]] == [4, 5, 6, 7, 8]
    assert batch["events"] == apart


async def test_a_replay_comes_in_batches_too_and_before_its_reply(chat: Chat, desk: str):
    async with console(desk, "?batch=1") as screen:
        await screen.event("snapshot")
        await screen.command("catch-up", seen={str(chat.pk): 1})
    (batch,) = [frame for frame in screen.frames if frame.get("ev") == "batch"]
    assert [event["seq"] for event in batch["events"]] == [2, 3]


def test_one_frame_is_no_batch_and_many_are_several():
    assert list(batches(["{}"])) == ["{}"]
    together = [json.loads(text) for text in batches([f'{{"seq":{n}}}' for n in range(450)])]
    assert [len(batch["events"]) for batch in together] == [200, 200, 50]
    assert [event["seq"] for batch in together for event in batch["events"]] == list(range(450))


async def test_no_event_falls_between_snapshot_and_feed(chat: Chat, desk: str):
    """Events are committed all the while consoles connect; each sees each of them once."""
    count = 60

    def write() -> None:
        for number in range(count):
            receive_message(chat, f"text {number}")

    writing = asyncio.create_task(in_database(write))
    screens = [Console(desk) for _ in range(8)]
    for screen in screens:
        assert await screen.connect()
        await screen.say_text('{"do":"pong"}')
    await writing
    last = 3 + count
    for screen in screens:
        card = (await screen.event("snapshot"))["chats"][0]
        seen = [card["seq"]]
        while seen[-1] < last:
            seen.append((await screen.until(lambda frame: "seq" in frame))["seq"])
        assert seen == list(range(seen[0], last + 1))
        await screen.disconnect()


async def test_a_locked_chat_delays_neither_commands_of_other_chats_nor_events(
    chat: Chat, desk: str, other_desk: str
):
    free, arriving = [await in_database(open_chat, "help") for _ in range(2)]
    locked, release = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def hold() -> None:
        with transaction.atomic():
            Chat.objects.select_for_update().get(pk=chat.pk)
            loop.call_soon_threadsafe(locked.set)
            asyncio.run_coroutine_threadsafe(release.wait(), loop).result()

    holder = DatabaseThreads(1)
    holding = asyncio.create_task(holder.run(hold))
    await locked.wait()
    async with console(desk) as stuck, console(other_desk) as screen:
        waiting = [await stuck.say(do="claim", chat=str(chat.pk)) for _ in range(20)]
        async with asyncio.timeout(2):
            assert (await screen.command("claim", chat=str(free.pk)))["ok"]
            assert (await stuck.command("claim", chat=str(free.pk)))["code"] == "chat-already-owned"
            await in_database(receive_message, arriving, "news")
            await screen.event("message-received")
        assert not [frame for frame in stuck.frames if frame.get("re") in waiting]
        release.set()
        await holding
        first = await stuck.until(lambda frame: frame.get("re") in waiting)
        assert first["ok"]
    holder.close()
