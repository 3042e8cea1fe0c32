"""What needs attention reaches every console: in its snapshot, and as often as it changes."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import OperationalError

from chats import hub as hub_module
from chats.alarms import messages_on_no_chat, outgoing_messages
from chats.database_threads import database_threads
from chats.models import Journal, Message, OutboxEntry, SetAside
from psap import alarms
from psap.alarms import Alarm
from tests.support.chats import make_psap, make_user, open_chat
from tests.support.console import console, log_in

in_database = database_threads.run
pytestmark = pytest.mark.django_db(transaction=True)
NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.fixture
def weather(monkeypatch) -> list:
    """The one source of alarms, to be changed."""
    found: list = []
    monkeypatch.setattr(alarms, "_sources", [lambda now: list(found)])
    monkeypatch.setattr(hub_module, "LOOK_FOR_ALARMS_EVERY", 0.05)
    return found


@pytest.fixture
def desk() -> str:
    make_psap()
    return log_in(make_user("anna"))


STORM = Alarm("storm", "alarm", "A storm.", NOW)


async def test_a_console_starts_with_what_needs_attention(weather: list, desk: str):
    weather.append(STORM)
    async with console(desk) as screen:
        snapshot = await screen.event("snapshot")
        assert snapshot["alarms"] == [{"code": "storm", "severity": "alarm", "text": "A storm."}]


async def test_consoles_are_told_when_it_changes_and_only_then(weather: list, desk: str):
    """Red without the comparison: a frame every two seconds to every desk."""
    async with console(desk) as screen:
        assert (await screen.event("snapshot"))["alarms"] == []
        weather.append(STORM)
        assert (await screen.event("alarms"))["alarms"][0]["code"] == "storm"
        weather[:] = [Alarm("storm", "alarm", "A storm.", NOW + timedelta(seconds=9))]
        await screen.event("ping")
        weather.clear()
        assert (await screen.event("alarms"))["alarms"] == []
        told = [frame for frame in screen.frames if frame.get("ev") == "alarms"]
        assert len(told) == 2


async def test_a_database_that_does_not_answer_is_said_by_the_web_process_itself(
    weather: list, desk: str, monkeypatch
):
    async with console(desk) as screen:
        await screen.event("snapshot")

        def gone(now):
            raise OperationalError("gone")

        monkeypatch.setattr(alarms, "_sources", [gone])
        assert (await screen.event("alarms"))["alarms"][0]["code"] == "database-out-of-reach"
        monkeypatch.setattr(alarms, "_sources", [])
        assert (await screen.event("alarms"))["alarms"] == []


async def test_texts_that_have_been_due_for_long_are_told():
    def queue(age: float) -> None:
        chat = open_chat("Hilfe")
        message = Message.objects.create(
            chat=chat, direction="out", type=259, msg_id=1, text="x", status="queued", at=NOW
        )
        due_at = NOW - timedelta(seconds=age)
        OutboxEntry.objects.create(
            message=message, sip_call_id="x", cseq=1, branch="b", due_at=due_at
        )

    await in_database(queue, 59)
    assert await in_database(lambda: list(outgoing_messages(NOW))) == []
    await in_database(queue, 61)
    (alarm,) = await in_database(lambda: list(outgoing_messages(NOW)))
    assert alarm.code == "outbox-behind" and alarm.since == NOW - timedelta(seconds=61)


async def test_a_message_on_no_chat_is_told():
    def put_aside() -> None:
        journal = Journal.objects.create(
            received_at=NOW, trunk="", transport="udp", peer="x:1", request_key=b"1", raw=b"x"
        )
        SetAside.objects.create(journal=journal, at=NOW, error="x")

    assert await in_database(lambda: list(messages_on_no_chat(NOW))) == []
    await in_database(put_aside)
    (alarm,) = await in_database(lambda: list(messages_on_no_chat(NOW)))
    assert (alarm.code, alarm.severity, alarm.since) == ("messages-set-aside", "alarm", NOW)
