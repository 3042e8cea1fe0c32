"""From a SIP request to what goes on the record: body parts, text, positions, additional data.

A part that cannot be read costs nothing but itself: it is kept as it came, flagged, and the text
beside it is stored all the same.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from chats.models import DEC112
from chats.services.incoming import (
    IncomingFix,
    IncomingMessage,
    IncomingPart,
    IncomingReference,
)
from chats.services.references import MOST_BLOCKS, MOST_FIXES
from sipgateway.protocol.additional import Block
from sipgateway.protocol.body import Part, split_body, text_of
from sipgateway.protocol.cap import CAP_TYPES
from sipgateway.protocol.dec112 import is_dec112
from sipgateway.protocol.errors import SipError
from sipgateway.protocol.lmpe import (
    DEFAULT_SERVICE,
    Caller,
    Identifiers,
    Signalling,
    called_service,
    is_test,
    read_signalling,
)
from sipgateway.protocol.message import Request
from sipgateway.protocol.payloads import READERS
from sipgateway.protocol.signalling import LONGEST_URL, SignalledReference
from sipgateway.protocol.text import decode_text

logger = logging.getLogger(__name__)

# Index rows of PostgreSQL hold 2,704 bytes, so what chats are found by is capped.
LONGEST_NAME = 400
LONGEST_ELEMENT = 255
# What goes to every screen with a message: no human writes more.
LONGEST_TEXT = 100_000
# What is read of a message beside its text: all calls wait while somebody's data are looked at.
MOST_READ = 1024 * 1024
MOST_PIECES = 20_000
UNREAD = Signalling({})


class TooMuchToRead(SipError):
    """The parts before this one, and this one, hold more than is read of one message."""


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
    try:
        read = _read(request, numbers)
        said = read_signalling(request.headers, identifiers, request.body, request.uri)
        test = is_test(read.service, request.headers)
    except Exception:  # a fault of ours: better the bytes as text than a gateway that dies of them
        logger.exception("message %d of the journal is not understood", journal_id)
        text, _ = decode_text(request.body[:LONGEST_TEXT], "")
        read, said, test = _Content(text, ("not-understood",), DEFAULT_SERVICE), UNREAD, False
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
        flags=identifiers.flags + read.flags + said.flags,
        caller_uri=storable(caller.uri),
        asserted_uri=storable(caller.asserted_uri),
        target_uri=storable(caller.target),
        display_name=storable(caller.display_name),
        language=storable(caller.language or said.language, 35),
        user_agent=storable(caller.user_agent),
        service=storable(read.service),
        text=read.text,
        trusted_peer=trusted_peer,
        parts=tuple(read.parts),
        fixes=tuple(read.fixes[:MOST_FIXES]),
        additional=tuple(read.additional[:MOST_BLOCKS]),
        references=tuple([_reference(found) for found in said.references]),
        test=test,
        alert=_is_alert(identifiers, read),
        silent=said.silent,
        dialect=DEC112 if is_dec112(identifiers.call_id) else "",
        priority=said.priority,
        came_from=storable(said.came_from),
        signalling=said.said if trusted_peer else _claimed(said.said),
    )


def _claimed(said: Mapping[str, Any]) -> Mapping[str, Any]:
    """What somebody untrusted says: a source id is the BCF's to give, and is reported to it."""
    if "source" not in said:
        return said
    return {("claimedSource" if key == "source" else key): said[key] for key in said}


def _reference(found: SignalledReference) -> IncomingReference:
    return IncomingReference(found.kind, found.purpose, storable(found.url, LONGEST_URL))


def _is_alert(identifiers: Identifiers, read: "_Content") -> bool:
    """Whether it is data outside a session: a CAP alert, or a body without any human text.

    Clause 6.1.2.2: what is not associated with a human comes outside of a session.
    """
    if identifiers.call_id or not read.parts:
        return False
    return not read.text or any(part.content_type in CAP_TYPES for part in read.parts)


@dataclass(slots=True)
class _Content:
    """What a request says and carries."""

    text: str
    flags: tuple[str, ...]
    service: str
    parts: list[IncomingPart] = field(default_factory=list)
    fixes: list[IncomingFix] = field(default_factory=list)
    additional: list[Block] = field(default_factory=list)


def _read(request: Request, numbers: Mapping[str, str]) -> _Content:
    parts = split_body(request.headers, request.body)
    text, flags = text_of(parts)
    if len(text) > LONGEST_TEXT:  # the parts keep it
        text, flags = text[:LONGEST_TEXT], tuple(dict.fromkeys((*flags, "truncated")))
    service = called_service(request.uri, request.headers, numbers)
    return _Content(text, flags, service, *_read_parts(parts))


def interpret_text_alone(message: IncomingMessage) -> IncomingMessage:
    """Reduce a message that the database refused to what cannot be refused: its text."""
    return replace(
        message,
        flags=(*message.flags, "reduced-to-text"),
        display_name="",
        language="",
        user_agent="",
        parts=(),
        fixes=(),
        additional=(),
        references=(),
        signalling={},
    )


def _read_parts(
    parts: list[Part],
) -> tuple[list[IncomingPart], list[IncomingFix], list[Block]]:
    kept: list[IncomingPart] = []
    fixes: list[IncomingFix] = []
    areas: list[IncomingFix] = []
    additional: list[Block] = []
    room, pieces = MOST_READ, MOST_PIECES
    for part in parts:
        flag = part.flag
        read = READERS.get(part.content_type)
        if read is not None:
            room -= len(part.data)
            pieces -= part.data.count(b"<") + part.data.count(b",")  # of XML and JSON
            try:
                if room < 0 or pieces < 0:
                    raise TooMuchToRead
                found = read(part)
            except SipError as error:
                logger.info("unreadable %s: %s", part.content_type, error)
                flag = flag or "unreadable"
            else:
                additional.extend(found.blocks)
                # Where an alert applies comes first: what is latest is where its sender is.
                target = areas if part.content_type in CAP_TYPES else fixes
                for f in found.fixes:
                    target.append(
                        IncomingFix(
                            f.shape, f.latitude, f.longitude, f.radius, f.method, f.at,
                            f.altitude, f.confidence, f.geometry, f.civic, f.source,
                        )
                    )  # fmt: skip
        kept.append(
            IncomingPart(
                storable(part.content_type),
                storable(part.content_id),
                part.size,
                part.sha256,
                flag,
                part.data,
                storable(part.name) if part.name else "",
            )
        )
    return kept, areas + fixes if areas else fixes, additional
