"""Locations in PIDF-LO documents (RFC 4119, RFC 5491), read by local name and never validated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple

from sipgateway.protocol.civic import civic_address
from sipgateway.protocol.pidflo_numbers import PidfError, finite, instant
from sipgateway.protocol.pidflo_shapes import SHAPES
from sipgateway.protocol.xml import Element, XmlError, parse_xml, text_in

__all__ = ["CIVIC", "MAX_FIXES", "SHAPES", "Fix", "PidfError", "parse_pidf_lo"]

METHOD_LIMIT = 100
MAX_FIXES = 20
MAX_TRIED = 100
"""Shapes and addresses of a document that are looked at, readable or not."""
CIVIC = "Civic"
"""The shape of an address that no position stands beside."""


@dataclass(frozen=True, slots=True)
class Fix:
    """A location: degrees WGS84, `radius` in metres, `at` aware or None when not said.

    `latitude` and `longitude` are None for a civic address alone (shape `Civic`), else the centre
    of the shape. `altitude` is in metres, `confidence` in percent, 0 where it is said to be
    unknown. `geometry` has what the shape has beside centre and radius, in metres and degrees
    clockwise from north. `source` is the element it stood in: tuple, device, person or "".
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


def parse_pidf_lo(data: bytes) -> list[Fix]:
    """All locations of a document in its order; [] when it has none.

    A civic address beside a shape, in the same `geopriv`, is told with the shape; alone, as a
    location of its own behind the others. A location that cannot be read is left out as long as
    another one can; raises PidfError when none is left.
    """
    try:
        root = parse_xml(data)
    except XmlError as error:
        raise PidfError(str(error)) from None
    fixes: list[Fix] = []
    fault: PidfError | None = None
    contexts: list[tuple[Element, int]] = []  # each geopriv with a shape, and its first fix
    addresses: list[Element] = []
    context: Element | None = None
    outer: Element | None = None  # the area whose parts are no shapes of their own
    said = _NOTHING
    tried = 0
    for element in root.iter(*_TAGS):
        if len(fixes) >= MAX_FIXES:
            break
        if outer is not None and _is_within(element, outer):
            continue
        tried += 1
        if tried > MAX_TRIED:
            break
        name = element.tag.rpartition("}")[2]
        if name in _CIVIC:
            addresses.append(element)
            continue
        try:
            latitude, longitude, radius, altitude, geometry = SHAPES[name](element)
        except PidfError as error:
            fault = error
            if name == "Polygon":
                outer = element
            continue
        if geometry is not None:
            outer = element
        # For readable shapes alone, which are counted: it looks through all that stands beside.
        geopriv = _geopriv_of(element)
        if geopriv is not context or context is None:
            context, said = geopriv, _NOTHING
            if geopriv is not None:
                said = _circumstances(geopriv, element)
                contexts.append((geopriv, len(fixes)))
        method, at, source, confidence = said
        fixes.append(
            Fix(name, latitude, longitude, radius, method, at,
                altitude, confidence, geometry, None, source)
        )  # fmt: skip
    if addresses:
        _add_addresses(addresses, fixes, contexts)
    if fault is not None and not fixes:
        raise fault
    return fixes


class _Circumstances(NamedTuple):
    """What a `geopriv` says of all shapes in it."""

    method: str
    at: datetime | None
    source: str
    confidence: float | None


_NOTHING = _Circumstances("", None, "", None)


def _is_within(shape: Element, outer: Element) -> bool:
    """Whether this is the base of a prism or a vertex, and no location of its own."""
    above = shape.getparent()
    for _ in range(6):  # pointProperty, LinearRing, exterior, Polygon, base
        if above is None or above is outer:
            break
        above = above.getparent()
    return above is outer


def _add_addresses(
    addresses: list[Element], fixes: list[Fix], contexts: list[tuple[Element, int]]
) -> None:
    """Put each civic address to the shape that it stands beside, else behind all of them."""
    told: list[Element | None] = []
    for element in addresses:
        geopriv = _geopriv_of(element)
        if geopriv in told or not (fields := civic_address(element)):
            continue
        told.append(geopriv)
        beside = [at for context, at in contexts if context is geopriv]
        if beside:
            fixes[beside[0]] = replace(fixes[beside[0]], civic=fields)
        elif len(fixes) < MAX_FIXES:
            said = _NOTHING if geopriv is None else _circumstances(geopriv, element)
            fixes.append(
                Fix(CIVIC, None, None, None, said.method, said.at,
                    confidence=said.confidence, civic=fields, source=said.source)
            )  # fmt: skip


def _geopriv_of(element: Element) -> Element | None:
    above = element.getparent()
    for _ in range(4):  # location-info, geopriv; a shape may sit in a wrapper
        if above is None:
            return None
        if above.tag.endswith("}geopriv"):
            return above
        above = above.getparent()
    return None


def _circumstances(geopriv: Element, location: Element) -> _Circumstances:
    """How and when the location was found: method beside it, timestamp of what it stands in."""
    method = text_in(geopriv, "method")[:METHOD_LIMIT]
    stamp = source = ""
    above = geopriv.getparent()
    if above is not None and above.tag.endswith("}status"):  # of a tuple
        above = above.getparent()
    if above is not None:
        name = above.tag.rpartition("}")[2]
        source = name if name in _SOURCES else ""
        stamp = text_in(above, "timestamp")
    return _Circumstances(
        method,
        instant(stamp) if stamp else None,
        source,
        _confidence(location),
    )


def _confidence(location: Element) -> float | None:
    """The percentage of RFC 7459 5 beside a location: 0 for `unknown`, None for nonsense too."""
    info = location.getparent()
    if info is None or len(info) == 1:
        return None
    text = text_in(info, "confidence")
    if text.lower() == "unknown":
        return 0.0
    try:
        percent = finite(text)
    except PidfError:
        return None
    return percent if 0 < percent <= 100 else None


_SOURCES = frozenset(("tuple", "device", "person"))
_CIVIC = frozenset(("civicAddress", "civilAddress"))
"""What an address stands in; RFC 4119 has the second spelling."""
_TAGS = tuple(f"{{*}}{name}" for name in (*SHAPES, *sorted(_CIVIC)))
