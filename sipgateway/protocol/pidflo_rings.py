"""The outline of an area: its vertices in order, its centre, and what is no area at all."""

from __future__ import annotations

from collections.abc import Iterator

from sipgateway.protocol.pidflo_numbers import PidfError, vertex
from sipgateway.protocol.xml import Element, child, text_in

MAX_VERTICES = 100
"""RFC 5491 asks for 16 at most; each goes to every screen with every event of the chat."""
MAX_WRITTEN = 4 * MAX_VERTICES
"""Vertices that are looked at, those given twice in a row among them."""
_FLAT = 1e-9
"""Twice an area over its squared extent below which vertices count as lying on one line."""

Vertex = tuple[float, float, float | None]


def ring_of(polygon: Element) -> list[Vertex]:
    """The distinct vertices of a polygon's exterior, in the order in which they came.

    Forgives a ring that is not closed, either winding, `pos`, `posList` or points, and vertices
    given twice in a row. Raises PidfError for fewer than three, or all on one line.
    """
    boundary = child(polygon, "exterior")
    if boundary is None:
        boundary = child(polygon, "outerBoundaryIs")
    ring = child(boundary, "LinearRing") if boundary is not None else None
    if ring is None:
        raise PidfError("a polygon without a ring")
    return ring_from(_vertices(ring))


def ring_from(vertices: Iterator[Vertex]) -> list[Vertex]:
    """The distinct vertices of an outline; raises PidfError when it encloses nothing."""
    found: list[Vertex] = []
    for number, place in enumerate(vertices):
        if number == MAX_WRITTEN:
            raise PidfError("more vertices than are read")
        if found and place[:2] == found[-1][:2]:
            continue
        found.append(place)
        if len(found) > MAX_VERTICES + 1:
            raise PidfError("more vertices than are read")
    if len(found) > 1 and found[0][:2] == found[-1][:2]:
        found.pop()
    if not 3 <= len(found) <= MAX_VERTICES or _is_flat(found):
        raise PidfError("a polygon that encloses nothing, or with too many vertices")
    return found


def centre_of(ring: list[Vertex]) -> tuple[float, float]:
    """The centroid of a ring, also of one across the antimeridian; the mean of a crossing one."""
    flat = _unrolled(ring)
    doubled = north = east = 0.0
    for (y1, x1), (y2, x2) in zip(flat, [*flat[1:], flat[0]], strict=True):
        cross = x1 * y2 - x2 * y1
        doubled += cross
        north += (y1 + y2) * cross
        east += (x1 + x2) * cross
    if abs(doubled) > _FLAT * _extent(flat) ** 2:
        north, east = north / (3 * doubled), east / (3 * doubled)
    else:
        north = sum(y for y, _ in flat) / len(flat)
        east = sum(x for _, x in flat) / len(flat)
    latitude = min(90.0, max(-90.0, ring[0][0] + north))
    return latitude, (ring[0][1] + east + 540.0) % 360.0 - 180.0


def mean_altitude(ring: list[Vertex]) -> float | None:
    """The altitude of an outline whose vertices all have one."""
    altitudes = [place[2] for place in ring if place[2] is not None]
    return sum(altitudes) / len(altitudes) if len(altitudes) == len(ring) else None


def ring_json(ring: list[Vertex]) -> list[list[float]]:
    """The ring as [[latitude, longitude(, altitude)]…], its first vertex not repeated.

    Adding zero makes -0.0 0.0, since JSON in PostgreSQL knows no negative zero.
    """
    with_altitude = mean_altitude(ring) is not None
    return [[number + 0.0 for number in place[: 2 + with_altitude] if number is not None]
            for place in ring]  # fmt: skip


def _vertices(ring: Element) -> Iterator[Vertex]:
    for element in ring.iterchildren("{*}*"):
        name = element.tag.rpartition("}")[2]
        if name == "pos":
            yield vertex((element.text or "").replace(",", " ").split())
        elif name == "posList":
            yield from _of_list(element)
        elif name in ("pointProperty", "pointRep"):
            point = child(element, "Point")
            if point is not None:
                yield vertex(text_in(point, "pos").replace(",", " ").split())


def _of_list(element: Element) -> Iterator[Vertex]:
    """Take a list of numbers apart by twos or threes."""
    numbers = (element.text or "").replace(",", " ").split(maxsplit=3 * MAX_WRITTEN)
    if len(numbers) > 3 * MAX_WRITTEN:
        raise PidfError("more vertices than are read")
    size = _numbers_a_vertex(element, numbers)
    for at in range(0, len(numbers), size):
        yield vertex(numbers[at : at + size])


def _numbers_a_vertex(element: Element, numbers: list[str]) -> int:
    """Two or three: what divides the list and closes the ring; attributes, which lie, come last."""
    possible = [size for size in (2, 3) if numbers and len(numbers) % size == 0]
    if len(possible) == 2:
        closing = [size for size in possible if numbers[:size] == numbers[-size:]]
        said = 3 if element.get("srsDimension") == "3" else 2
        possible = closing if len(closing) == 1 else [said]
    if not possible:
        raise PidfError("a list of numbers that are no positions")
    return possible[0]


def _unrolled(ring: list[Vertex]) -> list[tuple[float, float]]:
    """Degrees north and east of the first vertex, the short way around."""
    north, east = ring[0][0], ring[0][1]
    return [(place[0] - north, (place[1] - east + 540.0) % 360.0 - 180.0) for place in ring]


def _extent(flat: list[tuple[float, float]]) -> float:
    return max(max(abs(y), abs(x)) for y, x in flat)


def _is_flat(ring: list[Vertex]) -> bool:
    flat = _unrolled(ring)
    far_y, far_x = max(flat, key=lambda place: place[0] ** 2 + place[1] ** 2)
    widest = max(abs(x * far_y - y * far_x) for y, x in flat)
    return widest <= _FLAT * _extent(flat) ** 2
