"""What a journaling client was told, held against what is on the chats."""

from collections import Counter
from collections.abc import Callable
from typing import Any

from tests.support.blast import Blast
from tests.support.eventually import eventually

Rows = Callable[..., list[tuple[Any, ...]]]  # a statement and its parameters → rows

_UNPROJECTED = (
    "SELECT count(*) FROM chats_journal j LEFT JOIN chats_message m ON m.journal_id = j.id"
    " WHERE m.id IS NULL AND NOT EXISTS (SELECT FROM chats_setaside s WHERE s.journal_id = j.id)"
)
_ARRIVED = (
    "SELECT c.unique_part, m.text FROM chats_message m JOIN chats_chat c ON c.id = m.chat_id"
    " WHERE m.direction = 'in' AND m.text LIKE %s"
)


async def settled(rows: Rows, within: float = 20.0) -> None:
    """Wait until everything in the journal is on its chat, but what was set aside as poison."""
    await eventually(
        lambda: rows(_UNPROJECTED) == [(0,)], "all of the journal is on its chats", within
    )


def journaled(blast: Blast) -> set[str]:
    """Return the texts that the client has noted, on disk, as acknowledged."""
    return set(blast.journal.read_text().split())


def lost(rows: Rows, blast: Blast) -> set[str]:
    """Return acknowledged texts that are not on their chat."""
    arrivals = _arrivals(rows, blast)
    return {text for text in journaled(blast) if arrivals[_place(blast, text)] == 0}


def doubled(rows: Rows, blast: Blast) -> list[tuple[str, str]]:
    """Return texts, acknowledged or not, that are in the record more than once or astray."""
    places = {_place(blast, text) for text in blast.sent}
    arrivals = _arrivals(rows, blast)
    return [place for place, count in arrivals.items() if count > 1 or place not in places]


def _place(blast: Blast, text: str) -> tuple[str, str]:
    chat = int(text.split("-")[1])
    return blast.call_ids[chat].split(":")[-2], text


def _arrivals(rows: Rows, blast: Blast) -> Counter[tuple[str, str]]:
    return Counter(rows(_ARRIVED, f"{blast.run_id}-%"))
