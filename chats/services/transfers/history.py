"""What a transferor hands over of a chat, as it is written into our record.

The JSON of it (`Data` of Annex A.3, docs/transfer.md) is read and written in transfer_api; here are
plain values, already within the bounds of our columns.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class HandedPart:
    """One body part; `sha256` (32 bytes) of the whole, `content` None when it comes by link."""

    content_type: str
    content_id: str
    name: str
    size: int
    sha256: bytes
    flag: str
    content: bytes | None


@dataclass(frozen=True, slots=True)
class HandedMessage:
    """One message either way; `id` tells it in every PSAP's record, `psap` whose record it is."""

    id: str
    direction: str  # in: from the app; out: to it
    type: int
    msg_id: int | None
    text: str
    role: str  # caller, calltaker or system
    psap: str
    at: datetime
    status: str
    sip_status: int | None
    flags: tuple[str, ...] = ()
    parts: tuple[HandedPart, ...] = ()


@dataclass(frozen=True, slots=True)
class HandedFix:
    """A location of the message `message`; degrees WGS84, metres."""

    message: str
    shape: str
    latitude: float | None
    longitude: float | None
    radius: float | None
    altitude: float | None
    confidence: float | None
    geometry: Mapping[str, Any] | None
    civic: Mapping[str, str] | None
    method: str
    source: str
    at: datetime


@dataclass(frozen=True, slots=True)
class HandedData:
    """A block of additional data (RFC 7852) of the message `message`."""

    message: str
    kind: str
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class HandedReference:
    """What a message names by URL and nobody has fetched yet."""

    message: str
    kind: str  # location or additional-data
    purpose: str
    url: str


@dataclass(frozen=True, slots=True)
class HandedNote:
    """What a PSAP has noted about the chat."""

    id: str
    at: datetime
    text: str
    psap: str


@dataclass(frozen=True, slots=True)
class HandedLink:
    """Where an attachment can be had that did not come by content."""

    sha256: bytes
    url: str


@dataclass(frozen=True, slots=True)
class HandedChat:
    """A whole chat as its transferor knows it; times are corrected to our clock already.

    `app_uri` is where our messages go (P-Asserted-Identity before From). `clock_shift` are the
    seconds by which all times were moved.
    """

    app_uri: str
    caller_uri: str
    asserted_uri: str
    display_name: str
    language: str
    user_agent: str
    dialect: str
    service: str
    priority: str
    silent: bool
    test: bool
    opened_at: datetime
    last_sign_of_life: datetime
    last_caller_text: datetime | None
    last_in_msg_id: int | None
    signalling: Mapping[str, Any] = field(default_factory=dict)
    psaps: tuple[Mapping[str, str], ...] = ()  # uri, name, from: oldest first, the transferor last
    messages: tuple[HandedMessage, ...] = ()
    fixes: tuple[HandedFix, ...] = ()
    data: tuple[HandedData, ...] = ()
    references: tuple[HandedReference, ...] = ()
    notes: tuple[HandedNote, ...] = ()
    links: tuple[HandedLink, ...] = ()
    clock_shift: float = 0.0
