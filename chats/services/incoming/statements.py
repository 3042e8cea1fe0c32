"""SQL of the projection: one statement a table, one array a column."""

from dataclasses import fields

from chats.services.batch import insert_statement
from chats.services.incoming.records import ChatState

CHAT_COLUMNS = tuple(field.name for field in fields(ChatState) if field.name != "changed")
_SELECT_CHATS = f"SELECT {', '.join(CHAT_COLUMNS)} FROM chats_chat"  # noqa: S608

# `unique_part <> ''` lets PostgreSQL use the partial unique index.
LOCK_CHATS = (
    f"{_SELECT_CHATS} WHERE unique_part = ANY(%b) AND unique_part <> ''"
    " ORDER BY id FOR NO KEY UPDATE SKIP LOCKED"
)
FIND_CHATS = (
    "SELECT id, unique_part, element, caller_uri, asserted_uri FROM chats_chat"
    " WHERE unique_part = ANY(%b) AND unique_part <> '' ORDER BY id"
)

_NEW = {
    "id": "bigint",
    "call_id": "text",
    "unique_part": "text",
    "element": "text",
    "service": "text",
    "session": "text",
    "liveness": "text",
    "caller_uri": "text",
    "asserted_uri": "text",
    "target_uri": "text",
    "display_name": "text",
    "language": "text",
    "user_agent": "text",
    "standalone": "boolean",
    "recovered": "boolean",
    "linked_to_id": "bigint",
    "opened_at": "timestamptz",
    "last_sign_of_life": "timestamptz",
    "trunk": "text",
    "transport": "text",
    "peer": "text",
    "local_tag": "text",
    "next_msg_id": "integer",
    "next_cseq": "integer",
    "head_seq": "integer",
    "head_hash": "bytea",
    "test": "boolean",
    "alert": "boolean",
    "silent": "boolean",
    "dialect": "text",
    "priority": "text",
    "signalling": "jsonb",
    "came_from": "text",
}
NEW_COLUMNS = tuple(_NEW)
INSERT_CHATS = insert_statement("chats_chat", _NEW) + " ON CONFLICT DO NOTHING RETURNING id"

INSERT_MESSAGES = (
    "INSERT INTO chats_message"
    " (id, chat_id, journal_id, direction, type, msg_id, text, status, at, flags)"
    " SELECT id, chat_id, journal_id, direction, type, msg_id, text, status, at,"
    " string_to_array(flags, ' ') FROM unnest(%b::bigint[], %b::bigint[], %b::bigint[],"
    " %b::text[], %b::integer[], %b::bigint[], %b::text[], %b::text[], %b::timestamptz[],"
    " %b::text[])"
    " AS t (id, chat_id, journal_id, direction, type, msg_id, text, status, at, flags)"
)
INSERT_PARTS = insert_statement(
    "chats_bodypart",
    {
        "message_id": "bigint",
        "position": "smallint",
        "content_type": "text",
        "content_id": "text",
        "size": "integer",
        "name": "text",
        "sha256": "bytea",
        "flag": "text",
        "content": "bytea",
    },
)
_FIXES = {
    "chat_id": "bigint",
    "message_id": "bigint",
    "shape": "text",
    "latitude": "float8",
    "longitude": "float8",
    "radius": "float8",
    "method": "text",
    "at": "timestamptz",
    "source": "text",
}
INSERT_FIXES = insert_statement("chats_locationfix", _FIXES)
INSERT_RICH_FIXES = insert_statement(
    "chats_locationfix",
    {
        **_FIXES,
        "altitude": "float8",
        "confidence": "float8",
        "geometry": "jsonb",
        "civic": "jsonb",
    },
)
INSERT_REFERENCES = (
    "INSERT INTO chats_reference (chat_id, message_id, kind, purpose, url, status, due_at)"
    " SELECT DISTINCT ON (chat_id, kind, url) chat_id, message_id, kind, purpose, url, status,"
    " due_at FROM unnest(%b::bigint[], %b::bigint[], %b::text[], %b::text[], %b::text[],"
    " %b::text[], %b::timestamptz[])"
    " AS t (chat_id, message_id, kind, purpose, url, status, due_at)"
    " WHERE NOT EXISTS (SELECT FROM chats_reference r WHERE r.chat_id = t.chat_id"
    " AND r.kind = t.kind AND r.url = t.url AND r.status IN ('pending', 'unlisted'))"
    " ORDER BY chat_id, kind, url, message_id"
)
INSERT_ADDITIONAL = insert_statement(
    "chats_additionaldata",
    {"chat_id": "bigint", "message_id": "bigint", "kind": "text", "data": "jsonb"},
)
INSERT_OUTBOX = (
    "INSERT INTO chats_outboxentry"
    " (message_id, sip_call_id, cseq, branch, due_at, attempts, lease_holder, cause,"
    ' redirected_to, "authorization")'
    " SELECT message_id, sip_call_id, cseq, branch, due_at, 0, '', '', '', ''"
    " FROM unnest(%b::bigint[], %b::text[], %b::integer[], %b::text[], %b::timestamptz[])"
    " AS t (message_id, sip_call_id, cseq, branch, due_at)"
)

