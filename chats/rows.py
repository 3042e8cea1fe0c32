"""What screens and exports read: one row class a kind, and the SQL that fills it.

The columns of each statement stand in the order of the fields, so that Django's cursor and the
hub's own connection read alike. Every statement takes one array of ids.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class FixRow:
    """A location and the message that brought it; degrees WGS84, metres.

    Without latitude and longitude it is a civic address alone.
    """

    id: int
    chat_id: int
    message_id: int
    msg_id: int | None
    shape: str
    latitude: float | None
    longitude: float | None
    radius: float | None
    method: str
    at: datetime
    reference_id: int | None
    altitude: float | None
    confidence: float | None
    geometry: Mapping[str, Any] | None
    civic: Mapping[str, str] | None
    source: str


@dataclass(frozen=True, slots=True)
class TransferRow:
    """One attempt to transfer a chat; `by_…` who asked for it (out) or answered it (in)."""

    id: int
    chat_id: int | None
    side: str
    state: str
    peer: str
    reason: str
    cause: str
    call_id: str
    transfer_from: str
    transfer_to: str
    requested_at: datetime
    due_at: datetime | None
    expires_at: datetime | None
    execution_expires_at: datetime | None
    at_once: bool
    automatic: bool
    by_username: str | None
    by_name: str | None


@dataclass(frozen=True, slots=True)
class CardRow:
    """A chat as the queue shows it; `head_seq` is the event that it includes last.

    `fix` is the latest with a position; where none of the last hundred has one, the latest.

    `preview` is looked for in the last thousand messages, and `messages` counts to a thousand.
    """

    id: int
    head_seq: int
    call_id: str
    service: str
    session: str
    ended_by: str | None
    liveness: str
    owner_username: str | None
    owner_name: str | None
    disposition: str | None
    caller_uri: str
    asserted_uri: str
    display_name: str
    language: str
    opened_at: datetime
    answered_at: datetime | None
    ended_at: datetime | None
    ringing_since: datetime | None
    last_sign_of_life: datetime
    last_caller_text: datetime | None
    last_delivered: datetime | None
    standalone: bool
    recovered: bool
    linked_to_id: int | None
    preview: str | None
    messages: int
    test: bool
    alert: bool
    silent: bool
    unprotected: bool
    priority: str
    came_from: str
    gone_to: str
    dialect: str
    client_ends_on_redirect: bool
    client_ends_on_transfer: bool
    references_pending: int
    references_unlisted: int
    references_failed: int
    fix: FixRow | None
    transfer: TransferRow | None

    @classmethod
    def read(cls, *columns: Any) -> "CardRow":
        """Build a card from a row of CARDS, whose tail is the latest fix and transfer."""
        fix = columns[_CARD_COLUMNS:_CARD_AND_FIX_COLUMNS]
        transfer = columns[_CARD_AND_FIX_COLUMNS:]
        return cls(
            *columns[:_CARD_COLUMNS],
            FixRow(*fix) if fix[0] is not None else None,
            TransferRow(*transfer) if transfer[0] is not None else None,
        )


_CARD_COLUMNS = 39
_CARD_AND_FIX_COLUMNS = _CARD_COLUMNS + len(fields(FixRow))


@dataclass(frozen=True, slots=True)
class MessageRow:
    """A message either way; `parts` in their order, digests in hexadecimal.

    `origin` and `role` say of one that was taken over whose record it is from, and who wrote it.
    """

    id: int
    chat_id: int
    direction: str
    type: int
    msg_id: int | None
    text: str
    status: str
    sip_status: int | None
    cause: str | None
    author_username: str | None
    author_name: str | None
    at: datetime
    flags: list[str]
    origin: str
    role: str
    parts: list[Mapping[str, Any]] | None


@dataclass(frozen=True, slots=True)
class DataRow:
    """A block of additional data (RFC 7852)."""

    chat_id: int
    message_id: int
    kind: str
    data: Mapping[str, Any]
    reference_id: int | None


@dataclass(frozen=True, slots=True)
class ReferenceRow:
    """Something that a message names by its URL, and how its fetching goes."""

    id: int
    chat_id: int
    message_id: int
    kind: str
    purpose: str
    url: str
    status: str
    cause: str
    allowed_by: str | None


@dataclass(frozen=True, slots=True)
class ReportRow:
    """A report of the chat's source to the BCF."""

    id: int
    chat_id: int
    status: str
    source: str
    reason: str
    by_username: str
    by_name: str
    at: datetime
    http_status: int | None
    cause: str


@dataclass(frozen=True, slots=True)
class RelayRow:
    """A message that goes on to the PSAP which has its chat now."""

    message_id: int
    target: str
    status: str
    sip_status: int | None


@dataclass(frozen=True, slots=True)
class NoteRow:
    """What a PSAP has noted about a chat; `origin` its URI, empty for ours."""

    id: int
    at: datetime
    text: str
    origin: str


