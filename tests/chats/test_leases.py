"""Leases: the chats of a silent desk ring again, and only those."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Event
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from chats.models import Chat, ChatEvent
from chats.services import leases
from chats.services.claim_chat import claim_chat
from chats.services.leases import expire_leases, renew_leases
from psap.models import ServiceProcess, User
from tests.support.chats import make_psap, open_chat
from tests.support.instance import wait_until

pytestmark = pytest.mark.django_db


@pytest.fixture
def now() -> datetime:
    make_psap(lease=12)
    return timezone.now()


@pytest.fixture
def chat(anna: User, now: datetime) -> Chat:
    return claim_chat(chat_id=open_chat("help").pk, call_taker=anna, now=now)


def web_beats(now: datetime, *, up_for: float) -> None:
    ServiceProcess.objects.create(
        name="web", instance="host:1", started_at=now - timedelta(seconds=up_for), beat_at=now
    )


def test_a_silent_desks_chat_rings_again_and_says_why(chat: Chat, now: datetime):
    later = now + timedelta(seconds=13)
    web_beats(later, up_for=60)
    assert expire_leases(now=later) == 1
    chat.refresh_from_db()
    assert (chat.owner, chat.ringing_since) == (None, later)
    event = ChatEvent.objects.filter(chat=chat).latest("seq")
    assert (event.kind, event.actor) == ("chat-released", "system")
    assert event.data == {"owner": "anna", "reason": "lease"}


def test_a_renewed_lease_does_not_expire(chat: Chat, anna: User, now: datetime):
    web_beats(now + timedelta(seconds=13), up_for=60)
    assert renew_leases(call_taker=anna, now=now + timedelta(seconds=4)) == 1
    assert expire_leases(now=now + timedelta(seconds=13)) == 0


@pytest.mark.parametrize(("up_for", "beat_ago"), [(10, 0), (60, 5)])
def test_nothing_expires_while_it_was_us_who_were_silent(
    chat: Chat, now: datetime, up_for: int, beat_ago: int
):
    later = now + timedelta(seconds=13)
    web_beats(later - timedelta(seconds=beat_ago), up_for=up_for)
    assert expire_leases(now=later) == 0


def test_a_closed_chat_keeps_its_owner(chat: Chat, now: datetime):
    Chat.objects.filter(pk=chat.pk).update(disposition="test")
    later = now + timedelta(seconds=60)
    web_beats(later, up_for=60)
    assert expire_leases(now=later) == 0


@pytest.mark.django_db(transaction=True)
def test_a_chat_that_is_held_keeps_no_other_of_its_desk_held(
    anna: User, now: datetime, monkeypatch: pytest.MonkeyPatch
):
    """Red when both are waited for in one transaction: the other's texts wait for 3 s, too."""
    monkeypatch.setattr(leases, "PAUSES", (0.02,) * 1000)
    other, held = (
        claim_chat(chat_id=open_chat(text).pk, call_taker=anna, now=now).pk for text in ("a", "b")
    )
    passed_over = Event()

    def look(execute: Any, *arguments: Any) -> Any:
        try:
            return execute(*arguments)
        finally:
            if "SKIP LOCKED" in arguments[0]:
                passed_over.set()

    def renew() -> int:
        try:
            with connection.execute_wrapper(look):
                return renew_leases(call_taker=anna, now=now + timedelta(seconds=4))
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as desk:
        with transaction.atomic():
            Chat.objects.select_for_update().get(pk=held)
            with transaction.atomic():
                Chat.objects.select_for_update().get(pk=other)
                renewing = desk.submit(renew)
                assert passed_over.wait(10)
                transaction.set_rollback(True)  # lets go of this one alone
            wait_until(lambda: lease_of(other) == now + timedelta(seconds=16), 10, "renewed")
            assert lease_of(held) == now + timedelta(seconds=12)
        assert renewing.result(10) == 2
    assert lease_of(held) == now + timedelta(seconds=16)


def lease_of(chat_id: int) -> datetime | None:
    return Chat.objects.values_list("lease_until", flat=True).get(pk=chat_id)
