"""Transfers as the status page, Prometheus and the alarms tell of them."""

import re
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from django.test import Client
from django.utils import timezone

from chats.alarms import (
    calls_to_peers,
    custody_uncertain,
    failed_transfers,
    messages_not_passed_on,
)
from chats.figures import transfer_figures
from chats.models import AttachmentFetch, Message, Relay, Transfer, TransferState
from psap.alarms import Alarm
from psap.demo import seed_demo
from psap.figures import METRICS
from psap.models import User
from tests.support.chats import open_chat, receive_message

pytestmark = pytest.mark.django_db


def ago(seconds: float) -> datetime:
    return timezone.now() - timedelta(seconds=seconds)


def transfer(side: str, state: str, peer: str = "East", **values) -> Transfer:
    """A row as it stands in that state: under way it is due, else it has ended."""
    ended = state not in ("offered", "accepted", "executing", "uncertain", "negotiating")
    defaults = {
        "peer_name": peer,
        "call_id": f"urn:emergency:uid:callid:{Transfer.objects.count()}:bcf.example.org",
        "transfer_from": "sip:a@example.org",
        "transfer_to": "sip:b@example.org",
        "requested_at": ago(20),
        "due_at": None if ended else ago(-60),
        "ended_at": ago(1) if ended else None,
    }
    return Transfer.objects.create(side=side, state=state, **defaults | values)


def test_while_custody_is_uncertain_every_screen_says_so():
    now = timezone.now()
    assert list(custody_uncertain(now)) == []
    first = ago(90)
    transfer("out", "uncertain", chat=open_chat("Hilfe"), executed_at=first)
    (alarm,) = custody_uncertain(now)
    assert (alarm.code, alarm.severity, alarm.since) == ("custody-uncertain", "alarm", first)
    assert "a chat: we or “East”" in alarm.text
    transfer("in", "uncertain", "West", chat=open_chat("Hilfe"), executed_at=ago(9))
    (alarm,) = custody_uncertain(now)
    assert "2 chats: we or “East” and “West”" in alarm.text


def test_an_uncertain_chat_that_was_closed_out_is_dealt_with():
    chat = open_chat("Hilfe", disposition="resolved", ringing_since=None)
    transfer("in", "uncertain", chat=chat, executed_at=ago(9))
    assert list(custody_uncertain(timezone.now())) == []


def test_a_transfer_that_failed_is_told_for_some_minutes():
    transfer("out", "failed", ended_at=ago(301))
    transfer("out", "done")
    transfer("out", "cancelled")
    transfer("in", "declined")
    assert list(failed_transfers(timezone.now())) == []
    transfer("out", "failed", ended_at=ago(299))
    for peer in ("North", "South", "West", "West"):
        transfer("out", "failed", peer)
    transfer("in", "failed", "West")
    out, taken = failed_transfers(timezone.now())
    assert (out.code, out.severity) == ("transfer-failed", "alarm")
    assert out.text.startswith("5 chats could not be transferred to “East”, “North”, “South” and 1")
    assert (taken.code, taken.severity) == ("transfer-not-taken", "warning")
    assert taken.text == "A chat of “West” could not be taken over."


def test_calls_that_nobody_makes_are_told():
    """Red when the lease is left out: a worker that waits for an answer is at work."""
    transfer("out", "negotiating", call_due_at=ago(60), lease_until=ago(-5))
    transfer("out", "negotiating", call_due_at=ago(9), lease_until=ago(1))
    assert list(calls_to_peers(timezone.now())) == []
    since = ago(11)
    transfer("out", "executing", call_due_at=since)
    (alarm,) = calls_to_peers(timezone.now())
    assert (alarm.code, alarm.severity, alarm.since) == ("transfers-behind", "alarm", since)


def test_messages_that_do_not_get_after_their_chat_are_told_until_they_do_or_are_given_up():
    chat = open_chat(session="transferred", gone_to="sip:b@b.example", caller_uri="sip:anna@a")
    since = ago(61)
    message = receive_message(chat, "Bin ich hier richtig?", at=since)
    Relay.objects.create(
        message=message, chat=chat, target="sip:b@b.example", branch="b", due_at=ago(-20)
    )

    def told(**values: object) -> list[Alarm]:
        Relay.objects.update(**values)
        return list(messages_not_passed_on(timezone.now()))

    assert told(attempts=1) == []  # held until the chat had gone, it goes only now
    (alarm,) = told(attempts=2)
    assert (alarm.code, alarm.severity, alarm.since) == ("relay-behind", "alarm", since)
    assert "“sip:anna@a”" in alarm.text and "“sip:b@b.example”" in alarm.text
    assert told(status="relayed") == told(status="failed") == []
    Message.objects.update(at=ago(50))
    assert told(status="queued") == []


def test_prometheus_reads_transfers_by_side_and_state():
    row = transfer("out", "executing", call_due_at=ago(4), requested_at=ago(90))
    transfer("in", "offered", requested_at=ago(7))
    transfer("in", "accepted", requested_at=ago(70))
    transfer("in", "declined")
    transfer("out", "failed", ended_at=ago(25 * 3600))
    AttachmentFetch.objects.create(transfer=row, url="https://e/1", sha256=b"1", due_at=ago(1))
    found = transfer_figures()
    assert found.keys() <= METRICS.keys()
    assert found["leitstand_transfers"] == [
        ["in", "accepted", 1],
        ["in", "offered", 1],
        ["out", "executing", 1],
    ]
    assert found["leitstand_transfers_ended_within_a_day"] == [["in", "declined", 1]]
    assert found["leitstand_transfer_offers_waiting"] == 1
    assert 7 <= found["leitstand_transfer_offers_waiting_longest_seconds"] < 60
    assert 4 <= found["leitstand_transfer_oldest_call_due_seconds"] < 60
    assert found["leitstand_attachment_fetches"] == [["pending", 1]]
    page = Client().get("/metrics").content.decode()
    assert 'leitstand_transfers{side="out",state="executing"} 1.0' in page


def test_without_transfers_the_figures_are_zero():
    found = transfer_figures()
    assert found["leitstand_transfers"] == []
    assert found["leitstand_transfer_offers_waiting"] == 0
    assert found["leitstand_transfer_oldest_call_due_seconds"] == 0


def test_the_status_page_shows_them(tmp_path: Path):
    seed_demo(
        public_uri="sip:psap@127.0.0.1:5060",
        outbound_proxy="",
        credentials_path=tmp_path / "credentials.json",
    )
    chat = open_chat("Hilfe")
    transfer("out", TransferState.UNCERTAIN, chat=chat, executed_at=ago(5))
    transfer("in", "offered", requested_at=ago(7))
    client = Client()
    client.force_login(User.objects.get(username="supervisor"))
    page = client.get("/status/").content.decode()
    assert "in offered 1, out uncertain 1" in page
    assert re.search(r"1, the first for \d+ s", page)
    assert "It is uncertain who has a chat" in page
