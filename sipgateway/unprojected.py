"""What is in the journal and on no chat: found after a crash, and looked for ever after."""

from dataclasses import replace
from datetime import datetime

from chats.services.incoming import IncomingMessage
from sipgateway.bridged import PJSUA2, flags_of, read_message
from sipgateway.configuration import Configuration
from sipgateway.database import Connection
from sipgateway.interpret import interpret
from sipgateway.protocol.headers import Headers
from sipgateway.protocol.lmpe import identify, identify_caller
from sipgateway.protocol.message import Request

MOST_AT_ONCE = 1000

_LOAD = b"""
SELECT j.id, j.received_at, j.trunk, j.transport, j.peer, j.trusted, j.raw
FROM chats_journal j LEFT JOIN chats_message m ON m.journal_id = j.id
WHERE j.id > (SELECT coalesce(max(journal_id), 0) FROM chats_projectionmark) AND j.id > %(after)b
  AND m.id IS NULL AND j.received_at <= %(before)b
  AND (%(transport)b = '' OR j.transport = %(transport)b)
  AND NOT EXISTS (SELECT FROM chats_setaside s WHERE s.journal_id = j.id)
ORDER BY j.id LIMIT %(most)b
"""
_LOAD_SET_ASIDE = b"""
SELECT j.id, j.received_at, j.trunk, j.transport, j.peer, j.trusted, j.raw
FROM chats_setaside s JOIN chats_journal j ON j.id = s.journal_id
ORDER BY j.id LIMIT %(most)b
"""
# Everything older than `before` is committed, so ids below the first gap stay projected. What was
# set aside is no gap: one message that cannot be projected would hold the mark for ever.
_ADVANCE = b"""
INSERT INTO chats_projectionmark (id, journal_id)
SELECT 1, coalesce(
    (SELECT min(j.id) - 1 FROM chats_journal j LEFT JOIN chats_message m ON m.journal_id = j.id
     WHERE j.id > (SELECT coalesce(max(journal_id), 0) FROM chats_projectionmark)
       AND (j.received_at > %(before)b OR m.id IS NULL
            AND NOT EXISTS (SELECT FROM chats_setaside s WHERE s.journal_id = j.id))),
    (SELECT max(id) FROM chats_journal), 0)
ON CONFLICT (id) DO UPDATE
SET journal_id = greatest(chats_projectionmark.journal_id, excluded.journal_id)
"""


async def load_unprojected(
    connection: Connection,
    *,
    after: int,
    before: datetime,
    configuration: Configuration,
    transport: str = "",
) -> list[IncomingMessage]:
    """Read journaled messages that are on no chat and arrived until `before`, oldest first.

    At most a thousand, those with a journal id above `after`; with `transport` those alone.
    """
    wanted = {"after": after, "before": before, "most": MOST_AT_ONCE}
    wanted["transport"] = transport
    cursor = await connection.execute(_LOAD, wanted)
    return [_read(*row, configuration=configuration) for row in await cursor.fetchall()]


async def load_set_aside(
    connection: Connection, *, configuration: Configuration
) -> list[IncomingMessage]:
    """Read what could not be put on any chat, oldest first; at most a thousand."""
    cursor = await connection.execute(_LOAD_SET_ASIDE, {"most": MOST_AT_ONCE})
    return [_read(*row, configuration=configuration) for row in await cursor.fetchall()]


async def advance_mark(connection: Connection, *, before: datetime) -> None:
    """Move the mark below which nothing needs to be looked for again."""
    await connection.execute(_ADVANCE, {"before": before})


def _read(
    journal_id: int,
    received_at: datetime,
    trunk: str,
    transport: str,
    peer: str,
    trusted: bool,
    raw: bytes,
    *,
    configuration: Configuration,
) -> IncomingMessage:
    request = request_of(raw)
    message = interpret(
        request,
        identify(request.headers),
        identify_caller(request.headers, trusts_assertion=trusted),
        journal_id=journal_id,
        received_at=received_at,
        trunk=trunk,
        transport=transport,
        peer=peer,
        numbers=configuration.numbers,
        trusted_peer=trusted,
    )
    if transport != PJSUA2:
        return message
    return replace(message, flags=(*message.flags, *flags_of(request)))


def request_of(raw: bytes) -> Request:
    """Parse a row of the journal; what cannot be parsed any more becomes a text."""
    request = read_message(bytes(raw))
    if request is not None:
        return request
    # What an older release took and this one would not.
    return Request("MESSAGE", "", Headers([("Content-Type", "text/plain")]), bytes(raw), bytes(raw))
