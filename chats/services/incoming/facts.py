"""What a message says of its caller and their way to us, taken over into the chat."""

from collections.abc import Mapping
from typing import Any

from chats.services.addresses import same_address
from chats.services.batch import EventRows
from chats.services.chain import CALLER, canonical_data
from chats.services.incoming.records import ChatState, IncomingMessage
from chats.services.texts import text_digest


def is_vouched_for(known: str, asserted: str, *, trusted: bool) -> bool:
    """Whether a message with a chat's From may be its caller's, and so say where answers go.

    Anybody can write a From. Where a trusted peer has asserted who the caller is, only such a
    peer counts, and no assertion of somebody else; real ones assert no more than the start.
    """
    return not known or asserted == known or (trusted and not asserted)


def take_over(
    chat: ChatState, message: IncomingMessage, events: EventRows, *, vouched: bool
) -> None:
    """Note all that is new of a chat; where answers go only for a message that is `vouched` for."""
    if vouched and not (chat.arrived and _is_passed_on(chat, message)):
        if chat.transport == "tls" != message.transport and not chat.unprotected:
            _expose(chat, message, events)
        chat.trunk, chat.transport, chat.peer = message.trunk, message.transport, message.peer
    if message.asserted_uri and not chat.asserted_uri:
        chat.asserted_uri, chat.target_uri = message.asserted_uri, message.target_uri
        chat.changed = True
    if message.display_name and message.display_name != chat.display_name:
        chat.display_name, chat.changed = message.display_name, True
    if message.language and message.language != chat.language:
        chat.language, chat.changed = message.language, True
    if message.silent and not chat.silent:
        chat.silent = chat.changed = True
    if message.priority and message.priority != chat.priority:
        chat.priority, chat.changed = message.priority, True
    if message.signalling and not _says_no_more(message.signalling, chat.signalling):
        _describe(chat, message, events)


def _is_passed_on(chat: ChatState, message: IncomingMessage) -> bool:
    """Whether the PSAP that handed a chat over passes on what the app still writes there.

    The app itself follows us already: what is sent back by that PSAP might end there.
    """
    came_via = message.signalling.get("cameVia", ())
    return any(same_address(entry["uri"], chat.came_from) for entry in came_via)


def _expose(chat: ChatState, message: IncomingMessage, events: EventRows) -> None:
    """Note that a chat has left TLS: answers follow it in the clear (clause 6.1.1)."""
    chat.unprotected = chat.changed = True
    events.add(
        chat,
        "chat-unprotected",
        at=message.received_at,
        actor=CALLER,
        data={"transport": message.transport},
    )


def _describe(chat: ChatState, message: IncomingMessage, events: EventRows) -> None:
    """Keep what the headers say besides; the event proves it by its digest."""
    chat.signalling, chat.changed = {**chat.signalling, **message.signalling}, True
    events.add(
        chat,
        "signalling-changed",
        at=message.received_at,
        actor=CALLER,
        data={"signallingSha256": text_digest(canonical_data(chat.signalling))},
    )


def _says_no_more(said: Mapping[str, Any], known: Mapping[str, Any]) -> bool:
    return said == known or all(known.get(key) == value for key, value in said.items())
