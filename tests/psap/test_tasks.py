"""Signs of life in the database."""

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.sessions.models import Session
from django.utils import timezone

from chats.models import Transfer
from chats.services.transfers import forget
from chats.tasks import forget_old_transfers
from psap import processes
from psap.models import LoginFailure, ServiceProcess
from psap.tasks import forget_old_rows, sign_tick, tick
from tests.support.chats import open_chat
from tests.support.leaving import make_peer

pytestmark = pytest.mark.django_db
EARLIER = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def test_a_program_that_beats_again_moves_its_row():
    processes.beat("web", EARLIER)
    processes.beat("web", EARLIER + timedelta(seconds=2))
    row = ServiceProcess.objects.get()
    assert row.beat_at == EARLIER + timedelta(seconds=2)
    assert row.instance == processes.instance_name()
    assert row.started_at == processes.STARTED_AT


def test_a_pid_that_is_used_again_counts_as_a_new_start():
    processes.beat("web", EARLIER, instance="host:30", started_at=EARLIER)
    later = EARLIER + timedelta(hours=1)
    processes.beat("web", later, instance="host:30", started_at=later)
    assert ServiceProcess.objects.get().started_at == later


def test_a_tick_says_that_the_worker_runs_and_that_beat_sent_it_when():
    headers: dict = {}
    sign_tick(headers=headers)
    sent_at = datetime.fromisoformat(headers["sender"]["sent_at"])
    tick.push_request(**headers)
    try:
        tick.run()
    finally:
        tick.pop_request()
    rows = {row.name: row for row in ServiceProcess.objects.all()}
    assert set(rows) == {"worker", "beat"}
    assert rows["beat"].beat_at == sent_at
    assert rows["worker"].beat_at >= sent_at


def test_old_programs_and_failures_are_forgotten():
    now = timezone.now()
    processes.beat("web", now)
    processes.beat("web", now - timedelta(days=2), instance="gone:1")
    LoginFailure.objects.create(username="cora", at=now - timedelta(days=31))
    forget_old_rows()
    assert ServiceProcess.objects.get().instance == processes.instance_name()
    assert not LoginFailure.objects.exists()


def test_sessions_that_have_ended_are_deleted():
    now = timezone.now()
    for key, days in (("over", -1), ("running", 1)):
        Session.objects.create(
            session_key=key, session_data="", expire_date=now + timedelta(days=days)
        )
    forget_old_rows()
    assert [session.session_key for session in Session.objects.all()] == ["running"]


def _ended(days: float, **values) -> Transfer:
    defaults = {
        "side": "out",
        "state": "done",
        "peer_name": "East",
        "call_id": "x",
        "transfer_from": "sip:a@b",
        "transfer_to": "sip:c@d",
        "requested_at": timezone.now() - timedelta(days=days),
        "ended_at": timezone.now() - timedelta(days=days),
    }
    return Transfer.objects.create(**defaults | values)


def test_what_was_sent_of_a_transfer_is_dropped_a_day_after_its_end_and_its_digest_stays():
    rows = [
        _ended(0.9, execution=b"{}", execution_sha256=b"1"),
        _ended(1.1, execution=b"{}", execution_sha256=b"2"),
        _ended(9, execution=b"{}", execution_sha256=b"3", ended_at=None),
    ]
    forget_old_transfers()
    for row, kept in zip(rows, (True, False, True), strict=True):
        row.refresh_from_db()
        assert (row.execution is not None) == kept
        assert row.execution_sha256 is not None


def test_offers_that_came_to_nothing_are_forgotten_after_a_month_and_no_others():
    chat = open_chat("Hilfe")
    kept = [
        _ended(29, side="in", state="declined"),
        _ended(31, side="in", state="done", chat=chat),
        _ended(31, side="in", state="failed", chat=chat),
        _ended(31, side="out", state="declined", chat=chat),
        _ended(31, side="in", state="declined", chat=chat),
        _ended(31, side="in", state="accepted", ended_at=None),
    ]
    for state in ("declined", "expired", "cancelled"):
        _ended(31, side="in", state=state)
    forget_old_transfers()
    assert set(Transfer.objects.all()) == set(kept)


def test_of_each_peer_the_newest_offers_that_came_to_nothing_stay(monkeypatch):
    """Red when all stay for a month: as many as the peer asks, which it may without end."""
    monkeypatch.setattr(forget, "MOST_OFFERS_OF_A_PEER", 2)
    flooding, other = make_peer(name="flood"), make_peer(name="other")
    offers = [
        _ended(number / 24, side="in", state="declined", peer=peer)
        for number, peer in ((4, other), (3, flooding), (2, flooding), (1, flooding), (1, flooding))
    ]
    offers.append(_ended(1, side="in", state="accepted", peer=flooding, ended_at=None))
    forget_old_transfers()
    assert set(Transfer.objects.all()) == {offers[0], *offers[3:]}
    waited_for = [_ended(0, side="in", state="declined", peer=flooding) for _ in range(4)]
    forget_old_transfers()
    assert set(waited_for) <= set(Transfer.objects.all())
