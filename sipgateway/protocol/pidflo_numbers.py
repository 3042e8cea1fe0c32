"""Numbers, times, lengths and angles in location documents (RFC 5491 5; units by EPSG code)."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime

from sipgateway.protocol.errors import SipError
from sipgateway.protocol.xml import Element, child, text_in

MAX_LENGTH = 20_037_508.0
"""Metres: half the way around the globe."""
MAX_ALTITUDE = 1_000_000.0

_NUMBER = re.compile(
    r"[+-]?(?:[0-9]{1,20}(?:\.[0-9]{0,40})?|\.[0-9]{1,40})(?:[eE][+-]?[0-9]{1,3})?"
)
_METRES = {
    **{"": 1.0, "9001": 1.0, "m": 1.0, "metre": 1.0, "meter": 1.0},
    **{"9002": 0.3048, "ft": 0.3048, "foot": 0.3048, "9003": 1200 / 3937},
    **{"9036": 1000.0, "km": 1000.0, "9030": 1852.0, "9093": 1609.344},
}
"""Unit of length → metres: metre, foot, US survey foot, kilometre, nautical and statute mile."""
_DEGREES = {
    **{"9101": 180 / math.pi, "rad": 180 / math.pi, "radian": 180 / math.pi},
    **{"9105": 0.9, "9106": 0.9, "grad": 0.9, "gon": 0.9},
}
"""Unit of angle → degrees; every other one, EPSG 9102 and 9122 above all, is taken for degrees."""
_UNIT = re.compile(r"[^:/#]*\Z")


class PidfError(SipError):
    """The document is not XML, or its location cannot be read."""


def finite(text: str) -> float:
    """A finite number in plain decimal or exponent notation; raises PidfError."""
    if _NUMBER.fullmatch(text) is None:
        raise PidfError("not a number")
    number = float(text)
    if not math.isfinite(number):
        raise PidfError("not a finite number")
    return number


def instant(text: str) -> datetime | None:
    """An aware time of `xs:dateTime`, taken for UTC where it names no zone; None for nonsense."""
    try:
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo is not None else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def position(shape: Element) -> tuple[float, float, float | None]:
    """Latitude, longitude and altitude of the `pos` in a shape."""
    return vertex(text_in(shape, "pos").replace(",", " ").split())


def vertex(numbers: list[str]) -> tuple[float, float, float | None]:
    """Two or three numbers as a place: a third is the altitude, whatever srsName says.

    An altitude that makes no sense is left out: the place is worth having without it.
    """
    if len(numbers) not in (2, 3):
        raise PidfError("a position has two or three numbers")
    latitude, longitude = finite(numbers[0]), finite(numbers[1])
    if not -90.0 <= latitude <= 90.0 or not -180.0 <= longitude <= 180.0:
        raise PidfError("a position beyond the globe")
    return latitude, longitude, _altitude(numbers[2]) if len(numbers) == 3 else None


def _altitude(text: str) -> float | None:
    try:
        altitude = finite(text)
    except PidfError:
        return None
    return altitude if abs(altitude) <= MAX_ALTITUDE else None


def length(shape: Element, name: str) -> float:
    """The child of that name in metres: present, not negative, not beyond the globe."""
    element = child(shape, name)
    if element is None:
        raise PidfError(f"a shape without {name}")
    factor = _METRES.get((element.get("uom") or "").rpartition(":")[2])
    if factor is None:
        factor = _METRES.get(_unit(element), 1.0)
    metres = finite((element.text or "").strip()) * factor
    if not 0 <= metres <= MAX_LENGTH:
        raise PidfError(f"{name} is negative or beyond the globe")
    return metres


def angle(shape: Element, name: str) -> float:
    """The child of that name in degrees, 0 to below 360."""
    return degrees(shape, name) % 360.0 % 360.0  # -1e-20 % 360.0 is 360.0


def degrees(shape: Element, name: str) -> float:
    """The child of that name in degrees, as they stand there."""
    element = child(shape, name)
    if element is None:
        raise PidfError(f"a shape without {name}")
    turned = finite((element.text or "").strip()) * _DEGREES.get(_unit(element), 1.0)
    if not math.isfinite(turned):
        raise PidfError("not a finite number")
    return turned


def _unit(element: Element) -> str:
    """The unit's code or name, out of `urn:ogc:def:uom:EPSG::9001`, a URL, `#m` or bare."""
    found = _UNIT.search((element.get("uom") or "").strip())
    return found.group().lower() if found is not None else ""
