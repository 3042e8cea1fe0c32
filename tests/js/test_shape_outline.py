"""The shapes of RFC 5491 as rings on the ground, against the ellipsoid of WGS84."""

import math
from itertools import pairwise
from typing import Any

import pytest
from playwright.async_api import Page

CENTRE = (47.8, 13.05)
SPHERE_FOR_ELLIPSOID = 0.006  # what a sphere of the mean radius is off, at most
WIDE, FLAT = 6_378_137.0, 1 / 298.257223563
Ring = list[list[float]]


async def outline(page: Page, shape: str, **said: Any) -> list[Ring]:
    fix = {"shape": shape, "lat": CENTRE[0], "lon": CENTRE[1], "radius": None} | said
    script = "(fix) => import('/static/console/shape-outline.js').then((m) => m.outline(fix))"
    return await page.evaluate(script, fix)


def polar(corner: list[float], centre: tuple[float, float] = CENTRE) -> tuple[float, float]:
    """Return distance in metres and bearing in degrees of a corner near the centre (WGS84)."""
    squared = FLAT * (2 - FLAT)
    across = 1 - squared * math.sin(math.radians(centre[0])) ** 2
    north = math.radians(corner[0] - centre[0]) * WIDE * (1 - squared) / across**1.5
    parallel = WIDE / math.sqrt(across) * math.cos(math.radians(centre[0]))
    east = math.radians(corner[1] - centre[1]) * parallel
    return math.hypot(north, east), math.degrees(math.atan2(east, north)) % 360


async def test_a_circle_is_equally_far_all_around(page: Page):
    for shape in ("Circle", "Sphere"):
        [ring] = await outline(page, shape, radius=500)
        assert len(ring) >= 36
        assert all(
            polar(corner)[0] == pytest.approx(500, rel=SPHERE_FOR_ELLIPSOID) for corner in ring
        )


async def test_an_ellipse_lies_along_its_orientation_clockwise_from_north(page: Page):
    geometry = {"semiMajorAxis": 300, "semiMinorAxis": 100, "orientation": 60, "verticalAxis": 9}
    for shape in ("Ellipse", "Ellipsoid"):
        [ring] = await outline(page, shape, geometry=geometry)
        farthest = max(ring, key=lambda corner: polar(corner)[0])
        assert polar(farthest)[0] == pytest.approx(300, rel=SPHERE_FOR_ELLIPSOID)
        assert polar(farthest)[1] % 180 == pytest.approx(60, abs=0.5)
        for distance, bearing in map(polar, ring):
            along = distance * math.cos(math.radians(bearing - 60))
            across = distance * math.sin(math.radians(bearing - 60))
            assert (along / 300) ** 2 + (across / 100) ** 2 == pytest.approx(1, rel=0.02)


async def test_an_arc_band_opens_clockwise_from_its_start_between_its_radii(page: Page):
    geometry = {"innerRadius": 500, "outerRadius": 1500, "startAngle": 300, "openingAngle": 120}
    [ring] = await outline(page, "ArcBand", geometry=geometry)
    for distance, bearing in map(polar, ring):
        assert min(abs(distance - 500), abs(distance - 1500)) < 1500 * SPHERE_FOR_ELLIPSOID
        assert (bearing - 300 + 0.5) % 360 <= 121
    bearings = [polar(corner)[1] for corner in ring]
    assert any(abs(bearing - 0) < 3 or abs(bearing - 360) < 3 for bearing in bearings)
    assert polar(ring[0])[1] == pytest.approx(300, abs=0.5)


async def test_an_arc_band_without_inner_radius_ends_at_the_mast(page: Page):
    geometry = {"innerRadius": 0, "outerRadius": 900, "startAngle": 0, "openingAngle": 90}
    [ring] = await outline(page, "ArcBand", geometry=geometry)
    assert ring[-1] == list(CENTRE)


async def test_an_arc_band_all_around_is_a_ring_with_a_hole(page: Page):
    geometry = {"innerRadius": 400, "outerRadius": 900, "startAngle": 10, "openingAngle": 360}
    outer, hole = await outline(page, "ArcBand", geometry=geometry)
    assert polar(outer[3])[0] == pytest.approx(900, rel=SPHERE_FOR_ELLIPSOID)
    assert polar(hole[3])[0] == pytest.approx(400, rel=SPHERE_FOR_ELLIPSOID)


async def test_a_polygon_and_the_base_of_a_prism_keep_their_corners(page: Page):
    corners = [[47.80, 13.03], [47.80, 13.06], [47.82, 13.05]]
    closed = [[*corner, 424.0] for corner in [*corners, corners[0]]]
    assert await outline(page, "Polygon", geometry={"ring": closed}) == [corners]
    prism = {"ring": closed, "height": 12}
    assert await outline(page, "Prism", geometry=prism) == [corners]


async def test_shapes_across_the_date_line_stay_in_one_piece(page: Page):
    ring = [[-17.0, 179.99], [-17.0, -179.99], [-17.02, -179.99], [-17.02, 179.99]]
    here = {"lat": -17.01, "lon": 180.0}
    [drawn] = await outline(page, "Polygon", geometry={"ring": ring}, **here)
    assert drawn == [[-17.0, 179.99], [-17.0, 180.01], [-17.02, 180.01], [-17.02, 179.99]]
    [circle] = await outline(page, "Circle", radius=5000, lat=0.0, lon=179.999)
    assert all(abs(one[1] - other[1]) < 1 for one, other in pairwise(circle))


async def test_around_a_pole_a_circle_keeps_its_radius(page: Page):
    [ring] = await outline(page, "Circle", radius=1000, lat=89.99, lon=0.0)
    assert all(89.9 < latitude <= 90 for latitude, _ in ring)


@pytest.mark.parametrize(
    "said",
    [
        {"shape": "Point"},
        {"shape": "Civic", "lat": None, "lon": None},
        {"shape": "Ellipse", "geometry": {}},
        {"shape": "ArcBand", "geometry": None},
        {"shape": "Polygon", "geometry": {"ring": []}},
        {"shape": "Polygon", "geometry": {"ring": [[1, 2], [3, 4]]}},
        {"shape": "Circle", "radius": 0},
        {"shape": "NotKnownYet"},
    ],
)
async def test_what_has_no_extent_has_no_outline(page: Page, said):
    assert await outline(page, **said) == []


async def test_a_shape_reaches_as_far_as_its_farthest_corner(page: Page):
    script = "(fix) => import('/static/console/shape-outline.js').then((m) => m.reach(fix))"
    fix = {"shape": "Ellipse", "lat": 10, "lon": 20,
           "geometry": {"semiMajorAxis": 700, "semiMinorAxis": 10, "orientation": 5}}  # fmt: skip
    assert await page.evaluate(script, fix) == pytest.approx(700, rel=1e-6)
    assert await page.evaluate(script, {"shape": "Point", "lat": 10, "lon": 20}) == 0
