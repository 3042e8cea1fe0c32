"""What messages carry beside their text, as rows: parts, positions, references, additional data."""

from datetime import datetime
from typing import Any

from psycopg.types.json import Jsonb

from chats.models import ReferenceStatus
from chats.services.incoming.records import IncomingFix, IncomingMessage
from chats.services.readings import readings_digest
from chats.services.texts import text_digest

PENDING = ReferenceStatus.PENDING.value
_USUAL = (None, None, None, None)


class Contents:
    """Rows to insert for one batch, column order as in `statements`."""

    def __init__(self) -> None:
        self.parts: list[tuple[Any, ...]] = []
        self.fixes: list[tuple[Any, ...]] = []
        self.beside: dict[int, tuple[Any, ...]] = {}  # place in `fixes` → more than the usual
        self.references: list[tuple[Any, ...]] = []
        self.additional: list[tuple[Any, ...]] = []

    def add(self, chat_id: int, message_id: int, message: IncomingMessage) -> None:
        """Add all that one message carries."""
        at = message.received_at
        for position, part in enumerate(message.parts):
            self.parts.append(
                (
                    message_id,
                    position,
                    part.content_type,
                    part.content_id,
                    part.size,
                    part.name,
                    part.sha256,
                    part.flag,
                    part.content,
                )
            )
        for fix in message.fixes:
            self._fix(chat_id, message_id, fix, at)
        for reference in message.references:
            kind, purpose, url = reference.kind, reference.purpose, reference.url
            self.references.append((chat_id, message_id, kind, purpose, url, PENDING, at))
        for kind, data in message.additional:
            self.additional.append((chat_id, message_id, kind, Jsonb(data)))

    @property
    def rich_fixes(self) -> list[tuple[Any, ...]]:
        """All fixes with what some of them have beside the usual, in one order for all."""
        return [(*row, *self.beside.get(at, _USUAL)) for at, row in enumerate(self.fixes)]

    def _fix(self, chat_id: int, message_id: int, fix: IncomingFix, received_at: datetime) -> None:
        row = (
            chat_id,
            message_id,
            fix.shape,
            fix.latitude,
            fix.longitude,
            fix.radius,
            fix.method,
            fix.at or received_at,
            fix.source,
        )
        if (fix.altitude, fix.confidence, fix.geometry, fix.civic) != _USUAL:
            geometry = None if fix.geometry is None else Jsonb(fix.geometry)
            civic = None if fix.civic is None else Jsonb(fix.civic)
            self.beside[len(self.fixes)] = (fix.altitude, fix.confidence, geometry, civic)
        self.fixes.append(row)


def what_came(message: IncomingMessage) -> dict[str, Any]:
    """Say what a message brought, content by its digest: the data of `message-received`."""
    data: dict[str, Any] = {
        "fixes": len(message.fixes),
        "msgId": message.msg_id,
        "parts": [part.sha256.hex() for part in message.parts],
        "textSha256": text_digest(message.text),
        "type": message.msg_type,
    }
    if message.fixes or message.additional:
        fixes = ((fix, fix.at or message.received_at) for fix in message.fixes)
        data["readingsSha256"] = readings_digest(fixes, message.additional)
    if message.references:
        data["references"] = len(message.references)
    return data
