"""Locking many chats and writing their events in a few statements.

The set-based twin of `chain.append_event`, for the gateway's batches: measured here at about a
seventh of the CPU of one ORM call per row.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from psycopg import AsyncConnection, AsyncCursor

from chats.services.chain import canonical_data, event_hash

Connection = AsyncConnection[tuple[Any, ...]]
Cursor = AsyncCursor[tuple[Any, ...]]


class ChainHead(Protocol):
    """A locked chat's end of chain."""

    id: int
    head_seq: int
    head_hash: bytes


class EventRows:
    """Events of locked chats, chained as they are added and inserted at once."""

    def __init__(self) -> None:
        self._rows: list[tuple[Any, ...]] = []

    def add(
        self,
        chat: ChainHead,
        kind: str,
        *,
        at: datetime,
        actor: str,
        message_id: int | None = None,
        data: Mapping[str, Any],
    ) -> None:
        """Append one event to the chat's chain and move its head."""
        seq, data_text = chat.head_seq + 1, canonical_data(data)
        digest = event_hash(
            chat.head_hash,
            chat_id=chat.id,
            seq=seq,
            kind=kind,
            at=at,
            actor=actor,
            message_id=message_id,
            data=data_text,
        )
        self._rows.append((chat.id, seq, kind, at, actor, message_id, data_text, digest))
        chat.head_seq, chat.head_hash = seq, digest

    async def insert(self, connection: Connection) -> None:
        """Write the events; their transaction id is the server's to fill in."""
        await run_rows(connection, _INSERT_EVENTS, self._rows)


async def run_rows(connection: Connection, statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """Run a statement over `unnest(…)` with one array per column; nothing without rows."""
    if rows:
        await connection.execute(statement.encode(), list(map(list, zip(*rows, strict=True))))


def insert_statement(table: str, columns: Mapping[str, str]) -> str:
    """Compose an insert from column name → PostgreSQL type; both are ours, never a user's."""
    arrays = ", ".join(f"%b::{kind}[]" for kind in columns.values())
    names = ", ".join(columns)
    return f"INSERT INTO {table} ({names}) SELECT {names} FROM unnest({arrays}) AS t ({names})"  # noqa: S608


_INSERT_EVENTS = (
    "INSERT INTO chats_chatevent (chat_id, seq, kind, at, actor, message_id, data, hash)"
    " SELECT chat_id, seq, kind, at, actor, message_id, data::jsonb, hash"
    " FROM unnest(%b::bigint[], %b::integer[], %b::text[], %b::timestamptz[], %b::text[],"
    " %b::bigint[], %b::text[], %b::bytea[])"
    " AS t (chat_id, seq, kind, at, actor, message_id, data, hash)"
)


async def request_ids(connection: Connection, table: str, count: int) -> Cursor:
    """Ask for `count` primary keys; in a pipeline the answer comes with the next one fetched."""
    return await connection.execute(
        "SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s)",
        (table, count),
    )


async def draw_ids(connection: Connection, table: str, count: int) -> Iterator[int]:
    """Draw `count` primary keys, in ascending order."""
    return await fetch_ids(await request_ids(connection, table, count)) if count else iter(())


async def fetch_ids(cursor: Cursor) -> Iterator[int]:
    """Fetch the primary keys that were asked for."""
    return iter([row[0] for row in await cursor.fetchall()])