@dataclass(frozen=True, slots=True)
class EventRow:
    """Something that happened to a chat; `hash` in hexadecimal."""

    chat_id: int
    seq: int
    kind: str
    at: datetime
    actor: str
    message_id: int | None
    data: Mapping[str, Any]
    hash: str


_NAME = "coalesce(nullif(concat_ws(' ', nullif({0}.first_name, ''), nullif({0}.last_name, '')), ''), {0}.username)"  # noqa: E501

_FIX_COLUMNS = (
    "f.id, f.chat_id, f.message_id, fm.msg_id, f.shape, f.latitude, f.longitude, f.radius,"
    " f.method, f.at, f.reference_id, f.altitude, f.confidence, f.geometry::json, f.civic::json,"
    " f.source"
)
_FIXES = (
    f"SELECT {_FIX_COLUMNS} FROM chats_locationfix f"  # noqa: S608
    " JOIN chats_message fm ON fm.id = f.message_id"
)
FIXES_OF_CHATS = f"{_FIXES} WHERE f.chat_id = ANY(%s) ORDER BY f.id"
FIXES_OF_MESSAGES = f"{_FIXES} WHERE f.chat_id = ANY(%s) AND f.message_id = ANY(%s) ORDER BY f.id"

# Who asked stands in a row of ours to give a chat away, who answered in one of an offer to us.
_TRANSFERS = (
    "SELECT t.id, t.chat_id, t.side, t.state, t.peer_name, t.reason, t.cause, t.call_id,"  # noqa: S608
    " t.transfer_from, t.transfer_to, t.requested_at, t.due_at, t.expires_at,"
    " t.execution_expires_at, t.at_once, t.automatic, tu.username,"
    f" {_NAME.format('tu')}"
    " FROM chats_transfer t"
    " LEFT JOIN psap_user tu ON tu.id = coalesce(t.answered_by_id, t.requested_by_id)"
)
TRANSFERS_OF_CHATS = f"{_TRANSFERS} WHERE t.chat_id = ANY(%s) ORDER BY t.id"
OPEN_OFFERS = ("offered", "accepted", "executing")
# The open ones, all of which have a due_at, and how those fare that were open before.
OFFERS = (
    f"{_TRANSFERS} WHERE t.due_at IS NOT NULL AND t.side = 'in' AND t.state IN {OPEN_OFFERS}"
    f" UNION ALL {_TRANSFERS} WHERE t.id = ANY(%s)"
    f" AND NOT (t.due_at IS NOT NULL AND t.side = 'in' AND t.state IN {OPEN_OFFERS})"
    " ORDER BY 1"
)

# A card is read with each event: what it costs must not grow with the chat.
_LOOKED_AT = 1000
_POSITIONS_LOOKED_AT = 100

CARDS = f"""
SELECT c.id, c.head_seq, c.call_id, c.service, c.session, c.ended_by, c.liveness,
  u.username, {_NAME.format("u")}, c.disposition, c.caller_uri, c.asserted_uri, c.display_name,
  c.language, c.opened_at, c.answered_at, c.ended_at, c.ringing_since, c.last_sign_of_life,
  c.last_caller_text, c.last_delivered, c.standalone, c.recovered, c.linked_to_id,
  (SELECT left(late.text, 120) FROM
    (SELECT m.id, m.direction, m.text FROM chats_message m WHERE m.chat_id = c.id
     ORDER BY m.id DESC LIMIT {_LOOKED_AT}) AS late
    WHERE late.direction = 'in' AND late.text <> '' ORDER BY late.id DESC LIMIT 1),
  (SELECT count(*) FROM
    (SELECT FROM chats_message m WHERE m.chat_id = c.id LIMIT {_LOOKED_AT}) AS counted),
  c.test, c.alert, c.silent, c.unprotected, c.priority, c.came_from, c.gone_to,
  c.dialect, c.dialect <> '' OR coalesce(l.on_redirect, false),
  c.dialect <> '' OR coalesce(l.on_transfer, false), r.pending, r.unlisted, r.failed,
  f.*, h.*
FROM chats_chat c
LEFT JOIN psap_user u ON u.id = c.owner_id
LEFT JOIN LATERAL (
  SELECT bool_or(k.ends_on_redirect) AS on_redirect, bool_or(k.ends_on_transfer) AS on_transfer
  FROM psap_limitedclient k WHERE position(lower(k.user_agent) IN lower(c.user_agent)) > 0
) l ON true
LEFT JOIN LATERAL (
  SELECT count(*) FILTER (WHERE e.status = 'pending') AS pending,
    count(*) FILTER (WHERE e.status = 'unlisted') AS unlisted,
    count(*) FILTER (WHERE e.status = 'failed') AS failed
  FROM chats_reference e WHERE e.chat_id = c.id
) r ON true
LEFT JOIN LATERAL ({_FIXES} WHERE f.id = coalesce(
  (SELECT late.id FROM
    (SELECT p.id, p.latitude FROM chats_locationfix p WHERE p.chat_id = c.id
     ORDER BY p.id DESC LIMIT {_POSITIONS_LOOKED_AT}) AS late
    WHERE late.latitude IS NOT NULL ORDER BY late.id DESC LIMIT 1),
  (SELECT max(p.id) FROM chats_locationfix p WHERE p.chat_id = c.id)
)) f ON true
LEFT JOIN LATERAL ({_TRANSFERS} WHERE t.chat_id = c.id ORDER BY t.id DESC LIMIT 1) h ON true
WHERE c.id = ANY(%s) ORDER BY c.id
"""  # noqa: S608

