"""Messages that nothing puts on a chat: shown by themselves, at last set aside and told of.

A message that the database refuses is reduced to its text; then it is tried again a few times;
then it goes, as an alert, on a chat of its own, away from whatever is wrong with its chat. What
even that does not take is noted here, so that it holds up nobody: the mark of the journal passes
over it, the status page shows its bytes, an alarm says so. Each start of a gateway tries it anew.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime

from chats.services.incoming import IncomingMessage
from sipgateway.configuration import Configuration
from sipgateway.database import Connection, Database
from sipgateway.interpret import interpret_text_alone
from sipgateway.unprojected import load_set_aside

# How often a text is tried on its own chat: after 1, 2 and 4 seconds.
TRIES = 3
APART = "on-its-own"
REDUCED = "reduced-to-text"
LONGEST_ERROR = 1000

_NOTE = b"""
INSERT INTO chats_setaside (journal_id, at, error) VALUES (%b, %b, %b)
ON CONFLICT (journal_id) DO UPDATE SET at = excluded.at, error = excluded.error
"""
_FORGET = b"DELETE FROM chats_setaside s USING chats_message m WHERE m.journal_id = s.journal_id"


def interpret_apart(message: IncomingMessage) -> IncomingMessage:
    """Make a message's text an alert of its own, which no other row can stand in the way of."""
    return replace(
        interpret_text_alone(message),
        flags=(*message.flags, APART),
        call_id="",
        unique_part="",
        element="",
        alert=True,
        test=False,
    )


async def note_set_aside(database: Database, message: IncomingMessage, error: Exception) -> None:
    """Note that a message is on no chat, and why."""
    why = repr(error).replace("\0", "")[:LONGEST_ERROR]

    async def note() -> None:
        connection = await database.connection()
        await connection.execute(_NOTE, (message.journal_id, datetime.now(UTC), why))

    await database.retry(note)


async def forget_projected(connection: Connection) -> None:
    """Forget what has found its way onto a chat after all."""
    await connection.execute(_FORGET)


def retry_set_aside(
    database: Database,
    configuration: Callable[[], Configuration],
    take_up: Callable[[list[IncomingMessage]], None],
) -> Callable[[], Awaitable[None]]:
    """Return what takes up again, at a start, all that was set aside."""

    async def retry() -> None:
        connection = await database.connection()
        take_up(await load_set_aside(connection, configuration=configuration()))

    return retry
