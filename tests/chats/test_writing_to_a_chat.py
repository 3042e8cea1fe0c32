"""Releasing, sending and closing: what is written, and what is refused."""

import pytest
from django.utils import timezone

from chats.models import Chat, ChatEvent, Message, OutboxEntry
from chats.services.claim_chat import claim_chat
from chats.services.close_chat import close_chat
from chats.services.errors import (
    ChatAlreadyClosed,
    DispositionUnknown,
    NotYourChat,
    SessionNotOpen,
    TextEmpty,
    TextTooLong,
)
from chats.services.release_chat import release_chat
from chats.services.send_text import send_text
from chats.services.verify_chat import verify_chat
from psap.models import User
from tests.support.chats import open_chat

pytestmark = pytest.mark.django_db


@pytest.fixture
def chat(anna: User) -> Chat:
    return claim_chat(chat_id=open_chat("help").pk, call_taker=anna, now=timezone.now())


def kinds(chat: Chat) -> list[str]:
    return list(ChatEvent.objects.filter(chat=chat).order_by("seq").values_list("kind", flat=True))


def send(chat: Chat, user: User, text: str) -> Message:
    return send_text(chat_id=chat.pk, call_taker=user, text=text, now=timezone.now())


def close(chat: Chat, user: User, disposition: str = "resolved", text: str = "Bye.") -> Chat:
    return close_chat(
        chat_id=chat.pk, call_taker=user, disposition=disposition, text=text, now=timezone.now()
    )


def test_a_released_chat_rings_again(chat: Chat, anna: User):
    now = timezone.now()
    release_chat(chat_id=chat.pk, call_taker=anna, now=now)
    chat.refresh_from_db()
    assert (chat.owner, chat.lease_until, chat.ringing_since) == (None, None, now)
    assert kinds(chat)[-1] == "chat-released"


def test_a_text_is_queued_with_identifiers_of_its_own(chat: Chat, anna: User):
    first, second = send(chat, anna, "Where are you?"), send(chat, anna, "Help is coming.")
    entries = OutboxEntry.objects.order_by("pk")
    assert [m.msg_id for m in (first, second)] == [1, 2]
    assert [e.cseq for e in entries] == [1, 2]
    assert len({e.branch for e in entries}) == len({e.sip_call_id for e in entries}) == 2
    assert all(e.branch.startswith("z9hG4bK") for e in entries)
    assert (first.status, first.type, first.author) == ("queued", 259, anna)
    assert kinds(chat)[-2:] == ["message-queued", "message-queued"]
    assert verify_chat(chat_id=chat.pk).broken is None


@pytest.mark.parametrize(
    ("text", "error"), [(" \n", TextEmpty), ("", TextEmpty), ("x" * 10_001, TextTooLong)]
)
def test_a_text_that_cannot_be_sent_is_refused(chat: Chat, anna: User, text: str, error: type):
    with pytest.raises(error):
        send(chat, anna, text)
    assert not OutboxEntry.objects.exists()


def test_a_text_of_ten_thousand_characters_is_sent(chat: Chat, anna: User):
    assert send(chat, anna, "ß" * 10_000).text == "ß" * 10_000


def test_what_no_database_stores_is_replaced_in_a_text(chat: Chat, anna: User):
    assert send(chat, anna, "a\0b\ud800c 😀 שלום").text == "a␀b\ufffdc 😀 שלום"


def test_only_the_owner_writes_releases_and_closes(chat: Chat, berta: User):
    for refused in (
        lambda: send(chat, berta, "hello"),
        lambda: release_chat(chat_id=chat.pk, call_taker=berta, now=timezone.now()),
        lambda: close(chat, berta),
    ):
        with pytest.raises(NotYourChat):
            refused()


def test_closing_an_open_session_queues_the_stop_and_keeps_the_owner(chat: Chat, anna: User):
    close(chat, anna, "dispatched", "Help is on its way.")
    chat.refresh_from_db()
    stop = Message.objects.get(chat=chat, direction="out")
    assert (stop.type, stop.text, stop.status) == (258, "Help is on its way.", "queued")
    assert (chat.session, chat.ended_by) == ("stopped", "calltaker")
    assert (chat.disposition, chat.owner) == ("dispatched", anna)
    assert kinds(chat)[-3:] == ["message-queued", "session-stopped", "chat-closed"]
    assert verify_chat(chat_id=chat.pk).broken is None


def test_closing_a_session_that_the_caller_ended_sends_nothing(chat: Chat, anna: User):
    Chat.objects.filter(pk=chat.pk).update(session="stopped", ended_by="caller")
    close(chat, anna, "abandoned")
    chat.refresh_from_db()
    assert (chat.ended_by, chat.disposition) == ("caller", "abandoned")
    assert not OutboxEntry.objects.exists()


def test_a_chat_is_closed_once(chat: Chat, anna: User):
    close(chat, anna)
    with pytest.raises(ChatAlreadyClosed):
        close(chat, anna)
    with pytest.raises(ChatAlreadyClosed):
        release_chat(chat_id=chat.pk, call_taker=anna, now=timezone.now())


def test_a_reason_that_does_not_exist_is_refused(chat: Chat, anna: User):
    with pytest.raises(DispositionUnknown):
        close(chat, anna, "whatever")


def test_nothing_is_sent_into_a_session_that_has_ended(chat: Chat, anna: User):
    Chat.objects.filter(pk=chat.pk).update(session="stopped")
    with pytest.raises(SessionNotOpen):
        send(chat, anna, "still there?")
