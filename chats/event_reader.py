"""Reading new events over a connection of the hub's own, each committed event exactly once."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import psycopg
from django.db import connections

from chats import rows
from chats.rows import (
    CardRow,
    DataRow,
    EventRow,
    FixRow,
    MessageRow,
    ReferenceRow,
    ReportRow,
    TransferRow,
)
from chats.selectors import EventBatch

# Index scans even before the first ANALYZE: the newest rows of a large table are all it reads.
_OPTIONS = (
    "-c timezone=UTC -c enable_seqscan=off -c statement_timeout=10000"
    " -c default_transaction_isolation=repeatable\\ read -c default_transaction_read_only=on"
)
# The gateway writes signs of life in batches, some seconds after they were seen.
_SIGNS_OVERLAP = timedelta(seconds=10)

# More than this at once is no news but a backlog, such as after a long outage.
LONGEST_READ = 20_000

Connection = psycopg.AsyncConnection[tuple[Any, ...]]


class TooFarBehind(Exception):
    """More has happened since the last read than can be told one by one; the next read goes on."""


class EventReader:
    """Follows the event table by the difference of snapshots; survives its connections."""

    def __init__(self) -> None:
        self._snapshot: str | None = None
        self._signs: dict[int, datetime] | None = None
        self._newest_sign: datetime | None = None

    async def connect(self) -> Connection:
        """Open a connection; from the first one on, no event is missed."""
        settings = connections["default"].settings_dict
        connection = await psycopg.AsyncConnection.connect(
            dbname=settings["NAME"],
            user=settings["USER"] or None,
            password=settings["PASSWORD"] or None,
            host=settings["HOST"] or None,
            port=settings["PORT"] or None,
            application_name="leitstand hub",
            connect_timeout=5,
            options=_OPTIONS,
        )
        if self._snapshot is None:
            found = await _fetch(connection, "SELECT pg_current_snapshot()::text", [])
            self._snapshot = found[0][0]
            await connection.commit()
        return connection

    async def read(self, connection: Connection) -> EventBatch | None:
        """Return what was committed since the last read, as of one instant; None for nothing.

        Raises TooFarBehind, once, where that is too much.
        """
        found = await _fetch(
            connection,
            rows.EVENTS_AFTER_SNAPSHOT,
            {"previous": self._snapshot, "most": LONGEST_READ + 1},
        )
        if len(found) > LONGEST_READ:
            await connection.commit()
            self._snapshot = found[0][0]
            raise TooFarBehind
        events = [EventRow(*row[1:]) for row in found if row[1] is not None]
        batch = await _complete(connection, events) if events else None
        await connection.commit()
        self._snapshot = found[0][0]
        return batch

    async def offers(self, connection: Connection, known: Sequence[int]) -> list[TransferRow]:
        """Return the open offers of peers, and the `known` ones as they stand now."""
        found = await _fetch(connection, rows.OFFERS, [list(known)])
        await connection.commit()
        return [TransferRow(*row) for row in found]

    async def signs(self, connection: Connection) -> dict[int, datetime]:
        """Return the signs of life of chats in the queue that are newer than those before."""
        since = self._newest_sign and self._newest_sign - _SIGNS_OVERLAP
        found = await _fetch(
            connection,
            "SELECT id, last_sign_of_life FROM chats_chat WHERE disposition IS NULL"
            " AND last_sign_of_life > coalesce(%s::timestamptz, '-infinity')",
            [since],
        )
        await connection.commit()
        current = dict(found)
        known, self._signs = self._signs, current
        self._newest_sign = max(current.values(), default=self._newest_sign)
        if known is None:  # the snapshots that consoles start from have these
            return {}
        return {chat: at for chat, at in current.items() if known.get(chat) != at}


async def _complete(connection: Connection, events: list[EventRow]) -> EventBatch:
    chats = list({event.chat_id for event in events})
    messages = list({e.message_id for e in events if e.message_id is not None})
    # What an event brought is looked for where its data says that there is something.
    located = [e.message_id for e in events if e.message_id and _has_fixes(e)]
    with_data = [e.message_id for e in events if e.kind in _BRINGS_DATA and _has_data(e)]
    naming = [e.message_id for e in events if e.message_id and _names_references(e)]
    reported = [e.chat_id for e in events if e.kind == "source-reported"]
    return EventBatch(
        events=events,
        cards={r[0]: CardRow.read(*r) for r in await _fetch(connection, rows.CARDS, [chats])},
        messages={r[0]: MessageRow(*r) for r in await _rows(connection, rows.MESSAGES, messages)},
        fixes=[FixRow(*r) for r in await _rows(connection, rows.FIXES_OF_MESSAGES, located, chats)],
        data=[
            DataRow(*r) for r in await _rows(connection, rows.DATA_OF_MESSAGES, with_data, chats)
        ],
        references=[
            ReferenceRow(*r)
            for r in await _rows(connection, rows.REFERENCES_OF_MESSAGES, naming, chats)
        ],
        reports=[ReportRow(*r) for r in await _rows(connection, rows.REPORTS_OF_CHATS, reported)],
    )


_BRINGS_DATA = ("message-received", "message-imported", "message-supplemented", "data-fetched")


def _has_data(event: EventRow) -> bool:
    return bool(event.data.get("parts") or event.data.get("blocks")) or _was_read(event)


def _has_fixes(event: EventRow) -> bool:
    return bool(event.data.get("fixes"))


def _names_references(event: EventRow) -> bool:
    return "references" in event.data or "reference" in event.data or _was_read(event)


def _was_read(event: EventRow) -> bool:
    """Whether a message that was taken over brought what its transferor had read from it."""
    return event.kind == "message-imported" and "readingsSha256" in event.data


async def _rows(
    connection: Connection, statement: str, ids: Sequence[int | None], *before: Sequence[int]
) -> list[tuple[Any, ...]]:
    """Run a statement over some ids, with other arrays `before` them; nothing without ids."""
    return await _fetch(connection, statement, [*before, ids]) if ids else []


async def _fetch(
    connection: Connection, statement: str, parameters: Sequence[Any] | dict[str, Any]
) -> list[tuple[Any, ...]]:
    cursor = await connection.execute(statement.encode(), parameters)
    return await cursor.fetchall()
