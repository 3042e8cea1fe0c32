"""The task that looks at transfers, and what else the gateway remembers and decides of them."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from django.db import OperationalError

from chats.models import DeliveryStatus, RelayStatus
from chats.services.relays import ClaimedRelay
from sipgateway import transfers
from sipgateway.configuration import Configuration
from sipgateway.onward import judge_relay
from sipgateway.outbound import Letter
from sipgateway.trunks import TLS, TrunkSettings
from sipgateway.verdicts import judge
from tests.support.eventually import eventually

NOW = datetime(2026, 1, 31, 13, 0, tzinfo=UTC)
LETTER = Letter(
    message_id=1,
    chat_id=1,
    msg_type=265,
    msg_id=2,
    text="Hier ist Wien.",
    sip_call_id="c",
    cseq=1,
    branch="z9hG4bK1",
    attempts=1,
    call_id="urn:emergency:uid:callid:c:e",
    local_tag="t",
    remote_uri="sip:anna@127.0.0.1",
    transport="",
    peer="",
    session="arriving",
    liveness="alive",
)
RELAY = ClaimedRelay(1, 1, "sip:b@b.example", "z9hG4bK1", 1, "transferred", "default", b"", False)


class Looking:
    """Counts how often somebody looks; raises what it is given, once each."""

    def __init__(self, *faults: Exception | None) -> None:
        self.faults = list(faults)
        self.times = 0
        self.changed = 0

    def settle(self, *, now: datetime, listening_since: datetime) -> int:
        self.times += 1
        fault = self.faults.pop(0) if self.faults else None
        if fault is not None:
            raise fault
        return 1

    def note_change(self) -> None:
        self.changed += 1


@asynccontextmanager
async def running(looking, monkeypatch):
    monkeypatch.setattr(transfers, "settle_due_transfers", looking.settle)
    task = transfers.Transfers(listening_since=lambda: NOW, changed=looking.note_change)
    work = asyncio.create_task(task.run())
    try:
        yield task
        assert not work.done()
    finally:
        work.cancel()


async def test_a_fault_in_one_look_ends_no_other(monkeypatch):
    """Red when it is raised: the gateway ended, and with it every deadline."""
    looking = Looking(RuntimeError("a fault of ours"), OperationalError("PostgreSQL is gone"))
    async with running(looking, monkeypatch):
        await eventually(lambda: looking.changed > 0, "it looks again")
    assert looking.times == looking.changed + 2


async def test_a_wake_up_is_followed_by_several_looks_soon(monkeypatch):
    """Red when what was held by somebody waits for the next second."""
    looking = Looking()
    async with running(looking, monkeypatch) as task:
        await eventually(lambda: looking.times >= len(transfers.PAUSES), "it has become quiet")
        before, loop = looking.times, asyncio.get_running_loop()
        task.wake()
        begun = loop.time()
        await eventually(lambda: looking.times >= before + 4, "it has looked four times")
        assert loop.time() - begun < 2.5  # once a second it would be three seconds


@pytest.mark.parametrize("session", ["arriving", "transferring", "open"])
def test_an_app_that_is_to_answer_is_asked_again_and_again(session):
    letter = replace(LETTER, session=session, attempts=9)
    assert judge(letter, 503, "503 Busy", NOW).status is DeliveryStatus.QUEUED
    assert judge(letter, None, "no way", NOW).retry_at is not None


def test_a_farewell_is_given_up_after_some_attempts():
    letter = replace(LETTER, session="stopped", attempts=9)
    assert judge(letter, 503, "503 Busy", NOW).status is DeliveryStatus.FAILED


def test_what_has_lost_its_time_is_cancelled():
    delivery = judge(replace(LETTER, stale=True), None, "transfer", NOW)
    assert (delivery.status, delivery.retry_at) == (DeliveryStatus.CANCELLED, None)


def test_what_is_for_a_chat_that_another_psap_has_for_good_is_tried_for_long():
    """Red with the patience of a redirect, which takes the chat back after it."""
    tried = judge_relay(replace(RELAY, attempts=50), 503, "503 Busy", NOW)
    assert tried.status is RelayStatus.QUEUED
    assert tried.retry_at == NOW + timedelta(seconds=30)
    redirected = judge_relay(replace(RELAY, attempts=50, session="redirected"), 503, "503", NOW)
    assert redirected.status is RelayStatus.FAILED
    assert judge_relay(replace(RELAY, attempts=120), None, "gone", NOW).status is RelayStatus.FAILED
    assert judge_relay(RELAY, 404, "404 Not Found", NOW).status is RelayStatus.FAILED


def test_a_chat_that_came_by_no_trunk_leaves_by_the_default_one_else_by_any():
    """Red when only a plain trunk counts: behind a TLS trunk no chat that arrived had a way out."""
    secure = TrunkSettings(name="bcf", transport=TLS, outbound_proxy="sips:bcf.example")
    plain = TrunkSettings(name="default", outbound_proxy="sip:proxy.example")
    assert Configuration(trunks={"bcf": secure, "default": plain}).way_out("") == plain
    assert Configuration(trunks={"bcf": secure}).way_out("") == secure
    assert Configuration().way_out("") == TrunkSettings()
    assert Configuration(trunks={"bcf": secure}).trunk_of("") == TrunkSettings()