_MESSAGES = f"""
SELECT m.id, m.chat_id, m.direction, m.type, m.msg_id, m.text, m.status, m.sip_status, o.cause,
  u.username, {_NAME.format("u")}, m.at, m.flags, m.origin, m.role,
  (SELECT json_agg(json_build_object('id', p.id::text, 'name', p.name,
     'contentType', p.content_type, 'size', p.size, 'sha256', encode(p.sha256, 'hex'),
     'flag', p.flag) ORDER BY p.position)
   FROM chats_bodypart p WHERE p.message_id = m.id)
FROM chats_message m
LEFT JOIN chats_outboxentry o ON o.message_id = m.id
LEFT JOIN psap_user u ON u.id = m.author_id
"""  # noqa: S608
MESSAGES_OF_CHATS = f"{_MESSAGES} WHERE m.chat_id = ANY(%s) ORDER BY m.id"
MESSAGES = f"{_MESSAGES} WHERE m.id = ANY(%s) ORDER BY m.id"

_DATA = "SELECT chat_id, message_id, kind, data::json, reference_id FROM chats_additionaldata"
DATA_OF_CHATS = f"{_DATA} WHERE chat_id = ANY(%s) ORDER BY id"
DATA_OF_MESSAGES = f"{_DATA} WHERE chat_id = ANY(%s) AND message_id = ANY(%s) ORDER BY id"

_REFERENCES = (
    "SELECT r.id, r.chat_id, r.message_id, r.kind, r.purpose, r.url, r.status, r.cause,"
    " u.username FROM chats_reference r LEFT JOIN psap_user u ON u.id = r.allowed_by_id"
)
REFERENCES_OF_CHATS = f"{_REFERENCES} WHERE r.chat_id = ANY(%s) ORDER BY r.id"
REFERENCES_OF_MESSAGES = (
    f"{_REFERENCES} WHERE r.chat_id = ANY(%s) AND r.message_id = ANY(%s) ORDER BY r.id"
)
_REPORTS = (
    f"SELECT r.id, r.chat_id, r.status, r.source, r.reason, u.username, {_NAME.format('u')},"  # noqa: S608
    " r.at, r.http_status, r.cause"
    " FROM chats_sourcereport r JOIN psap_user u ON u.id = r.reported_by_id"
)
REPORTS_OF_CHATS = f"{_REPORTS} WHERE r.chat_id = ANY(%s) ORDER BY r.id"

RELAYS_OF_CHATS = (
    "SELECT message_id, target, status, sip_status FROM chats_relay"
    " WHERE chat_id = ANY(%s) ORDER BY message_id"
)

NOTES_OF_CHATS = (
    "SELECT id, at, text, origin FROM chats_note WHERE chat_id = ANY(%s) ORDER BY at, id"
)

EVENT_COLUMNS = (
    "e.chat_id, e.seq, e.kind, e.at, e.actor, e.message_id, e.data::json, encode(e.hash, 'hex')"
)
EVENTS_OF_CHATS = (
    f"SELECT {EVENT_COLUMNS} FROM chats_chatevent e"  # noqa: S608
    " WHERE e.chat_id = ANY(%s) ORDER BY e.chat_id, e.seq"
)
# Two arrays side by side: chat ids, and the last event that is known of each.
EVENTS_SINCE = (
    f"SELECT {EVENT_COLUMNS} FROM unnest(%s::bigint[], %s::bigint[]) AS known (chat_id, seq)"  # noqa: S608
    " JOIN chats_chatevent e ON e.chat_id = known.chat_id AND e.seq > known.seq"
    " ORDER BY e.chat_id, e.seq LIMIT %s"
)
# Visible now and not visible in the snapshot before: in whatever order transactions committed,
# and however long one of them stays open, each event is read exactly once.
EVENTS_AFTER_SNAPSHOT = (
    f"SELECT pg_current_snapshot()::text, {EVENT_COLUMNS} FROM (SELECT) AS always"  # noqa: S608
    " LEFT JOIN chats_chatevent e"
    " ON e.xid >= pg_snapshot_xmin(%(previous)s::pg_snapshot)"
    " AND NOT pg_visible_in_snapshot(e.xid, %(previous)s::pg_snapshot)"
    " ORDER BY e.chat_id, e.seq LIMIT %(most)s"
)
