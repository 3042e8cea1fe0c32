"""The outbox's sender against a record that answers late: what it holds it sends once."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from chats.models import DeliveryStatus
from sipgateway import sender as sending
from sipgateway.followups import NO_CREDENTIALS
from sipgateway.outbound import Letter, ViaAddress
from sipgateway.sender import OutboxSender
from sipgateway.verdicts import LONGEST_PAUSE, judge
from tests.support.eventually import eventually

LETTER = Letter(
    message_id=1, chat_id=1, msg_type=259, msg_id=2, text="Hilfe kommt", sip_call_id="c", cseq=1,
    branch="z9hG4bK1", attempts=1, call_id="urn:emergency:uid:callid:abcdefghij:a", local_tag="t",
    remote_uri="sip:anna@127.0.0.1", transport="udp", peer="127.0.0.1:9", session="open",
    liveness="alive",
)  # fmt: skip


class Cursor:
    def __init__(self, rows):
        self._rows = rows

    async def fetchall(self):
        return self._rows


class FakeConnection:
    """Hands out the same row at each claim, as if its lease had run out."""

    def __init__(self, row):
        self.claims = 0
        self._row = row

    async def execute(self, statement, parameters):
        if statement is sending._RECLAIM:
            return Cursor([])
        self.claims += 1
        return Cursor([self._row])


class FakeDatabase:
    def __init__(self, connection):
        self._connection = connection

    async def connection(self):
        return self._connection

    async def retry(self, work):
        await asyncio.sleep(0)
        return await work()


class FakeRoutes:
    async def find(self, transport, peer, uri, **named):
        return None

    def via(self, flow):
        return ViaAddress("UDP", "127.0.0.1", 5060)


class FakeOutgoing:
    def __init__(self, error=None):
        self.sent = []
        self._error = error

    def send(self, data, branch, flow, done):
        self.sent.append(branch)
        if self._error:
            raise self._error


@asynccontextmanager
async def running(outgoing, letter=LETTER):
    connection = FakeConnection([getattr(letter, name) for name in letter.__slots__])
    sender = OutboxSender(
        FakeDatabase(connection),
        name="test",
        outgoing=outgoing,
        routes=FakeRoutes(),
        public_uri=lambda: "sip:psap@127.0.0.1",
        credentials_for=lambda flow, trunk: NO_CREDENTIALS,
        way_of=lambda chat: None,
        ended=lambda chat: None,
        dismissed=lambda chat: None,
        reached=lambda chat, transport, peer, trunk: None,
        recorded=lambda deliveries: None,
    )
    task = asyncio.create_task(sender.run())
    try:
        yield sender, connection
    finally:
        task.cancel()


async def test_a_text_whose_outcome_is_not_written_down_yet_is_not_sent_again():
    """Red when the lease alone counts: after a long outage the app got an answered text twice."""
    outgoing = FakeOutgoing()
    async with running(outgoing) as (sender, connection):
        for _ in range(3):
            before = connection.claims
            sender.wake()
            await eventually(lambda: connection.claims > before, "claimed again")  # noqa: B023
    assert outgoing.sent == [LETTER.branch]


async def test_a_fault_of_ours_while_sending_is_an_outcome_too():
    """Red when it ends in the task: the text stayed on its way for ever, as did all after it."""
    async with running(FakeOutgoing(OverflowError("port"))) as (sender, _):
        await eventually(lambda: bool(sender._deliveries), "there is an outcome")
    (delivery,) = sender._deliveries
    assert (delivery.status, delivery.sip_status) == (DeliveryStatus.QUEUED, None)
    assert delivery.retry_at is not None


@pytest.mark.parametrize("attempts", [1, 1025, 100_000])
def test_the_pause_between_attempts_never_overflows(attempts):
    """Red from attempt 1025 on, which is reached within hours: it ended the gateway, for ever."""
    now = datetime.now(UTC)
    delivery = judge(replace(LETTER, attempts=attempts), 503, "503 Busy", now)
    assert delivery.retry_at is not None
    assert (delivery.retry_at - now).total_seconds() <= LONGEST_PAUSE
