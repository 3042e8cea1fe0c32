"""Receipts: a repeated command answers the same and writes nothing."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from chats.models import Chat, CommandReceipt, Message
from chats.services.claim_chat import claim_chat
from chats.services.errors import TextEmpty
from chats.services.receipts import Reply, purge_receipts, run_once
from chats.services.send_text import send_text
from psap.models import User
from tests.support.chats import open_chat


@pytest.fixture
def chat(anna: User) -> Chat:
    return claim_chat(chat_id=open_chat("help").pk, call_taker=anna, now=timezone.now())


def send_once(chat: Chat, user: User, command_id: str, text: str) -> Reply:
    def action() -> Reply:
        message = send_text(chat_id=chat.pk, call_taker=user, text=text, now=timezone.now())
        return {"message": str(message.pk)}

    command = {"id": command_id, "do": "send", "chat": str(chat.pk), "text": text}
    return run_once(user=user, command=command, now=timezone.now(), action=action)


def sent() -> int:
    return Message.objects.filter(direction="out").count()


@pytest.mark.django_db
def test_a_repeated_command_gets_the_same_reply_and_writes_nothing(chat: Chat, anna: User):
    assert send_once(chat, anna, "a", "hello") == send_once(chat, anna, "a", "hello")
    assert sent() == 1


@pytest.mark.django_db
def test_the_same_text_under_another_id_is_another_message(chat: Chat, anna: User):
    assert send_once(chat, anna, "a", "hello") != send_once(chat, anna, "b", "hello")
    assert sent() == 2


@pytest.mark.django_db
def test_an_id_used_again_for_something_else_is_no_repetition(chat: Chat, anna: User):
    send_once(chat, anna, "1", "hello")
    send_once(chat, anna, "1", "are you there?")
    assert sent() == 2


@pytest.mark.django_db
def test_a_refused_command_leaves_no_receipt(chat: Chat, anna: User):
    with pytest.raises(TextEmpty):
        send_once(chat, anna, "a", " ")
    assert not CommandReceipt.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_command_repeated_at_the_same_moment_is_done_once(chat: Chat, anna: User):
    start = threading.Barrier(8)

    def repeat(_: int) -> Reply:
        try:
            start.wait(10)
            return send_once(chat, anna, "a", "hello")
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(repeat, range(8)))
    assert len({reply["message"] for reply in replies}) == sent() == 1


@pytest.mark.django_db
def test_receipts_are_forgotten_after_a_day(chat: Chat, anna: User):
    send_once(chat, anna, "a", "hello")
    assert purge_receipts(now=timezone.now() + timedelta(hours=23)) == 0
    assert purge_receipts(now=timezone.now() + timedelta(hours=25)) == 1
