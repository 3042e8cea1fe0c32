"""Alerts of the Common Alerting Protocol (CAP 1.2), as sensors and bots send them (RFC 8876)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sipgateway.protocol.errors import SipError
from sipgateway.protocol.pidflo import Fix
from sipgateway.protocol.pidflo_numbers import MAX_LENGTH, PidfError, finite, instant, vertex
from sipgateway.protocol.pidflo_rings import (
    MAX_VERTICES,
    Vertex,
    centre_of,
    mean_altitude,
    ring_from,
    ring_json,
)
from sipgateway.protocol.xml import Element, XmlError, parse_xml, text_in

ALERT = "Alert"
SOURCE = "alert"
"""What the fixes of an alert's areas give as their source."""
CAP_TYPES = frozenset(("application/emergencycalldata.cap+xml", "application/cap+xml"))
MAX_INFOS = 5
MAX_AREAS = 10
MAX_SHAPES = 10
MAX_PARAMETERS = 20
VALUE_LIMIT = 500
TEXT_LIMIT = 2000

_OF_ALERT = ("identifier", "sender", "sent", "status", "msgType", "scope", "source", "note")
_OF_INFO = (
    *("language", "category", "event", "responseType", "urgency", "severity", "certainty"),
    *("effective", "onset", "expires", "senderName", "headline", "web", "contact"),
)
_TEXTS = ("description", "instruction")


class CapError(SipError):
    """The part is no alert that can be read."""


def parse_cap(data: bytes) -> tuple[list[dict[str, Any]], list[Fix]]:
    """The alert, once for each of its `info` blocks, and the areas of the first that has some.

    Fields go by their names in CAP; `areas` is a list of {`description`}, `parameters` an object.
    The other `info` blocks say the same in other languages, mostly. Raises CapError.
    """
    try:
        root = parse_xml(data)
    except XmlError as error:
        raise CapError(str(error)) from None
    alert = next(iter(root.iter("{*}alert")), None)
    if alert is None:
        raise CapError("no alert")
    about = _texts(alert, _OF_ALERT, VALUE_LIMIT)
    blocks: list[dict[str, Any]] = []
    fixes: list[Fix] = []
    for number, info in enumerate(alert.iterchildren("{*}info")):
        if number == MAX_INFOS:
            break
        blocks.append(about | _info(info))
        fixes = fixes or _areas(info, instant(about.get("sent", "")))
    blocks = blocks or [dict(about)]
    if not any(blocks):
        raise CapError("an alert that says nothing")
    return blocks, fixes


def _texts(element: Element, names: tuple[str, ...], longest: int) -> dict[str, Any]:
    found = {name: text_in(element, name)[:longest] for name in names}
    return {name: text for name, text in found.items() if text}


def _info(info: Element) -> dict[str, Any]:
    fields = _texts(info, _OF_INFO, VALUE_LIMIT) | _texts(info, _TEXTS, TEXT_LIMIT)
    parameters: dict[str, str] = {}
    for number, element in enumerate(info.iterchildren("{*}parameter")):
        if number == MAX_PARAMETERS:
            break
        name = text_in(element, "valueName")[:VALUE_LIMIT]
        if name:
            parameters.setdefault(name, text_in(element, "value")[:VALUE_LIMIT])
    if parameters:
        fields["parameters"] = parameters
    areas = [text_in(area, "areaDesc")[:VALUE_LIMIT] for area in _some(info, "area", MAX_AREAS)]
    if any(areas):
        fields["areas"] = [{"description": text} for text in areas if text]
    return fields


def _some(element: Element, name: str, most: int) -> Iterator[Element]:
    for number, found in enumerate(element.iterchildren(f"{{*}}{name}")):
        if number == most:
            return
        yield found


def _areas(info: Element, at: datetime | None) -> list[Fix]:
    """Each polygon and circle of the areas; one that cannot be read is passed over."""
    fixes: list[Fix] = []
    for area in _some(info, "area", MAX_AREAS):
        for element in area.iterchildren("{*}polygon", "{*}circle"):
            if len(fixes) == MAX_SHAPES:
                return fixes
            is_circle = element.tag.endswith("circle")
            text = (element.text or "").strip()
            try:
                fixes.append(_circle(text, at) if is_circle else _polygon(text, at))
            except PidfError:
                continue
    return fixes


def _polygon(text: str, at: datetime | None) -> Fix:
    ring = ring_from(_pairs(text))
    latitude, longitude = centre_of(ring)
    geometry = {"ring": ring_json(ring)}
    altitude = mean_altitude(ring)
    return Fix("Polygon", latitude, longitude, None, "", at, altitude, None, geometry, None, SOURCE)


def _pairs(text: str) -> Iterator[Vertex]:
    """Take `38.47,-120.14 38.34,-119.95 …` apart."""
    pairs = text.split()
    if len(pairs) > MAX_VERTICES + 1:
        raise PidfError("more vertices than are read")
    for pair in pairs:
        yield vertex(pair.split(","))


def _circle(text: str, at: datetime | None) -> Fix:
    """Read `32.9525,-115.5527 10.5`; the radius is in kilometres, and 0 makes it a point."""
    place, _, size = text.partition(" ")
    latitude, longitude, _altitude = vertex(place.split(","))
    radius = finite(size.strip()) * 1000.0
    if not 0 <= radius <= MAX_LENGTH:
        raise PidfError("a radius that is negative or beyond the globe")
    if radius == 0:
        return Fix("Point", latitude, longitude, None, "", at, source=SOURCE)
    return Fix("Circle", latitude, longitude, radius, "", at, source=SOURCE)
