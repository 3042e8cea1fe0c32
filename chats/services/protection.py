"""Chats that lost their protection, put on the record, for the gateway."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from chats.services.batch import Connection, EventRows, run_rows
from chats.services.chain import SYSTEM


@dataclass(frozen=True, slots=True)
class Exposure:
    """A chat to which a text left without TLS though its trunk wants it (clause 6.1.1)."""

    chat_id: int
    transport: str
    at: datetime


@dataclass(slots=True)
class _Head:
    id: int
    head_seq: int
    head_hash: bytes
    unprotected: bool


_LOCK = (
    b"SELECT id, head_seq, head_hash, unprotected FROM chats_chat"
    b" WHERE id = ANY(%b) ORDER BY id FOR NO KEY UPDATE SKIP LOCKED"
)
_CHATS = (
    "UPDATE chats_chat AS c SET unprotected = true, head_seq = t.head_seq, head_hash = t.head_hash"
    " FROM unnest(%b::bigint[], %b::integer[], %b::bytea[]) AS t (id, head_seq, head_hash)"
    " WHERE c.id = t.id"
)


async def record_unprotected(connection: Connection, exposures: Sequence[Exposure]) -> set[int]:
    """Mark chats as unprotected, each once; returns the chats that are marked now.

    Needs an open transaction. A chat that is held elsewhere is left out.
    """
    cursor = await connection.execute(_LOCK, ([one.chat_id for one in exposures],))
    heads = {row[0]: _Head(*row) for row in await cursor.fetchall()}
    marked = [heads[one.chat_id] for one in exposures if one.chat_id in heads]
    events = EventRows()
    for one in exposures:
        head = heads.get(one.chat_id)
        if head is not None and not head.unprotected:
            events.add(
                head,
                "chat-unprotected",
                at=one.at,
                actor=SYSTEM,
                data={"transport": one.transport},
            )
    await events.insert(connection)
    await run_rows(
        connection,
        _CHATS,
        [(head.id, head.head_seq, head.head_hash) for head in marked if not head.unprotected],
    )
    return set(heads)
