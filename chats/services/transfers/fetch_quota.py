"""How much a peer makes us fetch: bounded for each chat and each day, so that it fills no disk.

What is beyond is noted as missing. The sizes are the peer's words; no fetch takes more than them.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import connection

from chats.models import Transfer
from chats.services.transfers.history import HandedLink

MOST_OF_A_CHAT = 1_000
LARGEST = 20 * 1024 * 1024
LARGEST_OF_A_CHAT = 512 * 1024 * 1024
LARGEST_OF_A_DAY = 8 * 1024 * 1024 * 1024
A_DAY = timedelta(days=1)
BEYOND = "more attachments than are fetched from this control room"

# The largest of the parts that a content is for; a size that nobody has told counts as LARGEST.
SIZE_OF = """
  SELECT coalesce(nullif(least(max(p.size), %(largest)s), 0), %(largest)s)
  FROM chats_message m JOIN chats_bodypart p ON p.message_id = m.id
  WHERE m.chat_id = t.chat_id AND p.sha256 = f.sha256"""
_OF_A_DAY = f"""
SELECT coalesce(sum(({SIZE_OF})), 0) FROM chats_transfer t
JOIN chats_attachmentfetch f ON f.transfer_id = t.id
WHERE t.peer_id = %(peer)s AND t.executed_at > %(since)s AND f.status <> 'failed'
"""  # noqa: S608


def within_quota(
    transfer: Transfer, links: Iterable[tuple[HandedLink, int]], now: datetime
) -> list[HandedLink]:
    """Return what may be fetched of the links, with its size in bytes; the first first.

    `transfer` is the one that brought them; none of its fetches is written yet.
    """
    room = min(LARGEST_OF_A_CHAT, LARGEST_OF_A_DAY - _of_a_day(transfer, now))
    allowed: list[HandedLink] = []
    for link, size in links:
        room -= min(size, LARGEST) or LARGEST
        if room < 0 or len(allowed) >= MOST_OF_A_CHAT:
            break
        allowed.append(link)
    return allowed


def _of_a_day(transfer: Transfer, now: datetime) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            _OF_A_DAY, {"largest": LARGEST, "peer": transfer.peer_id, "since": now - A_DAY}
        )
        return int(cursor.fetchone()[0])
