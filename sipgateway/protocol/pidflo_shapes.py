"""The shapes of RFC 5491 5.2 in two and three dimensions: metres, degrees clockwise from north."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sipgateway.protocol.pidflo_numbers import PidfError, angle, degrees, length, position
from sipgateway.protocol.pidflo_rings import centre_of, mean_altitude, ring_json, ring_of
from sipgateway.protocol.xml import Element, child

Geometry = dict[str, Any]
Reading = tuple[float, float, float | None, float | None, Geometry | None]
"""Latitude, longitude, radius, altitude, and what the shape has beside them."""


def _point(shape: Element) -> Reading:
    latitude, longitude, altitude = position(shape)
    return latitude, longitude, None, altitude, None


def _round(shape: Element) -> Reading:
    """Read a circle or a sphere."""
    latitude, longitude, altitude = position(shape)
    return latitude, longitude, length(shape, "radius"), altitude, None


def _ellipse(shape: Element) -> Reading:
    latitude, longitude, altitude = position(shape)
    return latitude, longitude, None, altitude, _axes(shape)


def _axes(shape: Element) -> Geometry:
    return {
        "semiMajorAxis": length(shape, "semiMajorAxis"),
        "semiMinorAxis": length(shape, "semiMinorAxis"),
        "orientation": angle(shape, "orientation"),
    }


def _ellipsoid(shape: Element) -> Reading:
    latitude, longitude, altitude = position(shape)
    geometry = {**_axes(shape), "verticalAxis": length(shape, "verticalAxis")}
    return latitude, longitude, None, altitude, geometry


def _arc_band(shape: Element) -> Reading:
    """Read a part of a ring around its `pos`, as a mobile cell's sector is."""
    latitude, longitude, altitude = position(shape)
    inner, outer = length(shape, "innerRadius"), length(shape, "outerRadius")
    opening = degrees(shape, "openingAngle")
    if max(inner, outer) == 0 or opening == 0:
        raise PidfError("an arc band without an area")
    start = angle(shape, "startAngle")
    if opening < 0:  # turns the other way
        start = (start + opening) % 360.0 % 360.0
    geometry = {
        "innerRadius": min(inner, outer),
        "outerRadius": max(inner, outer),
        "startAngle": start,
        "openingAngle": min(abs(opening), 360.0),
    }
    return latitude, longitude, None, altitude, geometry


def _polygon(shape: Element) -> Reading:
    ring = ring_of(shape)
    return *centre_of(ring), None, mean_altitude(ring), {"ring": ring_json(ring)}


def _prism(shape: Element) -> Reading:
    base = child(shape, "base")
    polygon = child(base, "Polygon") if base is not None else None
    if polygon is None:
        raise PidfError("a prism without a base")
    latitude, longitude, _, altitude, geometry = _polygon(polygon)
    return (
        latitude,
        longitude,
        None,
        altitude,
        {**(geometry or {}), "height": length(shape, "height")},
    )


SHAPES: dict[str, Callable[[Element], Reading]] = {
    "Point": _point,
    "Circle": _round,
    "Ellipse": _ellipse,
    "ArcBand": _arc_band,
    "Polygon": _polygon,
    "Sphere": _round,
    "Ellipsoid": _ellipsoid,
    "Prism": _prism,
}
"""Local name of a shape → what reads it."""
