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
    def latitude(self) -> float | None: ...
    @property
    def longitude(self) -> float | None: ...
    @property
    def radius(self) -> float | None: ...
    @property
    def method(self) -> str: ...


def readings_digest(
    fixes: Iterable[tuple[Position, datetime]], additional: Iterable[tuple[str, Mapping[str, Any]]]
) -> str:
    """Return the SHA-256 in hex of positions with their times, and of blocks of data, in order.

    Each field in UTF-8 with a NUL behind it, which no text on the record holds: `fix`, shape,
    latitude, longitude, radius or nothing (the shortest text that gives the same double), method,
    time in ISO 8601 in UTC; `data`, kind, and the block as an event's data is written.
    """
    fields: list[str] = []
    for fix, at in fixes:
        radius = "" if fix.radius is None else repr(fix.radius)
        fields += ("fix", fix.shape, repr(fix.latitude), repr(fix.longitude), radius, fix.method)
        fields.append(at.astimezone(UTC).isoformat())
    for kind, data in additional:
        fields += ("data", kind, canonical_data(data))
    return hashlib.sha256(("\0".join(fields) + "\0").encode()).hexdigest()
