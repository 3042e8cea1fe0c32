"""Messages of a chat come onto its record once and in their order, whatever is in their way."""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import psycopg

from chats.services.incoming import IncomingMessage, Projection
from sipgateway.configuration import Configuration
from sipgateway.database import Database, Result
from sipgateway.projector import Projector
from sipgateway.unprojected import load_unprojected
from tests.support.caller import Caller
from tests.support.eventually import eventually
from tests.support.record import Record

REFUSE = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'poison' USING ERRCODE = 'data_exception'; END $$;
CREATE TRIGGER poison BEFORE INSERT ON chats_message FOR EACH ROW WHEN (NEW.text = 'Gift')
    EXECUTE FUNCTION refuse()
"""


class BusyDatabase(Database):
    """Somebody holds all chats while the work of one number is tried."""

    def __init__(self, url: str) -> None:
        super().__init__(url, "projector")
        self._url_of_holder = url
        self.held_at = 0
        self.tried = 0

    async def retry(self, work: Callable[[], Awaitable[Result]]) -> Result:
        self.tried += 1
        if self.tried != self.held_at:
            return await super().retry(work)
        with psycopg.connect(self._url_of_holder) as holding:
            holding.execute("SELECT FROM chats_chat FOR UPDATE")
            result = await super().retry(work)
            holding.rollback()
        return result


@asynccontextmanager
async def projecting(
    database: Database,
    *,
    projected: Callable[[Projection], None] = lambda projection: None,
    clock: Callable[[], float] = time.monotonic,
) -> AsyncIterator[Projector]:
    projector = Projector(database, configuration=Configuration, projected=projected, clock=clock)
    running = asyncio.create_task(projector.run())
    try:
        yield projector
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await database.close()


def journal(record: Record, caller: Caller, *messages: bytes) -> None:
    for raw in messages:
        record.rows(
            "INSERT INTO chats_journal (received_at, trunk, transport, peer, request_key, call_id,"
            " raw) VALUES (now(), 'default', 'tcp', '127.0.0.1:5060', %s, %s, %s)",
            hashlib.sha256(raw).digest()[:16],
            caller.call_id,
            raw,
        )


async def unprojected(database: Database, caller: Caller) -> list[IncomingMessage]:
    found = await load_unprojected(
        await database.connection(),
        after=0,
        before=datetime.now(UTC),
        configuration=Configuration(),
    )
    return [message for message in found if message.unique_part == caller.unique_part]


async def on_record(record: Record, caller: Caller, *texts: str) -> None:
    """Wait until so many are there; they must be these, in this order."""
    await eventually(
        lambda: len(record.texts_in(caller.call_id)) >= len(texts), "all are on the chat", 15
    )
    assert record.texts_in(caller.call_id) == list(texts)


async def test_none_overtakes_the_others_of_its_chat_when_a_batch_is_halved_and_the_chat_held(
    record,
):
    """Red when the later half of a batch does not go behind the earlier that waits."""
    database, caller = BusyDatabase(record.database_url), Caller()
    async with projecting(database) as projector:
        journal(record, caller, caller.start("Hilfe!"))
        projector.take_up(await unprojected(database, caller))
        await on_record(record, caller, "Hilfe!")
        record.rows(REFUSE)
        try:
            told = [caller.say(text) for text in ("eins", "zwei", "drei", "Gift", "vier")]
            journal(record, caller, *told)
            database.held_at = database.tried + 2  # the first half, after all was refused
            projector.take_up(await unprojected(database, caller))
            await on_record(record, caller, "Hilfe!", "eins", "zwei", "drei", "vier")
            assert database.tried > database.held_at
        finally:
            record.rows("DROP FUNCTION refuse CASCADE")


async def test_what_is_there_twice_is_dropped_at_once(record):
    """Sent again while the first was on its way. Red when the batch is halved for it instead."""
    database, caller = BusyDatabase(record.database_url), Caller()
    async with projecting(database) as projector:
        journal(record, caller, caller.start("eins"), *map(caller.say, ("zwei", "drei", "vier")))
        first, *others = await unprojected(database, caller)
        projector.take_up([first, *others, first, *others])
        await on_record(record, caller, "eins", "zwei", "drei", "vier")
        assert database.tried <= 3  # refused, looked up, projected


async def test_many_that_were_refused_before_keep_nobody_waiting(record):
    """Red when all of them are tried again in one batch with the others, which is halved then."""
    database, caller, many = BusyDatabase(record.database_url), Caller(), 30
    poison: list[IncomingMessage] = []
    for poisoner in [Caller() for _ in range(many)]:
        journal(record, poisoner, poisoner.start("Gift"))
        poison += await unprojected(database, poisoner)
    journal(record, caller, caller.start("Hilfe!"))
    fresh = await unprojected(database, caller)
    ahead, tries_until_projected = 0.0, []
    async with projecting(
        database,
        projected=lambda projection: tries_until_projected.append(database.tried),
        clock=lambda: time.monotonic() + ahead,
    ) as projector:
        record.rows(REFUSE)
        try:
            projector.take_up(poison)
            await eventually(lambda: projector.waiting == many, "all are refused", 20)
            ahead, before = 100.0, database.tried
            projector.take_up(fresh)
            await on_record(record, caller, "Hilfe!")
        finally:
            record.rows("DROP FUNCTION refuse CASCADE")
    assert tries_until_projected[0] - before <= 4
