"""From a SIP request to what goes on the record: body parts, text, positions, additional data.

A part that cannot be read costs nothing but itself: it is kept as it came, flagged, and the text
beside it is stored all the same.
"""

import logging
from collections.abc import Mapping
from datetime import datetime

from chats.services.incoming import IncomingFix, IncomingMessage, IncomingPart
from sipgateway.protocol.additional import AdditionalDataError, parse_additional
from sipgateway.protocol.body import Part, split_body, text_of
from sipgateway.protocol.lmpe import Caller, Identifiers, called_service
from sipgateway.protocol.message import Request
from sipgateway.protocol.pidflo import PidfError, parse_pidf_lo

logger = logging.getLogger(__name__)

PIDF = "application/pidf+xml"
ADDITIONAL = frozenset(
    {"application/emergencycalldata.subscriberinfo+xml", "application/addcallsub+xml"}
)
# Index rows of PostgreSQL hold 2,704 bytes, so what chats are found by is capped.
LONGEST_NAME = 400
LONGEST_ELEMENT = 255


def storable(text: str, longest: int = LONGEST_NAME) -> str:
    """Make a header's text fit for PostgreSQL: no NUL, no lone surrogate, not endless."""
    if len(text) <= longest and text.isascii() and "\0" not in text:
        return text
    text = text.replace("\0", "\N{SYMBOL FOR NULL}")
    return text.encode("utf-8", "replace").decode()[:longest]


def interpret(
    request: Request,
    identifiers: Identifiers,
    caller: Caller,
    *,
    journal_id: int,
    received_at: datetime,
    trunk: str,
    transport: str,
    peer: str,
    numbers: Mapping[str, str],
    trusted_peer: bool,
) -> IncomingMessage:
    """Read a journaled MESSAGE for the record; never raises for what the message holds."""
    parts = split_body(request.headers, request.body)
    text, text_flags = text_of(parts)
    kept, fixes, additional = _read_parts(parts)
    return IncomingMessage(
        journal_id=journal_id,
        received_at=received_at,
        trunk=trunk,
        transport=transport,
        peer=peer,
        call_id=storable(identifiers.call_id),
        unique_part=storable(identifiers.unique_part),
        element=storable(identifiers.element, LONGEST_ELEMENT),
        msg_id=identifiers.msg_id,
        msg_type=identifiers.msg_type,
        flags=identifiers.flags + text_flags,
        caller_uri=storable(caller.uri),
        asserted_uri=storable(caller.asserted_uri),
        target_uri=storable(caller.target),
        display_name=storable(caller.display_name),
        language=storable(caller.language, 35),
        user_agent=storable(caller.user_agent),
        service=storable(called_service(request.uri, request.headers, numbers)),
        text=text,
        trusted_peer=trusted_peer,
        parts=tuple(kept),
        fixes=tuple(fixes),
        additional=tuple(additional),
    )


def interpret_text_alone(message: IncomingMessage) -> IncomingMessage:
    """Reduce a message that the database refused to what cannot be refused: its text."""
    return IncomingMessage(
        journal_id=message.journal_id,
        received_at=message.received_at,
        trunk=message.trunk,
        transport=message.transport,
        peer=message.peer,
        call_id=message.call_id,
        unique_part=message.unique_part,
        element=message.element,
        msg_id=message.msg_id,
        msg_type=message.msg_type,
        flags=(*message.flags, "reduced-to-text"),
        caller_uri=message.caller_uri,
        asserted_uri=message.asserted_uri,
        target_uri=message.target_uri,
        display_name="",
        language="",
        user_agent="",
        service=message.service,
        text=message.text,
        trusted_peer=message.trusted_peer,
    )


def _read_parts(
    parts: list[Part],
) -> tuple[list[IncomingPart], list[IncomingFix], list[tuple[str, dict[str, object]]]]:
    kept: list[IncomingPart] = []
    fixes: list[IncomingFix] = []
    additional: list[tuple[str, dict[str, object]]] = []
    for part in parts:
        flag = part.flag
        try:
            if part.content_type == PIDF:
                fixes.extend(
                    IncomingFix(f.shape, f.latitude, f.longitude, f.radius, f.method, f.at)
                    for f in parse_pidf_lo(part.data)
                )
            elif part.content_type in ADDITIONAL:
                additional.extend(parse_additional(part.content_type, part.data))
        except (PidfError, AdditionalDataError) as error:
            logger.info("unreadable %s: %s", part.content_type, error)
            flag = flag or "unreadable"
        kept.append(
            IncomingPart(
                storable(part.content_type),
                storable(part.content_id),
                part.size,
                part.sha256,
                flag,
                part.data,
            )
        )
    return kept, fixes, additional
