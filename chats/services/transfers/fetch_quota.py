"""How much a peer makes us fetch: bounded for each chat and each day, so that it fills no disk.

What is beyond is noted as missing. The sizes are the peer's words; no fetch takes more than them.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import connection

from chats.models import Transfer
from chats.services.transfers.history import HandedLink

MOST_OF_A_CHAT, MOST_OF_A_DAY = 1_000, 20_000
LARGEST = 20 * 1024 * 1024
LARGEST_OF_A_CHAT = 512 * 1024 * 1024
LARGEST_OF_A_DAY = 8 * 1024 * 1024 * 1024
A_DAY = timedelta(days=1)
BEYOND = "more attachments than are fetched from this control room"

# The largest of the parts that a content is for; a size that nobody has told counts as LARGEST.
_SIZE = "coalesce(nullif(least(max(p.size), %(largest)s), 0), %(largest)s)"
SIZE_OF = f"""
  SELECT {_SIZE} FROM chats_message m JOIN chats_bodypart p ON p.message_id = m.id
  WHERE m.chat_id = t.chat_id AND p.sha256 = f.sha256"""  # noqa: S608
_OF_A_DAY = f"""
SELECT count(*), coalesce(sum(size), 0) FROM (
  SELECT {_SIZE} AS size FROM chats_transfer t
  JOIN chats_attachmentfetch f ON f.transfer_id = t.id
  JOIN chats_message m ON m.chat_id = t.chat_id
  JOIN chats_bodypart p ON p.message_id = m.id AND p.sha256 = f.sha256
  WHERE t.peer_id = %(peer)s AND t.executed_at > %(since)s AND f.status <> 'failed'
  GROUP BY f.id) each
"""  # noqa: S608


def within_quota(
    transfer: Transfer, links: Iterable[tuple[HandedLink, int]], now: datetime
) -> list[HandedLink]:
    """Return what may be fetched of the links, with its size in bytes; the first first.

    `transfer` is the one that brought them; none of its fetches is written yet.
    """
    number, size_of_day = _of_a_day(transfer, now)
    most = min(MOST_OF_A_CHAT, MOST_OF_A_DAY - number)
    room = min(LARGEST_OF_A_CHAT, LARGEST_OF_A_DAY - size_of_day)
    allowed: list[HandedLink] = []
    for link, size in links:
        room -= min(size, LARGEST) or LARGEST
        if room < 0 or len(allowed) >= most:
            break
        allowed.append(link)
    return allowed


def _of_a_day(transfer: Transfer, now: datetime) -> tuple[int, int]:
    """How many contents the peer has made us fetch within a day, and their bytes."""
    with connection.cursor() as cursor:
        cursor.execute(
            _OF_A_DAY, {"largest": LARGEST, "peer": transfer.peer_id, "since": now - A_DAY}
        )
        number, size = cursor.fetchone()
        return int(number), int(size)
