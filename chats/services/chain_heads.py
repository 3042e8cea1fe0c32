"""Heads of the chains, exported beside the database: what was there then can't be rewritten.

One file a day, `YYYY-MM-DD.jsonl`, appended and synced: {"at", "chat", "seq", "hash"}.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.db import connection

# Until which transactions heads have been exported: a snapshot, not a time (see chats/rows.py).
CURSOR = ".cursor"
# Before all transactions.
NOTHING = "3:3:"

_CHANGED = """
WITH last AS (
  SELECT CASE WHEN pg_snapshot_xmax(%(last)s::pg_snapshot)
                   <= pg_snapshot_xmax(pg_current_snapshot())
         THEN %(last)s::pg_snapshot ELSE %(nothing)s::pg_snapshot END AS snapshot)
SELECT DISTINCT ON (chat_id) chat_id, seq, encode(hash, 'hex'), pg_current_snapshot()::text
FROM chats_chatevent, last
WHERE xid >= pg_snapshot_xmin(last.snapshot) AND NOT pg_visible_in_snapshot(xid, last.snapshot)
ORDER BY chat_id, seq DESC
"""


@dataclass(frozen=True, slots=True)
class Head:
    """The last event of a chat at some time; `hash` in hexadecimal."""

    at: str
    chat_id: int
    seq: int
    hash: str


def export_heads(*, directory: Path, now: datetime) -> int:
    """Append the heads of all chats with events since the last export; returns how many.

    A crash in between repeats lines and loses none. One export runs at a time.
    """
    directory.mkdir(parents=True, exist_ok=True)
    cursor_file = directory / CURSOR
    with cursor_file.open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        changed = _changed_heads(file.read().strip() or NOTHING)
        if not changed:
            return 0
        day = directory / f"{now.astimezone(UTC):%Y-%m-%d}.jsonl"
        at = now.astimezone(UTC).isoformat(timespec="seconds").removesuffix("+00:00") + "Z"
        lines = [
            json.dumps({"at": at, "chat": str(chat), "seq": seq, "hash": digest})
            for chat, seq, digest, _ in changed
        ]
        _append(day, "".join(line + "\n" for line in lines))
        file.seek(0)
        file.truncate()
        file.write(changed[0][3])
        file.flush()
        os.fsync(file.fileno())
    return len(changed)


def exported_heads(*, directory: Path, chat_id: int) -> Iterator[Head]:
    """Read back all heads of one chat, oldest first; lines cut off by a crash are left out."""
    mark = f'"chat": "{chat_id}"'
    for path in sorted(directory.glob("*.jsonl")):
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                if mark in line and line.endswith("}\n"):
                    head = json.loads(line)
                    yield Head(head["at"], chat_id, head["seq"], head["hash"])


def _changed_heads(last: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(_CHANGED, {"last": last, "nothing": NOTHING})
        return list(cursor.fetchall())


def _append(path: Path, text: str) -> None:
    is_new = not path.exists()
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o640)
    try:
        size = os.fstat(descriptor).st_size
        if size and os.pread(descriptor, 1, size - 1) != b"\n":
            text = "\n" + text  # the line that a crash cut off stays alone
        os.write(descriptor, text.encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    if is_new:
        directory = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
