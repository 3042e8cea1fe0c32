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
    @property
    def altitude(self) -> float | None: ...
    @property
    def confidence(self) -> float | None: ...
    @property
    def geometry(self) -> Mapping[str, Any] | None: ...
    @property
    def civic(self) -> Mapping[str, str] | None: ...
    @property
    def source(self) -> str: ...


def readings_digest(
    fixes: Iterable[tuple[Position, datetime]], additional: Iterable[tuple[str, Mapping[str, Any]]]
) -> str:
    """Return the SHA-256 in hex of positions with their times, and of blocks of data, in order.

    Each field in UTF-8 with a NUL behind it, which no text on the record holds: `fix`, shape,
    latitude, longitude, radius, method, time in ISO 8601 in UTC; where there is more of it,
    `beside`, altitude, confidence, geometry, civic address, source; `data`, kind, and the block.
    A number is the shortest text that gives the same double; what is not there is empty. Objects
    stand as an event's data does, with the numbers of a geometry as texts.
    """
    fields: list[str] = []
    for fix, at in fixes:
        fields += ("fix", fix.shape, _number(fix.latitude), _number(fix.longitude))
        fields += (_number(fix.radius), fix.method, at.astimezone(UTC).isoformat())
        beside = (fix.altitude, fix.confidence, fix.geometry, fix.civic)
        if fix.source or beside != (None, None, None, None):
            geometry = "" if fix.geometry is None else canonical_data(_as_texts(fix.geometry))
            civic = "" if fix.civic is None else canonical_data(fix.civic)
            numbers = (_number(fix.altitude), _number(fix.confidence))
            fields += ("beside", *numbers, geometry, civic, fix.source)
    for kind, data in additional:
        fields += ("data", kind, canonical_data(data))
    return hashlib.sha256(("\0".join(fields) + "\0").encode()).hexdigest()


def _number(value: float | None) -> str:
    return "" if value is None else repr(float(value))


def _as_texts(value: Any) -> Any:
    """Write numbers as texts: JSON has more than one way to write a fraction."""
    if isinstance(value, Mapping):
        return {name: _as_texts(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_as_texts(inner) for inner in value]
    return _number(value) if isinstance(value, int | float) else value
