"""The hash chain is what docs/record.md says, computed here without our own code."""

import hashlib
from datetime import UTC, datetime, timedelta, timezone

import pytest

from chats.models import ChatEvent
from chats.services.chain import append_event, canonical_data, event_hash, genesis_hash
from tests.support.chats import open_chat


def test_the_canonical_bytes_are_the_documented_ones():
    canonical = (
        '{"actor":"calltaker:anna","at":"2026-01-31T12:00:09.000000Z","chat":12,'
        '"data":{"note":"\\"ß\\"\\n","owner":"anna"},"kind":"chat-claimed","message":null,"seq":4}'
    )
    previous = hashlib.sha256(b"leitstand-chat:12").digest()
    assert genesis_hash(12) == previous
    vienna = timezone(timedelta(hours=1))
    digest = event_hash(
        previous,
        chat_id=12,
        seq=4,
        kind="chat-claimed",
        at=datetime(2026, 1, 31, 13, 0, 9, tzinfo=vienna),
        actor="calltaker:anna",
        message_id=None,
        data=canonical_data({"owner": "anna", "note": '"ß"\n'}),
    )
    assert digest == hashlib.sha256(previous + canonical.encode()).digest()


@pytest.mark.django_db
def test_events_are_numbered_without_gaps_and_move_the_head():
    chat = open_chat("help")
    event = append_event(
        chat_id=chat.pk, kind="liveness-changed", at=datetime.now(UTC), actor="system"
    )
    chat.refresh_from_db()
    assert list(ChatEvent.objects.filter(chat=chat).values_list("seq", flat=True)) == [1, 2, 3]
    assert (chat.head_seq, bytes(chat.head_hash)) == (3, event.hash)
