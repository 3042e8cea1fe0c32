"""The body parts of a chat, and their contents as `Data` carries them: by value, else by link."""

import base64
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection

from chats.services.verify_chat import TRUNCATED

# By value up to here in all; what is beyond it is fetched (docs/transfer.md).
LARGEST_INLINE = 10 * 1024 * 1024
# Peers take 20 MiB as we do, unless their administrator says otherwise.
LARGEST_BODY = 18 * 1024 * 1024
MOST_ATTACHMENTS = 100_000
LINK = "transfer/v1/attachments/"
_BASE64 = 4 / 3

# A part that was cut stands under the digest of what is kept of it.
_PARTS = """
SELECT p.message_id, p.id, p.content_type, p.content_id, p.name, p.size, p.sha256, p.flag,
  octet_length(p.content), CASE WHEN p.flag = %(truncated)s THEN sha256(p.content) END
FROM chats_bodypart p JOIN chats_message m ON m.id = p.message_id
WHERE m.chat_id = %(chat)s ORDER BY p.message_id, p.position, p.id
"""
_CONTENTS = "SELECT p.id, p.content FROM chats_bodypart p WHERE p.id = ANY(%(parts)s)"


@dataclass(frozen=True, slots=True)
class OwnPart:
    """One body part as it stands on the record; `length` of its content, None for none."""

    id: int
    content_type: str
    content_id: str
    name: str
    size: int
    sha256: bytes
    flag: str
    length: int | None
    kept_sha256: bytes | None

    @property
    def key(self) -> bytes:
        """The digest under which its content is attached."""
        return self.kept_sha256 or self.sha256

    def written(self) -> dict[str, Any]:
        """Write it as an item of `Parts`."""
        members = {
            "Sha256": self.sha256.hex(),
            "KeptSha256": self.kept_sha256.hex() if self.kept_sha256 else "",
            "ContentType": self.content_type[:200],
            "ContentId": self.content_id[:400],
            "Name": self.name[:400],
            "Flag": self.flag,
        }
        return {**{name: value for name, value in members.items() if value}, "Size": self.size}


Parts = Mapping[int, Sequence[OwnPart]]
"""Parts by the id of their message, in order."""


def read_parts(chat_id: int) -> Parts:
    """Read the parts of all messages of a chat, without content."""
    found: defaultdict[int, list[OwnPart]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(_PARTS, {"chat": chat_id, "truncated": TRUNCATED})
        for message_id, part_id, *columns, sha256, flag, length, kept in cursor.fetchall():
            kept_sha256 = None if kept is None else bytes(kept)
            found[message_id].append(
                OwnPart(part_id, *columns, bytes(sha256), flag, length, kept_sha256)
            )
    return found


def write_attachments(parts: Parts, *, room: int) -> list[dict[str, Any]]:
    """Write each content once: by value while there is room (bytes of JSON), else by link."""
    room = min(room, int(LARGEST_INLINE * _BASE64))
    by_key: dict[bytes, OwnPart] = {}
    for part in (part for of_message in parts.values() for part in of_message):
        if part.length is not None:
            by_key.setdefault(part.key, part)
    inline: list[int] = []
    # The small ones first: one large image must not have every text fetched separately.
    for part in sorted(by_key.values(), key=lambda one: one.length or 0):
        room -= int((part.length or 0) * _BASE64) + 300
        if room < 0:
            break
        inline.append(part.id)
    contents = _read_contents(inline)
    found = (_attachment(part, contents.get(part.id)) for part in by_key.values())
    return [one for one in found if one is not None][-MOST_ATTACHMENTS:]


def _attachment(part: OwnPart, content: bytes | None) -> dict[str, Any] | None:
    written: dict[str, Any] = {
        "Sha256": part.key.hex(),
        "ContentType": part.content_type[:200],
        "Size": part.length,
    }
    if content is None and part.kept_sha256:
        return None  # there is no asking for it: parts are found by the digest of the whole
    if content is None:
        return {**written, "Url": f"{LINK}{part.key.hex()}"}
    return {**written, "Content": base64.b64encode(content).decode("ascii")}


def _read_contents(part_ids: Sequence[int]) -> Mapping[int, bytes]:
    with connection.cursor() as cursor:
        cursor.execute(_CONTENTS, {"parts": list(part_ids)})
        return {part_id: bytes(content) for part_id, content in cursor.fetchall()}