INSERT_RELAYS = (
    "INSERT INTO chats_relay (message_id, chat_id, target, branch, status, due_at)"
    " SELECT * FROM unnest(%b::bigint[], %b::bigint[], %b::text[], %b::text[], %b::text[],"
    " %b::timestamptz[])"
)
# Rows that a sender has claimed meanwhile are on their way and not among these.
UNSENT = (
    "SELECT chat_id, id, type FROM chats_message WHERE chat_id = ANY(%b) AND direction = 'out'"
    " AND status IN ('queued', 'deferred') ORDER BY id FOR UPDATE"
)
CANCEL = (
    "UPDATE chats_message SET status = 'cancelled'"
    " FROM unnest(%b::bigint[]) AS t (message_id) WHERE id = t.message_id"
)
LOCK_ALERTS = (
    f"{_SELECT_CHATS} WHERE caller_uri = ANY(%b) AND alert AND disposition IS NULL"
    " AND unique_part = '' ORDER BY id FOR NO KEY UPDATE SKIP LOCKED"
)

# What every message changes, and what only an opening, an end or a new fact about the caller does.
_MOVED = {
    "last_sign_of_life": "timestamptz",
    "last_caller_text": "timestamptz",
    "trunk": "text",
    "transport": "text",
    "peer": "text",
    "last_in_msg_id": "bigint",
    "head_seq": "integer",
    "head_hash": "bytea",
}
_CHANGED = {
    **_MOVED,
    "session": "text",
    "ended_by": "text",
    "liveness": "text",
    "owner_id": "bigint",
    "disposition": "text",
    "asserted_uri": "text",
    "target_uri": "text",
    "display_name": "text",
    "language": "text",
    "recovered": "boolean",
    "ringing_since": "timestamptz",
    "ended_at": "timestamptz",
    "closed_at": "timestamptz",
    "next_msg_id": "integer",
    "next_cseq": "integer",
    "test": "boolean",
    "silent": "boolean",
    "unprotected": "boolean",
    "dialect": "text",
    "priority": "text",
    "signalling": "jsonb",
    "came_from": "text",
    "gone_to": "text",
    "session_due": "timestamptz",
}
MOVED_COLUMNS = ("id", *_MOVED)
CHANGED_COLUMNS = ("id", *_CHANGED)


def _update_chats(columns: dict[str, str]) -> str:
    return (
        f"UPDATE chats_chat AS c SET {', '.join(f'{name} = t.{name}' for name in columns)}"  # noqa: S608
        f" FROM unnest(%b::bigint[], {', '.join(f'%b::{kind}[]' for kind in columns.values())})"
        f" AS t (id, {', '.join(columns)}) WHERE c.id = t.id"
    )


MOVE_CHATS = _update_chats(_MOVED)
UPDATE_CHATS = _update_chats(_CHANGED)
