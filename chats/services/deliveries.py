"""What became of a message of ours, put on the record: many at a time, for the gateway."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from chats.models import DeliveryStatus, Session
from chats.services.batch import Connection, EventRows, run_rows
from chats.services.chain import SYSTEM
from chats.services.identifiers import new_branch

CANCELLED = DeliveryStatus.CANCELLED


@dataclass(frozen=True, slots=True)
class Delivery:
    """The outcome of one attempt.

    `retry_at` set means that it goes out again then; `anew` that it goes as a new request (after
    a final answer), not as a repetition of the old one (after silence). `redirect_to` and
    `authorization` are what such a new request follows and shows. `msg_type` is the message's.
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
    msg_type: int = 0


@dataclass(slots=True)
class _Head:
    id: int
    head_seq: int
    head_hash: bytes
    next_cseq: int
    last_delivered: datetime | None
    session: str


_LOCK = (
    b"SELECT id, head_seq, head_hash, next_cseq, last_delivered, session FROM chats_chat"
    b" WHERE id = ANY(%b) ORDER BY id FOR NO KEY UPDATE SKIP LOCKED"
)
# An outcome that was written down, but the answer to its COMMIT was lost, comes again.
_SENDING = b"SELECT id FROM chats_message WHERE id = ANY(%b) AND status = 'sending'"
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


# What would only be repeated although it has lost its sense: anything once the app itself has
# stopped or another PSAP has the chat, our texts once it is on its way there, our stop once it is
# open again. But a reactivation (clause 6.3.3) sends a 266 in an open chat, and a 265 after it.
_MOOT = b"""
SELECT m.id FROM chats_message m JOIN chats_chat c ON c.id = m.chat_id
WHERE m.id = ANY(%b) AND CASE c.session
    WHEN 'open' THEN m.type IN (258, 274) OR m.type = 266 AND coalesce(
        (SELECT l.type FROM chats_message l WHERE l.chat_id = c.id AND l.direction = 'out'
           AND l.id > m.id AND l.type IN (265, 266) ORDER BY l.id LIMIT 1), 266) = 266
    WHEN 'stopped' THEN
        (SELECT i.type FROM chats_message i WHERE i.chat_id = c.id AND i.direction = 'in'
         ORDER BY i.id DESC LIMIT 1) = 258
    WHEN 'transferred' THEN true
    WHEN 'arriving' THEN m.type <> 265
    ELSE m.type IN (257, 259, 265) END
"""
# The app has the time that the admin sets to go over, from when it has acknowledged the 274.
_REDIRECTS = b"""
UPDATE chats_chat c SET session_due = m.at
    + CASE WHEN m.status = 'delivered' THEN coalesce(
        (SELECT redirect_patience FROM psap_psap LIMIT 1), 20) ELSE 0 END * interval '1 second'
FROM (SELECT m.chat_id, m.status, o.tried_at AS at FROM chats_message m
      JOIN chats_outboxentry o ON o.message_id = m.id
      WHERE m.id = ANY(%b) AND m.type = 274 AND m.status IN ('delivered', 'failed')) AS m
WHERE c.id = m.chat_id AND c.session = 'redirecting'
"""


async def record_deliveries(
    connection: Connection, deliveries: Sequence[Delivery]
) -> list[Delivery]:
    """Write outcomes and their events; returns those whose chat is held elsewhere just now.

    Needs an open transaction. A retry is no event: the message goes on being on its way. Outcomes
    of messages that are not on their way any more change nothing.
    """
    async with connection.pipeline():
        locking = await connection.execute(_LOCK, ([d.chat_id for d in deliveries],))
        looking = await connection.execute(_SENDING, ([d.message_id for d in deliveries],))
        heads = {row[0]: _Head(*row) for row in await locking.fetchall()}
        sending = {row[0] for row in await looking.fetchall()}
    moot = await _moot(connection, deliveries, heads)
    events = EventRows()
    messages: list[tuple[Any, ...]] = []
    entries: list[tuple[Any, ...]] = []
    for given in deliveries:
        delivery = replace(given, status=CANCELLED, retry_at=None) if given in moot else given
        head = heads.get(delivery.chat_id)
        if head is None or delivery.message_id not in sending:
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
        if any(head.session == Session.REDIRECTING for head in heads.values()):
            await connection.execute(_REDIRECTS, ([d.message_id for d in deliveries],))
    return [delivery for delivery in deliveries if delivery.chat_id not in heads]


async def _moot(
    connection: Connection, deliveries: Sequence[Delivery], heads: Mapping[int, _Head]
) -> frozenset[Delivery]:
    again = {
        delivery.message_id: delivery
        for delivery in deliveries
        if (delivery.retry_at is not None or delivery.status is DeliveryStatus.DEFERRED)
        and delivery.chat_id in heads
    }
    if not again:
        return frozenset()
    cursor = await connection.execute(_MOOT, (list(again),))
    return frozenset([again[row[0]] for row in await cursor.fetchall()])
