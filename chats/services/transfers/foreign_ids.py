"""Ids of messages and notes that are the same in the record of every PSAP (docs/transfer.md).

A message of the app goes by its request key, which is the same wherever the message arrives, also
when it is relayed; one of ours by the SIP Call-ID that it left with. What was taken over from
another record keeps the id that it has there.
"""

from collections.abc import Mapping

from django.db import connection

_OF_MESSAGES = """
SELECT m.id, CASE
  WHEN m.foreign_id <> '' THEN m.foreign_id
  WHEN j.request_key IS NOT NULL THEN 'sip:' || encode(j.request_key, 'hex')
  WHEN o.sip_call_id IS NOT NULL THEN o.sip_call_id
  ELSE 'message:' || m.id || '@' || %(own)s END
FROM chats_message m
LEFT JOIN chats_journal j ON j.id = m.journal_id
LEFT JOIN chats_outboxentry o ON o.message_id = m.id
WHERE m.chat_id = %(chat)s ORDER BY m.id
"""
_OF_NOTES = """
SELECT n.id, CASE WHEN n.foreign_id <> '' THEN n.foreign_id
  ELSE 'note:' || n.id || '@' || %(own)s END
FROM chats_note n WHERE n.chat_id = %(chat)s ORDER BY n.id
"""


def ids_of_messages(*, chat_id: int, own_uri: str) -> Mapping[int, str]:
    """Return the id of each message of a chat by its row's; `own_uri` is our public URI."""
    return _read(_OF_MESSAGES, chat_id, own_uri)


def ids_of_notes(*, chat_id: int, own_uri: str) -> Mapping[int, str]:
    """Return the id of each note of a chat by its row's."""
    return _read(_OF_NOTES, chat_id, own_uri)


def _read(statement: str, chat_id: int, own_uri: str) -> Mapping[int, str]:
    with connection.cursor() as cursor:
        cursor.execute(statement, {"chat": chat_id, "own": own_uri})
        return dict(cursor.fetchall())
