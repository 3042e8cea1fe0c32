"""A location in words, as the answer to a test call gives it (clause 6.1.2.10)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from sipgateway.protocol.civic import civic_line


class Located(Protocol):
    """A fix, as it was read or as it stands on the record."""

    @property
    def shape(self) -> str: ...
    @property
    def latitude(self) -> float | None: ...
    @property
    def longitude(self) -> float | None: ...
    @property
    def radius(self) -> float | None: ...
    @property
    def altitude(self) -> float | None: ...
    @property
    def geometry(self) -> Mapping[str, Any] | None: ...
    @property
    def civic(self) -> Mapping[str, str] | None: ...


def location_in_words(fix: Located) -> str:
    """One line such as `48.20849 N, 16.37208 E, within 25 m`; with an address, that first."""
    address = civic_line(fix.civic) if fix.civic else ""
    if fix.latitude is None or fix.longitude is None:
        return address or "an unknown location"
    place = f"{_degrees(fix.latitude, 'NS')}, {_degrees(fix.longitude, 'EW')}"
    words = [place, *_extent(fix)]
    if fix.altitude is not None:
        words.append(f"altitude {_metres(fix.altitude)}")
    line = ", ".join(words)
    return f"{address} ({line})" if address else line


def _degrees(value: float, directions: str) -> str:
    """Five digits behind the point are a metre."""
    return f"{abs(value):.5f} {directions[value < 0]}"


def _metres(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0") + " m"


def _extent(fix: Located) -> list[str]:
    """How far around the centre the location may be."""
    if fix.radius:
        return [f"within {_metres(fix.radius)}"]
    size = fix.geometry or {}
    if fix.shape in ("Ellipse", "Ellipsoid"):
        words = [
            f"within {_metres(size['semiMajorAxis'])} towards {size['orientation']:.0f}°",
            f"{_metres(size['semiMinorAxis'])} across",
        ]
        if "verticalAxis" in size:
            words.append(f"{_metres(size['verticalAxis'])} up and down")
        return words
    if fix.shape == "ArcBand":
        start = size["startAngle"]
        end = (start + size["openingAngle"]) % 360.0
        return [
            f"{_metres(size['innerRadius'])} to {_metres(size['outerRadius'])} from there",
            f"between {start:.0f}° and {end:.0f}°",
        ]
    if fix.shape in ("Polygon", "Prism"):
        words = [f"centre of an area with {len(size['ring'])} corners"]
        if "height" in size:
            words.append(f"{_metres(size['height'])} high")
        return words
    return []
