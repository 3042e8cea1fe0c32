"""Chores of the gateway that depend on time, with a clock of the test's own."""

import asyncio
import threading
from contextlib import asynccontextmanager

from sipgateway import desks
from sipgateway.database import Database
from sipgateway.housekeeping import Housekeeping
from sipgateway.presence import Presence


@asynccontextmanager
async def housekeeping(record, clock):
    database = Database(record.database_url, "test")
    yield Housekeeping(
        database,
        Presence(),
        name="test:1",
        take_up=lambda messages: None,
        projector_is_busy=lambda: False,
        chats_changed=lambda: None,
        outbox_filled=lambda: None,
        expire_leases=None,
        clock=lambda: clock[0],
    )
    await database.close()


async def test_no_lease_ends_while_or_shortly_after_postgresql_was_away(record):
    """Red when only the web's beat counts: after an outage all chats rang at desks that had them,
    since the sweep came before the first answer to a ping."""
    clock = [1000.0]
    async with housekeeping(record, clock) as chores:
        assert not chores.desks_could_answer()
        await chores._beat()
        assert chores.desks_could_answer()
        clock[0] += 30
        assert not chores.desks_could_answer()
        await chores._beat()
        assert not chores.desks_could_answer()
        for _ in range(15):
            clock[0] += 1
            await chores._beat()
        assert chores.desks_could_answer()


async def test_slow_name_servers_do_not_keep_leases_from_ending(monkeypatch):
    """Red when leases share the loop's threads with getaddrinfo."""
    monkeypatch.setattr(desks, "_expire", lambda: 7)
    answer = threading.Event()
    waiting = [asyncio.create_task(asyncio.to_thread(answer.wait, 20)) for _ in range(64)]
    try:
        await asyncio.sleep(0)
        async with asyncio.timeout(2):
            assert await desks.expire_desk_leases() == 7
    finally:
        answer.set()
        await asyncio.gather(*waiting)
