"""Reads of the record through Django's connection: snapshots, conversations, catch-up."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import Q

from chats import rows
from chats.models import Chat
from chats.rows import (
    CardRow,
    DataRow,
    EventRow,
    FixRow,
    MessageRow,
    NoteRow,
    ReferenceRow,
    RelayRow,
    ReportRow,
    TransferRow,
)
from psap.models import User

# A shift lasts twelve hours: as long a call-taker sees what they closed.
OWN_CLOSED_SHOWN_FOR = timedelta(hours=12)
LONGEST_REPLAY = 5000
NEWEST_TESTS = 100
# Clause 6.1.2.6 writes the prefix in two ways; DEC112 has one of its own.
_CALL_ID_PREFIX = re.compile(r"^urn:(emergency:(service:)?|dec112:)uid:callid:", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Conversation:
    """All of one chat as of one instant."""

    chat: CardRow
    messages: list[MessageRow]
    fixes: list[FixRow]
    data: list[DataRow]
    references: list[ReferenceRow]
    reports: list[ReportRow]
    relays: list[RelayRow]
    transfers: list[TransferRow]
    notes: list[NoteRow]
    events: list[EventRow]
    signalling: Mapping[str, Any]
    psaps: Sequence[Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class EventBatch:
    """Events in order, and what their frames show beside them."""

    events: Sequence[EventRow]
    cards: Mapping[int, CardRow]
    messages: Mapping[int, MessageRow]
    fixes: Sequence[FixRow]
    data: Sequence[DataRow]
    references: Sequence[ReferenceRow]
    reports: Sequence[ReportRow]


@contextmanager
def one_instant() -> Iterator[None]:
    """Make all reads of a block see the database as of one instant."""
    nested = connection.in_atomic_block
    with transaction.atomic():
        if not nested:
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
                cursor.execute("SET LOCAL statement_timeout = '10s'")
        yield


def queue_cards(*, user: User, now: datetime) -> list[CardRow]:
    """Return every chat without disposition, and those that the user closed in this shift."""
    recently = Q(owner=user, closed_at__gt=now - OWN_CLOSED_SHOWN_FOR)
    with one_instant():
        return cards(
            list(Chat.objects.filter(Q(disposition=None) | recently).values_list("pk", flat=True))
        )


def newest_tests(kept: int = NEWEST_TESTS) -> list[CardRow]:
    """Return the cards of the newest test calls, newest first."""
    with one_instant():
        newest = Chat.objects.filter(test=True).order_by("-opened_at", "-pk")[:kept]
        found = cards(list(newest.values_list("pk", flat=True)))
    return sorted(found, key=lambda card: (card.opened_at, card.id), reverse=True)


def cards(chat_ids: Sequence[int]) -> list[CardRow]:
    """Return the cards of some chats, in order of id."""
    return [CardRow.read(*row) for row in _fetch(rows.CARDS, [list(chat_ids)])]


def conversation(chat_id: int) -> Conversation | None:
    """Return everything about a chat; None where there is no such chat."""
    ids = [[chat_id]]
    with one_instant():
        found = cards([chat_id])
        if not found:
            return None
        signalling, psaps = Chat.objects.values_list("signalling", "psaps").get(pk=chat_id)
        return Conversation(
            chat=found[0],
            messages=[MessageRow(*row) for row in _fetch(rows.MESSAGES_OF_CHATS, ids)],
            fixes=[FixRow(*row) for row in _fetch(rows.FIXES_OF_CHATS, ids)],
            data=[DataRow(*row) for row in _fetch(rows.DATA_OF_CHATS, ids)],
            references=[ReferenceRow(*row) for row in _fetch(rows.REFERENCES_OF_CHATS, ids)],
            reports=[ReportRow(*row) for row in _fetch(rows.REPORTS_OF_CHATS, ids)],
            relays=[RelayRow(*row) for row in _fetch(rows.RELAYS_OF_CHATS, ids)],
            transfers=[TransferRow(*row) for row in _fetch(rows.TRANSFERS_OF_CHATS, ids)],
            notes=[NoteRow(*row) for row in _fetch(rows.NOTES_OF_CHATS, ids)],
            events=[EventRow(*row) for row in _fetch(rows.EVENTS_OF_CHATS, ids)],
            signalling=signalling,
            psaps=psaps,
        )


def open_offers() -> list[TransferRow]:
    """Return the offers of peers that ring, wait for their execution or are arriving."""
    return [TransferRow(*row) for row in _fetch(rows.OFFERS, [[]])]


def missed_events(seen: Mapping[int, int]) -> EventBatch:
    """Return the events after `seen` (chat id → last seq), by chat and in order; 5000 at most."""
    with one_instant():
        known = [list(seen.keys()), list(seen.values())]
        events = [EventRow(*r) for r in _fetch(rows.EVENTS_SINCE, [*known, LONGEST_REPLAY])]
        chat_ids = list({event.chat_id for event in events})
        message_ids = list({e.message_id for e in events if e.message_id is not None})
        return EventBatch(
            events=events,
            cards={card.id: card for card in cards(chat_ids)},
            messages={r[0]: MessageRow(*r) for r in _fetch(rows.MESSAGES, [message_ids])},
            fixes=[FixRow(*r) for r in _fetch(rows.FIXES_OF_MESSAGES, [chat_ids, message_ids])],
            data=[DataRow(*r) for r in _fetch(rows.DATA_OF_MESSAGES, [chat_ids, message_ids])],
            references=[
                ReferenceRow(*r)
                for r in _fetch(rows.REFERENCES_OF_MESSAGES, [chat_ids, message_ids])
            ],
            reports=[ReportRow(*r) for r in _fetch(rows.REPORTS_OF_CHATS, [chat_ids])],
        )


def chats_named(name: str) -> list[Chat]:
    """Return the chats that a call identifier, a unique part or an id of ours (`#12`) may mean.

    Both prefixes of the call identifier count alike, and its element identifier may be left out.
    """
    call_id = _CALL_ID_PREFIX.sub("", name.strip())
    unique_part, _, element = call_id.partition(":")
    by_call = Q(unique_part=unique_part) & ~Q(unique_part="")
    if element:
        by_call &= Q(element=element)
    if call_id == name.strip() and not element:
        digits = call_id.removeprefix("#")
        if digits.isascii() and digits.isdigit() and int(digits) < 2**63:
            by_call |= Q(pk=int(digits))
    return list(Chat.objects.filter(by_call).order_by("pk"))


def _fetch(statement: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchall()
