"""What the gateway hands over, and a chat's row while messages are applied to it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple, Protocol

from psycopg.types.json import Jsonb


class IncomingPart(NamedTuple):
    """One body part; `size` and `sha256` (32 bytes) are of the whole, `content` may be cut.

    `name` is the file name that its sender gave it, if any.
    """

    content_type: str
    content_id: str
    size: int
    sha256: bytes
    flag: str
    content: bytes
    name: str = ""


class IncomingFix(NamedTuple):
    """A location: degrees WGS84, metres; `at` None when the document gave no time.

    Latitude and longitude are the shape's centre, None for a civic address alone (shape `Civic`).
    `geometry` holds what the shape has beside centre and radius, `civic` an address by element
    name (RFC 5139), `source` where in the document it stood: tuple, device or person.
    """

    shape: str
    latitude: float | None
    longitude: float | None
    radius: float | None
    method: str
    at: datetime | None
    altitude: float | None = None
    confidence: float | None = None
    geometry: Mapping[str, Any] | None = None
    civic: Mapping[str, str] | None = None
    source: str = ""


@dataclass(frozen=True, slots=True)
class IncomingReference:
    """Something that a message names by its URL: kind `location` or `additional-data`."""

    kind: str
    purpose: str
    url: str


@dataclass(slots=True, eq=False)
class IncomingMessage:
    """A journaled MESSAGE, understood as far as it could be; storable as it stands.

    Not to be changed; it is not frozen because that costs a tenth of all reading.
    """

    journal_id: int
    received_at: datetime
    trunk: str
    transport: str
    peer: str
    call_id: str
    unique_part: str
    element: str
    msg_id: int | None
    msg_type: int
    flags: tuple[str, ...]
    caller_uri: str
    asserted_uri: str
    target_uri: str
    display_name: str
    language: str
    user_agent: str
    service: str
    text: str
    trusted_peer: bool = False  # may assert identities (RFC 3325)
    parts: tuple[IncomingPart, ...] = ()
    fixes: tuple[IncomingFix, ...] = ()
    additional: tuple[tuple[str, Mapping[str, Any]], ...] = ()
    references: tuple[IncomingReference, ...] = ()
    test: bool = False  # a test call (clause 6.1.2.10)
    alert: bool = False  # data outside a session (clause 6.1.2.2, Annex D.3)
    silent: bool = False
    dialect: str = ""
    priority: str = ""
    came_from: str = ""  # URI of the PSAP that redirected the app to us
    signalling: Mapping[str, Any] = field(default_factory=dict)

    @property
    def identities(self) -> frozenset[str]:
        """Every URI that the sender goes by."""
        return frozenset(uri for uri in (self.caller_uri, self.asserted_uri) if uri)


class Step(NamedTuple):
    """What the session machine of clause 6.2 says: the new session and the actions by name."""

    session: str
    actions: frozenset[str]


class Machine(Protocol):
    """The session machine: a pure function, given in from the protocol core."""

    def __call__(
        self,
        session: str | None,
        msg_type: int,
        *,
        has_text: bool,
        standalone: bool,
        test: bool,
        comes_back: bool,
    ) -> Step: ...


@dataclass(frozen=True, slots=True)
class HouseRules:
    """What of the PSAP's configuration and of the gateway's memory a projection goes by.

    `test_answer` writes the text that a test call gets (clause 6.1.2.10), None while a location
    by reference is being fetched for it. `beats_between` counts the heartbeats of a chat that
    were answered from memory and took a MsgId between two others; None when nobody knows.
    """

    greeting: str
    test_answer: Callable[[IncomingMessage], str | None] = lambda message: ""
    redirect_patience: timedelta = timedelta(seconds=20)
    beats_between: Callable[[int, int, int], int | None] = lambda chat_id, after, before: 0


@dataclass(slots=True)
class ChatState:
    """A locked chat's row as far as incoming messages read or change it."""

    id: int
    call_id: str
    unique_part: str
    element: str
    service: str
    session: str
    ended_by: str | None
    liveness: str
    owner_id: int | None
    disposition: str | None
    caller_uri: str
    asserted_uri: str
    target_uri: str
    display_name: str
    language: str
    user_agent: str
    standalone: bool
    recovered: bool
    linked_to_id: int | None
    opened_at: datetime
    ringing_since: datetime | None
    ended_at: datetime | None
    closed_at: datetime | None
    last_sign_of_life: datetime
    last_caller_text: datetime | None
    trunk: str
    transport: str
    peer: str
    local_tag: str
    last_in_msg_id: int | None
    next_msg_id: int
    next_cseq: int
    head_seq: int
    head_hash: bytes
    test: bool = False
    alert: bool = False
    silent: bool = False
    unprotected: bool = False
    dialect: str = ""
    priority: str = ""
    signalling: Mapping[str, Any] = field(default_factory=dict)
    came_from: str = ""
    gone_to: str = ""
    session_due: datetime | None = None
    arrived: bool = False  # by a transfer
    changed: bool = False  # in more than what every message moves

    @property
    def signalling_json(self) -> Jsonb:
        """What the headers say, as a column takes it."""
        return Jsonb(self.signalling)

    @property
    def identities(self) -> frozenset[str]:
        """Every URI that this chat's caller goes by."""
        return frozenset(uri for uri in (self.caller_uri, self.asserted_uri) if uri)
