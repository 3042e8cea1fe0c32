"""Claiming a chat: one winner, whatever happens at once."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from chats.models import Chat, ChatEvent
from chats.services import locking
from chats.services.claim_chat import claim_chat
from chats.services.close_chat import close_chat
from chats.services.errors import ChatAlreadyOwned, ChatBusy, ChatNotRinging, ChatUnknown
from chats.services.release_chat import release_chat
from psap.models import User
from tests.support.chats import make_psap, make_user, open_chat


@pytest.mark.django_db(transaction=True)
def test_of_fifty_call_takers_who_claim_at_once_one_wins_and_the_others_learn_who():
    chat = open_chat("help")
    call_takers = [make_user(f"taker{number}") for number in range(50)]
    start = threading.Barrier(50)

    def claim(call_taker: User) -> str:
        try:
            connection.ensure_connection()
            start.wait(30)
            claim_chat(chat_id=chat.pk, call_taker=call_taker, now=timezone.now())
        except ChatAlreadyOwned as error:
            return error.owner
        else:
            return "won"
        finally:
            connection.close()

    with ThreadPoolExecutor(50) as pool:
        outcomes = list(pool.map(claim, call_takers))

    winner = call_takers[outcomes.index("won")].username
    assert sorted(outcomes) == sorted(["won"] + 49 * [winner])
    chat.refresh_from_db()
    assert chat.owner.username == winner
    assert ChatEvent.objects.filter(chat=chat, kind="chat-claimed").count() == 1


@pytest.mark.django_db
def test_a_claim_sets_owner_lease_and_first_answer_and_ends_the_ringing(anna: User):
    make_psap(lease=20)
    chat, now = open_chat("help"), timezone.now()
    claim_chat(chat_id=chat.pk, call_taker=anna, now=now)
    chat.refresh_from_db()
    assert (chat.owner, chat.ringing_since, chat.answered_at) == (anna, None, now)
    assert chat.lease_until == now + timedelta(seconds=20)


@pytest.mark.django_db
def test_the_first_answer_stays_when_a_chat_is_claimed_again(anna: User, berta: User):
    chat, now = open_chat("help"), timezone.now()
    claim_chat(chat_id=chat.pk, call_taker=anna, now=now)
    release_chat(chat_id=chat.pk, call_taker=anna, now=now)
    claim_chat(chat_id=chat.pk, call_taker=berta, now=now + timedelta(seconds=9))
    chat.refresh_from_db()
    assert (chat.owner, chat.answered_at) == (berta, now)


@pytest.mark.django_db
def test_a_second_window_of_the_same_desk_does_not_win_either(anna: User):
    chat = open_chat("help")
    claim_chat(chat_id=chat.pk, call_taker=anna, now=timezone.now())
    with pytest.raises(ChatAlreadyOwned) as refused:
        claim_chat(chat_id=chat.pk, call_taker=anna, now=timezone.now())
    assert (refused.value.owner, refused.value.code) == ("anna", "chat-already-owned")


@pytest.mark.django_db
def test_a_closed_chat_cannot_be_claimed(anna: User, berta: User):
    chat, now = open_chat("help"), timezone.now()
    claim_chat(chat_id=chat.pk, call_taker=anna, now=now)
    close_chat(chat_id=chat.pk, call_taker=anna, disposition="test", text="", now=now)
    with pytest.raises(ChatNotRinging):
        claim_chat(chat_id=chat.pk, call_taker=berta, now=now)


@pytest.mark.django_db
def test_a_chat_that_does_not_exist_is_unknown(anna: User):
    with pytest.raises(ChatUnknown):
        claim_chat(chat_id=2**63 - 1, call_taker=anna, now=timezone.now())


@pytest.mark.django_db(transaction=True)
def test_a_claim_of_a_locked_chat_is_refused_as_busy_after_a_bounded_wait(
    anna: User, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(locking, "LOCK_TIMEOUT", "50ms")
    chat = open_chat("help")

    def claim() -> None:
        try:
            claim_chat(chat_id=chat.pk, call_taker=anna, now=timezone.now())
        finally:
            connection.close()

    with transaction.atomic(), ThreadPoolExecutor(1) as pool:
        Chat.objects.select_for_update().get(pk=chat.pk)
        with pytest.raises(ChatBusy):
            pool.submit(claim).result(10)
    chat.refresh_from_db()
    assert chat.owner is None
