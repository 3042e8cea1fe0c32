"""Signs of life and their absence, put on the record many at a time, for the gateway."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from chats.models import Liveness
from chats.services.batch import Connection, EventRows, run_rows
from chats.services.chain import SYSTEM


@dataclass(frozen=True, slots=True)
class SignOfLife:
    """When and from where a chat's app was heard last."""

    chat_id: int
    at: datetime
    transport: str
    peer: str
    trunk: str


@dataclass(slots=True)
class _Head:
    id: int
    head_seq: int
    head_hash: bytes


_LOCK = b"SELECT id FROM chats_chat WHERE id = ANY(%b) ORDER BY id FOR NO KEY UPDATE SKIP LOCKED"
_SIGNS = (
    "UPDATE chats_chat AS c SET transport = t.transport, peer = t.peer, trunk = t.trunk,"
    " last_sign_of_life = greatest(c.last_sign_of_life, t.at)"
    " FROM unnest(%b::bigint[], %b::timestamptz[], %b::text[], %b::text[], %b::text[])"
    " AS t (id, at, transport, peer, trunk) WHERE c.id = t.id"
)
# What waited for the app goes out again, what only paused between attempts goes at once: both
# only where the app was heard after the last attempt.
_REQUEUE = b"""
WITH due AS (
    UPDATE chats_message AS m SET status = 'queued'
    FROM unnest(%(chats)b::bigint[], %(heard)b::timestamptz[]) AS t (chat_id, heard_at),
        chats_outboxentry AS o
    WHERE m.chat_id = t.chat_id AND m.status IN ('queued', 'deferred')
      AND o.message_id = m.id AND o.tried_at < t.heard_at
    RETURNING m.id
)
UPDATE chats_outboxentry SET due_at = least(due_at, %(now)b) FROM due WHERE message_id = due.id
"""
_SILENT = b"""
SELECT id, head_seq, head_hash FROM chats_chat
WHERE session = 'open' AND liveness <> 'lost' AND NOT standalone
  AND last_sign_of_life < %(before)b AND id <> ALL (%(heard)b)
ORDER BY id LIMIT 500 FOR NO KEY UPDATE SKIP LOCKED
"""
_LOST = (
    "UPDATE chats_chat AS c SET liveness = 'lost', head_seq = t.head_seq, head_hash = t.head_hash"
    " FROM unnest(%b::bigint[], %b::integer[], %b::bytea[]) AS t (id, head_seq, head_hash)"
    " WHERE c.id = t.id"
)


async def record_signs_of_life(connection: Connection, signs: Sequence[SignOfLife]) -> set[int]:
    """Move last signs of life; returns the chats written.

    Needs an open transaction. A chat that is held elsewhere is left out.
    """
    cursor = await connection.execute(_LOCK, ([sign.chat_id for sign in signs],))
    locked = {row[0] for row in await cursor.fetchall()}
    await run_rows(
        connection,
        _SIGNS,
        [(s.chat_id, s.at, s.transport, s.peer, s.trunk) for s in signs if s.chat_id in locked],
    )
    return locked


async def requeue_deferred(
    connection: Connection, heard: Mapping[int, datetime], *, now: datetime
) -> int:
    """Let what waited for an app go out again, now that it was heard; returns how many messages.

    `heard` tells for each chat when.
    """
    cursor = await connection.execute(
        _REQUEUE, {"chats": list(heard), "heard": list(heard.values()), "now": now}
    )
    return cursor.rowcount


async def mark_lost(
    connection: Connection, *, silent_since: datetime, heard: Collection[int], now: datetime
) -> list[int]:
    """Count open chats without a sign of life since `silent_since` as lost; returns their ids.

    `heard` are chats whose later sign of life is not written yet. Needs an open transaction.
    """
    cursor = await connection.execute(_SILENT, {"before": silent_since, "heard": list(heard)})
    heads = [_Head(*row) for row in await cursor.fetchall()]
    events = EventRows()
    for head in heads:
        events.add(
            head, "liveness-changed", at=now, actor=SYSTEM, data={"liveness": Liveness.LOST.value}
        )
    await events.insert(connection)
    await run_rows(connection, _LOST, [(h.id, h.head_seq, h.head_hash) for h in heads])
    return [head.id for head in heads]
