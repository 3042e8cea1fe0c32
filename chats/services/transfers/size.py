"""How large the execution of a chat would be, before anybody is asked or the app is told to wait.

Attachments go by link where there is no room for them; everything else has to fit.
"""

from django.db import connection

from chats.models import Chat

LARGEST = 19 * 1024 * 1024
"""Peers take 20 MiB, as we do, unless their administrator says otherwise."""

# As rows: names of columns instead of members, but the same texts, escaped as JSON wants it. What
# is left out of an execution (transfer_api/profile/writer.py) does not count.
_ESTIMATE = """
SELECT coalesce(sum(octet_length(row_to_json(r)::text)), 0) FROM (
  SELECT * FROM chats_message WHERE chat_id = %(chat)s ORDER BY id DESC LIMIT 50000) r
UNION ALL SELECT coalesce(sum(octet_length(row_to_json(r)::text)), 0) FROM (
  SELECT * FROM chats_locationfix WHERE chat_id = %(chat)s ORDER BY id DESC LIMIT 100000) r
UNION ALL SELECT coalesce(sum(octet_length(row_to_json(r)::text)), 0) FROM (
  SELECT * FROM chats_additionaldata WHERE chat_id = %(chat)s ORDER BY id DESC LIMIT 10000) r
UNION ALL SELECT coalesce(sum(octet_length(row_to_json(r)::text)), 0) FROM (
  SELECT * FROM chats_reference WHERE chat_id = %(chat)s ORDER BY id DESC LIMIT 10000) r
UNION ALL SELECT coalesce(sum(octet_length(row_to_json(r)::text)), 0) FROM (
  SELECT * FROM chats_note WHERE chat_id = %(chat)s ORDER BY id DESC LIMIT 1000) r
UNION ALL SELECT coalesce(sum(500 + octet_length(p.name)), 0) FROM chats_bodypart p
  JOIN chats_message m ON m.id = p.message_id WHERE m.chat_id = %(chat)s
UNION ALL SELECT octet_length(signalling::text) FROM chats_chat WHERE id = %(chat)s
"""


def is_too_large(chat: Chat) -> bool:
    """Whether a peer would answer the execution of a chat 413."""
    return estimated_size(chat) > LARGEST


def estimated_size(chat: Chat) -> int:
    """Estimate the bytes of an execution's body without attachments, from above."""
    with connection.cursor() as cursor:
        cursor.execute(_ESTIMATE, {"chat": chat.pk})
        return sum(int(size) for (size,) in cursor.fetchall())
