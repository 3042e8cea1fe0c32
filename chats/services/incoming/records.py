"""What the gateway hands over, and a chat's row while messages are applied to it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, Protocol


@dataclass(frozen=True, slots=True)
class IncomingPart:
    """One body part; `size` and `sha256` (32 bytes) are of the whole, `content` may be cut."""

    content_type: str
    content_id: str
    size: int
    sha256: bytes
    flag: str
    content: bytes


@dataclass(frozen=True, slots=True)
class IncomingFix:
    """A position: degrees WGS84, metres; `at` None when the document gave no time."""

    shape: str
    latitude: float
    longitude: float
    radius: float | None
    method: str
    at: datetime | None


@dataclass(frozen=True, slots=True)
class IncomingMessage:
    """A journaled MESSAGE, understood as far as it could be; storable as it stands."""

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
        self, session: str | None, msg_type: int, *, has_text: bool, standalone: bool
    ) -> Step: ...


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
    changed: bool = False  # in more than what every message moves

    @property
    def identities(self) -> frozenset[str]:
        """Every URI that this chat's caller goes by."""
        return frozenset(uri for uri in (self.caller_uri, self.asserted_uri) if uri)
