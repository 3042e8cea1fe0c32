"""Locations in PIDF-LO documents (RFC 4119, RFC 5491), read by local name and never validated."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from sipgateway.protocol.errors import SipError
from sipgateway.protocol.xml import Element, XmlError, child, parse_xml, text_in

METHOD_LIMIT = 100
MAX_FIXES = 20
MAX_RADIUS = 20_037_508.0
"""Metres: half the way around the globe."""

_NUMBER = re.compile(
    r"[+-]?(?:[0-9]{1,20}(?:\.[0-9]{0,40})?|\.[0-9]{1,40})(?:[eE][+-]?[0-9]{1,3})?"
)
_METRES = {"9001": 1.0, "9002": 0.3048, "9036": 1000.0}


class PidfError(SipError):
    """The document is not XML, or its location cannot be read."""


@dataclass(frozen=True, slots=True)
class Fix:
    """A position: degrees WGS84, `radius` in metres, `at` aware or None when not said."""

    shape: str
    latitude: float
    longitude: float
    radius: float | None
    method: str
    at: datetime | None


def parse_pidf_lo(data: bytes) -> list[Fix]:
    """All positions of a document in its order; [] when it has only civic or no location.

    A position that cannot be read is left out as long as another one can; raises PidfError when
    none is left.
    """
    try:
        root = parse_xml(data)
    except XmlError as error:
        raise PidfError(str(error)) from None
    fixes: list[Fix] = []
    fault: PidfError | None = None
    method, at = "", None
    context: Element | None = None
    for shape in root.iter(*_SHAPE_TAGS):
        if len(fixes) >= MAX_FIXES:
            break
        name = shape.tag.rpartition("}")[2]
        try:
            latitude, longitude, radius = SHAPES[name](shape)
        except PidfError as error:
            fault = error
            continue
        # For readable shapes alone, which are counted: it looks through all that stands beside.
        geopriv = _geopriv_of(shape)
        if geopriv is not context or context is None:
            context = geopriv
            method, at = _circumstances(geopriv) if geopriv is not None else ("", None)
        fixes.append(Fix(name, latitude, longitude, radius, method, at))
    if fault is not None and not fixes:
        raise fault
    return fixes


def _geopriv_of(shape: Element) -> Element | None:
    above = shape.getparent()
    for _ in range(4):  # location-info, geopriv; a shape may sit in a wrapper
        if above is None:
            return None
        if above.tag.endswith("}geopriv"):
            return above
        above = above.getparent()
    return None


def _circumstances(geopriv: Element) -> tuple[str, datetime | None]:
    """How and when the position was found: method beside it, timestamp of tuple or device."""
    method = text_in(geopriv, "method")[:METHOD_LIMIT]
    above = geopriv.getparent()
    for _ in range(2):  # status and tuple, or the device or person itself
        if above is None:
            break
        stamp = text_in(above, "timestamp")
        if stamp:
            return method, _time(stamp)
        above = above.getparent()
    return method, None


def _time(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo is not None else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _position(shape: Element) -> tuple[float, float]:
    """Latitude and longitude; a third number is the altitude, whatever srsName says."""
    numbers = text_in(shape, "pos").replace(",", " ").split()
    if len(numbers) not in (2, 3):
        raise PidfError("a position has two or three numbers")
    latitude, longitude = _finite(numbers[0]), _finite(numbers[1])
    if not -90.0 <= latitude <= 90.0 or not -180.0 <= longitude <= 180.0:
        raise PidfError("a position beyond the globe")
    return latitude, longitude


def _finite(text: str) -> float:
    if _NUMBER.fullmatch(text) is None:
        raise PidfError("not a number")
    number = float(text)
    if not math.isfinite(number):
        raise PidfError("not a finite number")
    return number


def _point(shape: Element) -> tuple[float, float, float | None]:
    return *_position(shape), None


def _circle(shape: Element) -> tuple[float, float, float | None]:
    latitude, longitude = _position(shape)
    element = child(shape, "radius")
    if element is None:
        raise PidfError("a circle without radius")
    unit = (element.get("uom") or "").rpartition(":")[2]
    radius = _finite((element.text or "").strip()) * _METRES.get(unit, 1.0)
    if not 0 <= radius <= MAX_RADIUS:
        raise PidfError("a radius that is negative or beyond the globe")
    return latitude, longitude, radius


SHAPES: dict[str, Callable[[Element], tuple[float, float, float | None]]] = {
    "Point": _point,
    "Circle": _circle,
}
"""Local name of a shape → what reads its centre and radius."""

_SHAPE_TAGS = tuple(f"{{*}}{name}" for name in SHAPES)
