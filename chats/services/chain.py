"""The hash chain over a chat's events (docs/record.md gives the canonical bytes).

hash(n) = SHA-256(hash(n-1) ‖ canonical(n)); hash(0) = SHA-256("leitstand-chat:" ‖ chat id).
Content stands in an event by digest alone, so that its erasure leaves the chain provable.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from chats.models import Chat, ChatEvent

SYSTEM = "system"
CALLER = "caller"


def genesis_hash(chat_id: int) -> bytes:
    """Return hash(0) of a chat, 32 bytes."""
    return hashlib.sha256(b"leitstand-chat:%d" % chat_id).digest()


def canonical_data(data: Mapping[str, Any]) -> str:
    """Write an event's data as it is hashed: JSON without blanks, keys sorted.

    Nothing but strings, integers, booleans, null, lists and objects, so that there is one way only.
    """
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def event_hash(
    previous: bytes,
    *,
    chat_id: int,
    seq: int,
    kind: str,
    at: datetime,
    actor: str,
    message_id: int | None,
    data: str,
) -> bytes:
    """Hash one event onto its predecessor's hash; 32 bytes. `data` comes from `canonical_data`.

    Canonical bytes: a UTF-8 JSON object without blanks, keys sorted; `at` in UTC with six digits
    of microseconds.
    """
    canonical = (
        f'{{"actor":{_quoted(actor)},"at":"{_time(at)}",'
        f'"chat":{chat_id},"data":{data},"kind":{_quoted(kind)},'
        f'"message":{"null" if message_id is None else message_id},"seq":{seq}}}'
    )
    return hashlib.sha256(previous + canonical.encode()).digest()


def _time(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


@lru_cache(maxsize=4096)  # few kinds and actors, told over and over
def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def actor_of(username: str) -> str:
    """Name a call-taker as the actor of an event."""
    return f"calltaker:{username}"


@dataclass(frozen=True, slots=True)
class Happened:
    """An event that is not on its chain yet."""

    kind: str
    at: datetime
    actor: str
    data: Mapping[str, Any]
    message_id: int | None = None


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
    happened = Happened(kind, at, actor, data or {}, message_id)
    (event,) = append_events(chat_id=chat_id, events=[happened])
    return event


def append_events(*, chat_id: int, events: Sequence[Happened]) -> list[ChatEvent]:
    """Append many events to a chat's chain at once, as `append_event` does one."""
    chat = Chat.objects.select_for_update(no_key=True).only("head_seq", "head_hash").get(pk=chat_id)
    digest = bytes(chat.head_hash)
    rows = []
    for seq, event in enumerate(events, start=chat.head_seq + 1):
        digest = event_hash(
            digest,
            chat_id=chat_id,
            seq=seq,
            kind=event.kind,
            at=event.at,
            actor=event.actor,
            message_id=event.message_id,
            data=canonical_data(event.data),
        )
        rows.append(
            ChatEvent(
                chat_id=chat_id,
                seq=seq,
                kind=event.kind,
                at=event.at,
                actor=event.actor,
                message_id=event.message_id,
                data=dict(event.data),
                hash=digest,
            )
        )
    ChatEvent.objects.bulk_create(rows)
    Chat.objects.filter(pk=chat_id).update(head_seq=chat.head_seq + len(rows), head_hash=digest)
    return rows
