"""The digest of what was read out of a message's parts: positions and additional data."""

import hashlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

from chats.services.chain import canonical_data


class Position(Protocol):
    """A fix as it comes in, or as it stands on the record."""

    @property
    def shape(self) -> str: ...
    @property
    def latitude(self) -> float: ...
    @property
    def longitude(self) -> float: ...
    @property
    def radius(self) -> float | None: ...
    @property
    def method(self) -> str: ...


def readings_digest(
    fixes: Iterable[tuple[Position, datetime]], additional: Iterable[tuple[str, Mapping[str, Any]]]
) -> str:
    """Return the SHA-256 in hex of positions with their times, and of blocks of data, in order.

    Canonical bytes as those of an event's data; numbers as Python's shortest text that gives the
    same double, times as ISO 8601 in UTC.
    """
    readings = {
        "additionalData": [[kind, data] for kind, data in additional],
        "fixes": [
            [
                fix.shape,
                repr(fix.latitude),
                repr(fix.longitude),
                None if fix.radius is None else repr(fix.radius),
                fix.method,
                at.astimezone(UTC).isoformat(),
            ]
            for fix, at in fixes
        ],
    }
    return hashlib.sha256(canonical_data(readings).encode()).hexdigest()
