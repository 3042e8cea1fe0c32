"""Locations of every shape that RFC 5491 has, as an app writes them into PIDF-LO."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from xml.sax.saxutils import escape

_METRES = 'uom="urn:ogc:def:uom:EPSG::9001"'
_DEGREES = 'uom="urn:ogc:def:uom:EPSG::9102"'
_FLAT = 'srsName="urn:ogc:def:crs:EPSG::4326"'
_SOLID = 'srsName="urn:ogc:def:crs:EPSG::4979"'
_CIVIC = "urn:ietf:params:xml:ns:pidf:geopriv10:civicAddr"
METRES_PER_DEGREE = 111_320.0


@dataclass(frozen=True, slots=True)
class Location:
    """Where the caller is: WGS 84 degrees, metres, PIDF-LO method; the radius sizes any shape."""

    latitude: float
    longitude: float
    radius: float = 15.0
    method: str = "GPS"
    shape: str = "Circle"
    altitude: float = 178.0


def write_shape(location: Location) -> str:
    """Write what stands in `location-info`; raises KeyError for a shape that there is not."""
    return SHAPES[location.shape](location)


def _pos(location: Location, *, solid: bool = False) -> str:
    height = f" {location.altitude:g}" if solid else ""
    return f"<gml:pos>{location.latitude:.6f} {location.longitude:.6f}{height}</gml:pos>"


def _metres(name: str, value: float) -> str:
    return f"<gs:{name} {_METRES}>{value:g}</gs:{name}>"


def _degrees(name: str, value: float) -> str:
    return f"<gs:{name} {_DEGREES}>{value:g}</gs:{name}>"


def _point(location: Location) -> str:
    return f"<gml:Point {_FLAT}>{_pos(location)}</gml:Point>"


def _circle(location: Location) -> str:
    return f"<gs:Circle {_FLAT}>{_pos(location)}{_metres('radius', location.radius)}</gs:Circle>"


def _ellipse(location: Location) -> str:
    axes = _metres("semiMajorAxis", location.radius) + _metres("semiMinorAxis", location.radius / 2)
    return f"<gs:Ellipse {_FLAT}>{_pos(location)}{axes}{_degrees('orientation', 32)}</gs:Ellipse>"


def _arc_band(location: Location) -> str:
    radii = _metres("innerRadius", location.radius) + _metres("outerRadius", 2 * location.radius)
    angles = _degrees("startAngle", 266) + _degrees("openingAngle", 120)
    return f"<gs:ArcBand {_FLAT}>{_pos(location)}{radii}{angles}</gs:ArcBand>"


def _ring(location: Location, *, solid: bool = False) -> str:
    """A hexagon around the position, closed, counter-clockwise."""
    height = f" {location.altitude:g}" if solid else ""
    reach = location.radius / METRES_PER_DEGREE
    narrow = math.cos(math.radians(location.latitude))
    corners = [math.radians(60 * corner) for corner in range(6)] + [0.0]
    positions = " ".join(
        f"{location.latitude + reach * math.sin(angle):.6f}"
        f" {location.longitude + reach / narrow * math.cos(angle):.6f}{height}"
        for angle in corners
    )
    ring = f"<gml:LinearRing><gml:posList>{positions}</gml:posList></gml:LinearRing>"
    return f"<gml:exterior>{ring}</gml:exterior>"


def _polygon(location: Location) -> str:
    return f"<gml:Polygon {_FLAT}>{_ring(location)}</gml:Polygon>"


def _sphere(location: Location) -> str:
    position = _pos(location, solid=True)
    return f"<gs:Sphere {_SOLID}>{position}{_metres('radius', location.radius)}</gs:Sphere>"


def _ellipsoid(location: Location) -> str:
    axes = "".join(
        (
            _metres("semiMajorAxis", location.radius),
            _metres("semiMinorAxis", location.radius / 2),
            _metres("verticalAxis", location.radius / 3),
            _degrees("orientation", 90),
        )
    )
    return f"<gs:Ellipsoid {_SOLID}>{_pos(location, solid=True)}{axes}</gs:Ellipsoid>"


def _prism(location: Location) -> str:
    base = f"<gs:base><gml:Polygon {_SOLID}>{_ring(location, solid=True)}</gml:Polygon></gs:base>"
    return f"<gs:Prism {_SOLID}>{base}{_metres('height', 2.4)}</gs:Prism>"


def _civic(location: Location) -> str:
    address = {"country": "AT", "A1": "Wien", "A6": "Ballhausplatz", "HNO": "2", "PC": "1010"}
    fields = "".join(f"<ca:{name}>{escape(value)}</ca:{name}>" for name, value in address.items())
    return f'<ca:civicAddress xmlns:ca="{_CIVIC}">{fields}</ca:civicAddress>'


SHAPES: dict[str, Callable[[Location], str]] = {
    "Point": _point,
    "Circle": _circle,
    "Ellipse": _ellipse,
    "ArcBand": _arc_band,
    "Polygon": _polygon,
    "Sphere": _sphere,
    "Ellipsoid": _ellipsoid,
    "Prism": _prism,
    "Civic": _civic,
}
