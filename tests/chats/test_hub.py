"""The hub: every committed event once, whatever else goes on in the database or with Redis."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Iterator

import pytest
from django.db import connection, transaction
from pytest_django import Settings

from chats import event_reader, wakeup
from chats import hub as hub_module
from chats.database_threads import DatabaseThreads, database_threads
from chats.frames import Frame
from chats.hub import Feed, Hub
from tests.support.chats import open_chat, receive_message

in_database = database_threads.run
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
async def hub() -> AsyncIterator[Hub]:
    yield Hub()


@pytest.fixture
async def feed(hub: Hub) -> AsyncIterator[Feed]:
    feed = hub.feed()
    await hub.following()
    yield feed
    hub.leave(feed)


async def events(feed: Feed, count: int, seconds: float = 5.0) -> list[tuple[int, int]]:
    """Return (chat, seq) of the next events, as many as wanted."""
    taken: list[tuple[int, int]] = []
    async with asyncio.timeout(seconds):
        while len(taken) < count:
            frames = [f for f in await feed.take() if isinstance(f, Frame)]
            taken += [(frame.chat_id, frame.seq) for frame in frames]
    return taken


async def test_a_transaction_that_stays_open_holds_back_no_other_chat(feed: Feed):
    chat = await in_database(open_chat)
    assert await events(feed, 1) == [(chat.pk, 1)]
    slow = await in_database(open_chat)
    assert await events(feed, 1) == [(slow.pk, 1)]
    loop, written, finish = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()

    def write_slowly() -> None:
        with transaction.atomic():
            receive_message(slow, "written first, committed last")
            loop.call_soon_threadsafe(written.set)
            asyncio.run_coroutine_threadsafe(finish.wait(), loop).result()

    writer = DatabaseThreads(1)
    writing = asyncio.create_task(writer.run(write_slowly))
    await written.wait()
    for number in range(3):
        await in_database(receive_message, chat, f"text {number}")
    assert await events(feed, 3) == [(chat.pk, 2), (chat.pk, 3), (chat.pk, 4)]
    finish.set()
    await writing
    assert await events(feed, 1) == [(slow.pk, 2)]
    writer.close()


async def test_what_is_rolled_back_is_never_shown(feed: Feed):
    chat = await in_database(open_chat)

    def write_and_fail() -> None:
        with transaction.atomic():
            receive_message(chat, "never happened")
            transaction.set_rollback(True)

    await in_database(write_and_fail)
    await in_database(receive_message, chat, "happened")
    assert await events(feed, 2) == [(chat.pk, 1), (chat.pk, 2)]


async def test_nothing_is_missed_while_the_database_was_away(
    feed: Feed, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(hub_module, "RECONNECT_AFTER", 0.2)
    chat = await in_database(open_chat)
    await events(feed, 1)

    def cut_off_the_hub_and_write() -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'leitstand hub' AND datname = current_database()"
            )
            assert cursor.fetchone() == (True,)
        receive_message(chat, "meanwhile")

    await in_database(cut_off_the_hub_and_write)
    assert await events(feed, 1) == [(chat.pk, 2)]


async def test_the_hub_ends_with_its_last_feed_whatever_it_is_doing(hub: Hub):
    for pause in range(30):
        feed = hub.feed()
        await hub.following()
        tasks = hub.tasks
        wakeup.publish(wakeup.EVENTS)
        await asyncio.sleep(pause / 5000)
        hub.leave(feed)
        _, still_running = await asyncio.wait(tasks, timeout=5)
        assert not still_running


async def test_all_feeds_get_the_same_text_object(hub: Hub, feed: Feed):
    other = hub.feed()
    await in_database(open_chat)
    (first,), (second,) = await feed.take(), await other.take()
    assert first.text is second.text
    hub.leave(other)


async def test_a_feed_that_nobody_takes_from_ends_instead_of_growing(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(hub_module, "LONGEST_FEED", 3)
    feed = Feed()
    for _ in range(10):
        feed.offer(["frame"])
    assert feed.overflowed
    assert len(await feed.take()) <= 4


async def test_signs_of_life_are_told_when_they_change(feed: Feed, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(hub_module, "SIGNS_EVERY", 0.05)
    chat = await in_database(open_chat)
    await events(feed, 1)
    await in_database(_sign, chat.pk)
    wanted = f'"chats":{{"{chat.pk}":"2026-01-31T12:00:40.250000Z"}}'
    async with asyncio.timeout(5):
        while not any(isinstance(frame, str) and wanted in frame for frame in await feed.take()):
            pass


def _sign(chat_id: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE chats_chat SET last_sign_of_life = last_sign_of_life + interval '40 seconds'"
            " WHERE id = %s",
            [chat_id],
        )
    wakeup.publish(wakeup.EVENTS)


@pytest.fixture
def hung_redis(settings: Settings) -> Iterator[None]:
    """A Redis that accepts connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        settings.REDIS_URL = f"redis://127.0.0.1:{server.getsockname()[1]}"
        yield


@pytest.fixture
def dead_redis(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        settings.REDIS_URL = f"redis://127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.parametrize("outage", ["hung_redis", "dead_redis"])
async def test_without_redis_events_still_come(
    outage: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
):
    request.getfixturevalue(outage)
    monkeypatch.setattr(wakeup, "_publisher", None)
    hub = Hub()
    feed = hub.feed()
    await hub.following()
    chat = await in_database(open_chat)
    assert await events(feed, 1, seconds=8) == [(chat.pk, 1)]
    await in_database(receive_message, chat, "help")
    assert await events(feed, 1, seconds=8) == [(chat.pk, 2)]
    hub.leave(feed)


@pytest.mark.parametrize("outage", ["hung_redis", "dead_redis"])
def test_publishing_never_waits_for_redis(
    outage: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
):
    request.getfixturevalue(outage)
    monkeypatch.setattr(wakeup, "_publisher", None)
    started = time.monotonic()
    for _ in range(100):  # with a wait for each it would be ten seconds
        wakeup.publish(wakeup.EVENTS)
    assert time.monotonic() - started < 2.0


async def test_after_more_than_can_be_told_consoles_start_over_and_the_hub_goes_on(
    hub: Hub, feed: Feed, monkeypatch: pytest.MonkeyPatch
):
    """Red when all of a backlog is read at once: after a long outage it fitted into no memory."""
    monkeypatch.setattr(event_reader, "LONGEST_READ", 10)
    chat = await in_database(open_chat)
    await events(feed, 1)

    def write_many() -> None:
        with transaction.atomic():
            for number in range(12):
                receive_message(chat, f"Text {number}")

    await in_database(write_many)
    async with asyncio.timeout(5):
        while not feed.overflowed:
            await feed.take()
    fresh = hub.feed()
    other = await in_database(open_chat)
    assert await events(fresh, 1) == [(other.pk, 1)]
    hub.leave(fresh)
