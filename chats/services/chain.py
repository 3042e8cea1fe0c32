"""The hash chain over a chat's events (docs/record.md gives the canonical bytes).

hash(n) = SHA-256(hash(n-1) ‖ canonical(n)); hash(0) = SHA-256("leitstand-chat:" ‖ chat id).
Content stands in an event by digest alone, so that its erasure leaves the chain provable.
"""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from chats.models import Chat, ChatEvent

SYSTEM = "system"
CALLER = "caller"


def genesis_hash(chat_id: int) -> bytes:
    """Return hash(0) of a chat, 32 bytes."""
    return hashlib.sha256(b"leitstand-chat:%d" % chat_id).digest()


def event_hash(
    previous: bytes,
    *,
    chat_id: int,
    seq: int,
    kind: str,
    at: datetime,
    actor: str,
    message_id: int | None,
    data: Mapping[str, Any],
) -> bytes:
    """Hash one event onto its predecessor's hash; 32 bytes.

    Canonical bytes: UTF-8 JSON without blanks, keys sorted, nothing but strings, integers,
    booleans, null, lists and objects; `at` in UTC with six digits of microseconds.
    """
    canonical = json.dumps(
        {
            "actor": actor,
            "at": at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "chat": chat_id,
            "data": data,
            "kind": kind,
            "message": message_id,
            "seq": seq,
        },
        sort_keys=True,
        separators=(",", ":"),
        ensure_ascii=False,
    )
    return hashlib.sha256(previous + canonical.encode()).digest()


def actor_of(username: str) -> str:
    """Name a call-taker as the actor of an event."""
    return f"calltaker:{username}"


def append_event(
    *,
    chat_id: int,
    kind: str,
    at: datetime,
    actor: str,
    message_id: int | None = None,
    data: Mapping[str, Any] | None = None,
) -> ChatEvent:
    """Append one event to a chat's chain; locks the chat's row, so call it in a transaction."""
    chat = Chat.objects.select_for_update(no_key=True).only("head_seq", "head_hash").get(pk=chat_id)
    seq = chat.head_seq + 1
    data = dict(data or {})
    digest = event_hash(
        bytes(chat.head_hash),
        chat_id=chat_id,
        seq=seq,
        kind=kind,
        at=at,
        actor=actor,
        message_id=message_id,
        data=data,
    )
    event = ChatEvent(
        chat_id=chat_id,
        seq=seq,
        kind=kind,
        at=at,
        actor=actor,
        message_id=message_id,
        data=data,
        hash=digest,
    )
    event.save(force_insert=True)
    Chat.objects.filter(pk=chat_id).update(head_seq=seq, head_hash=digest)
    return event
