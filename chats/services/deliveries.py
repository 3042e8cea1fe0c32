"""What became of a message of ours, put on the record: many at a time, for the gateway."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from chats.models import DeliveryStatus
from chats.services.batch import Connection, EventRows, run_rows
from chats.services.chain import SYSTEM
from chats.services.identifiers import new_branch


@dataclass(frozen=True, slots=True)
class Delivery:
    """The outcome of one attempt.

    `retry_at` set means that it goes out again then; `anew` that it goes as a new request (after
    a final answer), not as a repetition of the old one (after silence). `redirect_to` and
    `authorization` are what such a new request follows and shows.
    """

    message_id: int
    chat_id: int
    status: DeliveryStatus
    sip_status: int | None
    cause: str
    at: datetime
    retry_at: datetime | None = None
    anew: bool = False
    redirect_to: str = ""
    authorization: str = ""


@dataclass(slots=True)
class _Head:
    id: int
    head_seq: int
    head_hash: bytes
    next_cseq: int
    last_delivered: datetime | None


_LOCK = (
    b"SELECT id, head_seq, head_hash, next_cseq, last_delivered FROM chats_chat"
    b" WHERE id = ANY(%b) ORDER BY id FOR NO KEY UPDATE SKIP LOCKED"
)
_MESSAGES = (
    "UPDATE chats_message AS m SET status = t.status, sip_status = t.sip_status"
    " FROM unnest(%b::bigint[], %b::text[], %b::smallint[]) AS t (id, status, sip_status)"
    " WHERE m.id = t.id AND m.status = 'sending'"
)
_ENTRIES = (
    "UPDATE chats_outboxentry AS o SET lease_until = NULL, lease_holder = '', cause = t.cause,"
    " tried_at = t.tried_at, due_at = coalesce(t.due_at, o.due_at),"
    " cseq = coalesce(t.cseq, o.cseq),"
    " branch = coalesce(t.branch, o.branch),"
    " redirected_to = coalesce(nullif(t.redirected_to, ''), o.redirected_to),"
    " \"authorization\" = coalesce(nullif(t.proof, ''), o.authorization)"
    " FROM unnest(%b::bigint[], %b::text[], %b::timestamptz[], %b::integer[], %b::text[],"
    " %b::text[], %b::text[], %b::timestamptz[])"
    " AS t (id, cause, due_at, cseq, branch, redirected_to, proof, tried_at)"
    " WHERE o.message_id = t.id"
)
_CHATS = (
    "UPDATE chats_chat AS c SET head_seq = t.head_seq, head_hash = t.head_hash,"
    " next_cseq = t.next_cseq, last_delivered = t.last_delivered"
    " FROM unnest(%b::bigint[], %b::integer[], %b::bytea[], %b::integer[], %b::timestamptz[])"
    " AS t (id, head_seq, head_hash, next_cseq, last_delivered) WHERE c.id = t.id"
)


async def record_deliveries(
    connection: Connection, deliveries: Sequence[Delivery]
) -> list[Delivery]:
    """Write outcomes and their events; returns those whose chat is held elsewhere just now.

    Needs an open transaction. A retry is no event: the message goes on being on its way.
    """
    cursor = await connection.execute(_LOCK, ([d.chat_id for d in deliveries],))
    heads = {row[0]: _Head(*row) for row in await cursor.fetchall()}
    events = EventRows()
    messages: list[tuple[Any, ...]] = []
    entries: list[tuple[Any, ...]] = []
    for delivery in deliveries:
        head = heads.get(delivery.chat_id)
        if head is None:
            continue
        cseq = branch = None
        if delivery.anew:
            cseq, branch = head.next_cseq, new_branch()
            head.next_cseq += 1
        status = DeliveryStatus.QUEUED if delivery.retry_at else delivery.status
        messages.append((delivery.message_id, status.value, delivery.sip_status))
        entries.append(
            (
                delivery.message_id,
                delivery.cause,
                delivery.retry_at,
                cseq,
                branch,
                delivery.redirect_to,
                delivery.authorization,
                delivery.at,
            )
        )
        if delivery.retry_at is None:
            events.add(
                head,
                "delivery-changed",
                at=delivery.at,
                actor=SYSTEM,
                message_id=delivery.message_id,
                data={
                    "cause": delivery.cause,
                    "sipStatus": delivery.sip_status,
                    "status": status.value,
                },
            )
        if status is DeliveryStatus.DELIVERED:
            head.last_delivered = delivery.at
    async with connection.pipeline():
        await run_rows(connection, _MESSAGES, messages)
        await run_rows(connection, _ENTRIES, entries)
        await events.insert(connection)
        await run_rows(
            connection,
            _CHATS,
            [
                (h.id, h.head_seq, h.head_hash, h.next_cseq, h.last_delivered)
                for h in heads.values()
            ],
        )
    return [delivery for delivery in deliveries if delivery.chat_id not in heads]
