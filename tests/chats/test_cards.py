"""Cards of the queue: what each shows, at a cost that does not grow with the chat."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection

from chats import rows
from chats.models import Chat
from chats.selectors import cards
from tests.support.chats import open_chat

pytestmark = pytest.mark.django_db


def say_nothing(chat: Chat, times: int) -> None:
    """Have an app report as often without a text, as one that moves does with each heartbeat."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO chats_message (chat_id, direction, type, text, status, at, flags)"
            " SELECT %s, 'in', 260, '', 'received', now(), '{}' FROM generate_series(1, %s)",
            [chat.pk, times],
        )


def test_the_latest_text_is_shown_behind_hundreds_of_reports():
    chat = open_chat("help")
    say_nothing(chat, 900)
    (card,) = cards([chat.pk])
    assert (card.preview, card.messages) == ("help", 901)


def analyse_as_autovacuum_does():
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE chats_message")


def most_rows_looked_at(chat: Chat) -> int:
    """Return how many rows the dearest step of the card's query has gone through."""
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {rows.CARDS}", [[chat.pk]])
        ((plan,),) = cursor.fetchone()
    return max(looked_at(plan["Plan"]))


def looked_at(node: dict[str, Any]) -> Iterator[int]:
    passed_over = node.get("Rows Removed by Filter", 0)
    yield int((node["Actual Rows"] + passed_over) * node["Actual Loops"])
    for child in node.get("Plans", ()):
        yield from looked_at(child)


def test_a_chat_of_many_thousand_messages_costs_its_card_no_more():
    """Red when all are counted, or searched for a text, with each event: 100 ms a card."""
    chat = open_chat("help")
    say_nothing(chat, 100_000)
    analyse_as_autovacuum_does()
    (card,) = cards([chat.pk])
    assert card.messages == 1000
    assert most_rows_looked_at(chat) < 5_000
