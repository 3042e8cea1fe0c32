"""The journal's writer: what is committed is answered and handed over, each message once."""

import asyncio
from contextlib import asynccontextmanager

import psycopg

from sipgateway.database import Database
from sipgateway.journal import JournalWriter
from sipgateway.journal_queue import JournalQueue
from sipgateway.waiting_line import Place
from tests.support.arrivals import arrival
from tests.support.caller import Caller
from tests.support.eventually import eventually


class Forgetful(JournalWriter):
    """Loses the answer to its first COMMIT."""

    lost = False

    async def _insert(self, batch, **named):
        ids = await super()._insert(batch, **named)
        if not self.lost:
            self.lost = True
            raise psycopg.OperationalError("the connection is lost")
        return ids


@asynccontextmanager
async def writing(record, kind=JournalWriter, acknowledge=lambda arrival: None, **named):
    handed = []
    database = Database(record.database_url, "test")
    queue = JournalQueue(lambda arrival: Place(0, arrival.caller.uri))
    writer = kind(database, queue, acknowledge=acknowledge, hand_over=handed.extend, **named)
    task = asyncio.create_task(writer.run())
    try:
        yield writer, handed
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.wait([task])
        await database.close()


async def test_what_was_committed_without_an_answer_is_handed_over_all_the_same(record):
    """Red when only new rows are: it was acknowledged, and on its chat seconds later, after what
    came after it."""
    caller = Caller()
    async with writing(record, Forgetful) as (writer, handed):
        first, second = arrival(caller.start()), arrival(caller.say("danach"))
        writer.offer(first)
        await eventually(lambda: len(handed) == 1, "it is handed over")
        writer.offer(second)
        await eventually(lambda: len(handed) == 2, "the next one follows")
    assert [one for _, one in handed] == [first, second]
    assert handed[0][0] < handed[1][0]


async def test_two_of_the_same_at_once_are_answered_both_and_handed_over_once(record):
    """Red when each gets the one row's id: the projector took the batch apart for it."""
    data, answered = Caller().start(), []
    async with writing(record, acknowledge=answered.append) as (writer, handed):
        for _ in range(2):
            writer.offer(arrival(data))
        await eventually(lambda: len(answered) == 2, "both are answered")
        await eventually(lambda: bool(handed), "one is handed over")
    assert len(handed) == 1


async def test_an_answer_that_fails_costs_no_other(record):
    """Red when it raises through the writer: one odd Via ended the gateway."""
    odd, good, answered = arrival(Caller().start()), arrival(Caller().start()), []

    def acknowledge(one):
        if one is odd:
            raise ValueError("no such port")
        answered.append(one)

    async with writing(record, acknowledge=acknowledge) as (writer, handed):
        writer.offer(odd)
        writer.offer(good)
        await eventually(lambda: answered == [good] and len(handed) == 2, "the other is")


async def test_nothing_is_acknowledged_while_the_chats_are_far_behind(record):
    """Red without a bound: under more load than the projector's, memory grew until the end."""
    behind, looked, answered = [True], asyncio.Event(), []

    def is_behind():
        looked.set()
        return behind[0]

    async with writing(record, acknowledge=answered.append, is_behind=is_behind) as (writer, _):
        writer.offer(arrival(Caller().start()))
        for _ in range(3):
            looked.clear()
            await looked.wait()
        assert answered == []
        behind[0] = False
        await eventually(lambda: len(answered) == 1, "it is answered once there is room")
