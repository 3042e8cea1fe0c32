"""The shapes of RFC 5491 as its documents write them, and as no document should."""

import math
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sipgateway.protocol.pidflo import Fix, PidfError, parse_pidf_lo
from sipgateway.protocol.pidflo_rings import MAX_VERTICES
from tests.protocol.test_pidflo import document

DOCUMENTS = Path(__file__).parent.parent / "data" / "pidflo"
HEXAGON = [
    *([43.311, -73.422], [43.111, -73.322], [43.111, -73.222]),
    *([43.311, -73.122], [43.411, -73.222], [43.411, -73.322]),
]


def read(name: str) -> Fix:
    (fix,) = parse_pidf_lo((DOCUMENTS / f"{name}.xml").read_bytes())
    return fix


def near(fix: Fix, latitude: float, longitude: float) -> bool:
    assert fix.latitude is not None and fix.longitude is not None
    return math.dist((fix.latitude, fix.longitude), (latitude, longitude)) < 1e-6


def shape(name: str, inner: str) -> bytes:
    return document(f"<gs:{name}><gml:pos>48 16</gml:pos>{inner}</gs:{name}>")


def polygon(inner: str) -> bytes:
    ring = f"<gml:exterior><gml:LinearRing>{inner}</gml:LinearRing></gml:exterior>"
    return document(f"<gml:Polygon>{ring}</gml:Polygon>")


def listed(numbers: str, **attributes: str) -> bytes:
    said = "".join(f' {name}="{value}"' for name, value in attributes.items())
    return polygon(f"<gml:posList{said}>{numbers}</gml:posList>")


def ring(data: bytes) -> list[list[float]]:
    (fix,) = parse_pidf_lo(data)
    assert fix.shape == "Polygon" and fix.geometry is not None
    return list(fix.geometry["ring"])


def test_a_point_in_two_dimensions() -> None:
    at = datetime(2007, 6, 22, 20, 57, 29, tzinfo=UTC)
    assert read("point-2d") == Fix("Point", -34.407, 150.883, None, "Wiremap", at, source="tuple")


def test_a_point_in_three_dimensions() -> None:
    fix = read("point-3d")
    assert (fix.latitude, fix.longitude, fix.altitude) == (-34.407, 150.883, 24.8)


def test_a_circle() -> None:
    fix = read("circle")
    assert (fix.shape, fix.latitude, fix.longitude, fix.radius) == (
        *("Circle", 42.5463),
        *(-73.2512, 850.24),
    )
    assert (fix.geometry, fix.altitude, fix.confidence, fix.civic) == (None, None, None, None)


def test_an_ellipse() -> None:
    fix = read("ellipse")
    assert (fix.latitude, fix.longitude, fix.radius) == (42.5463, -73.2512, None)
    assert fix.geometry == {"semiMajorAxis": 1275.0, "semiMinorAxis": 670.0, "orientation": 43.2}


def test_an_arc_band() -> None:
    fix = read("arc-band")
    assert (fix.latitude, fix.longitude, fix.method) == (42.5463, -73.2512, "TA-NMR")
    assert fix.geometry == {
        **{"innerRadius": 1661.55, "outerRadius": 2215.4},
        **{"startAngle": 266.0, "openingAngle": 120.0},
    }


@pytest.mark.parametrize("name", ["polygon", "polygon-pos-list"])
def test_a_polygon_of_positions_or_of_one_list(name: str) -> None:
    fix = read(name)
    assert fix.geometry == {"ring": HEXAGON}
    assert near(fix, 43.2693333, -73.272)
    assert fix.altitude is None


def test_a_polygon_in_three_dimensions() -> None:
    fix = read("polygon-3d")
    assert fix.geometry is not None
    assert fix.geometry["ring"][0] == [42.556844, -73.248157, 36.6]
    assert len(fix.geometry["ring"]) == 6
    assert fix.altitude == pytest.approx(36.6)
    assert near(fix, 42.5463004, -73.2512)


def test_a_sphere_of_a_device() -> None:
    fix = read("sphere")
    assert (fix.shape, fix.radius, fix.altitude, fix.geometry) == ("Sphere", 850.24, 26.3, None)
    assert (fix.source, fix.at) == ("device", datetime(2007, 6, 24, 12, 28, 4, tzinfo=UTC))


def test_an_ellipsoid() -> None:
    fix = read("ellipsoid")
    assert (fix.altitude, fix.radius) == (26.3, None)
    assert fix.geometry == {
        **{"semiMajorAxis": 7.7156, "semiMinorAxis": 3.31},
        **{"verticalAxis": 28.7, "orientation": 90.0},
    }


def test_a_prism_is_one_location_and_its_base_none() -> None:
    fix = read("prism")
    assert (fix.shape, fix.altitude) == ("Prism", pytest.approx(36.6))
    assert near(fix, 42.606844, -73.298157)
    assert fix.geometry is not None
    assert (len(fix.geometry["ring"]), fix.geometry["height"]) == (4, 2.4)


def test_the_base_of_a_prism_without_a_height_is_better_than_nothing() -> None:
    data = (DOCUMENTS / "prism.xml").read_bytes().replace(b">2.4<", b">tall<")
    (fix,) = parse_pidf_lo(data)
    assert (fix.shape, fix.altitude) == ("Polygon", pytest.approx(36.6))


def test_a_civic_address_alone_is_a_location_without_a_position() -> None:
    fix = read("civic")
    assert (fix.shape, fix.latitude, fix.longitude) == ("Civic", None, None)
    assert (fix.source, fix.method) == ("person", "Manual")
    assert fix.civic == {
        **{"country": "AT", "A1": "Wien", "A3": "Wien", "RD": "Schwarzspanierstraße"},
        **{"HNO": "12", "HNS": "a", "FLR": "3", "ROOM": "14", "NAM": "Ordination Dr. Muster"},
        **{"PC": "1090", "PN": "Mast 7"},
    }


def test_a_civic_address_beside_a_shape_is_one_location_with_its_confidence() -> None:
    fix = read("civic-beside-point")
    assert (fix.shape, fix.latitude, fix.confidence) == ("Point", -34.407, 67.0)
    assert fix.civic is not None and fix.civic["RD"] == "Flinders"


def test_an_address_of_somebody_else_is_another_location() -> None:
    device, person = parse_pidf_lo((DOCUMENTS / "two-sources.xml").read_bytes())
    assert (device.shape, device.source, device.civic) == ("Circle", "device", None)
    assert (person.shape, person.source) == ("Civic", "person")
    assert (device.at, person.at) == (
        datetime(2026, 1, 31, 12, tzinfo=UTC),
        datetime(2026, 1, 31, 11, tzinfo=UTC),
    )


def test_an_address_is_read_where_its_shape_cannot_be() -> None:
    data = (DOCUMENTS / "civic-beside-point.xml").read_bytes().replace(b"-34.407", b"south")
    (fix,) = parse_pidf_lo(data)
    assert fix.shape == "Civic"


@pytest.mark.parametrize(
    ("said", "confidence"),
    [("95", 95.0), ("unknown", 0.0), ("0", None), ("101", None), ("nan", None), ("high", None)],
)
def test_confidence_is_a_percentage_or_unknown(said: str, confidence: float | None) -> None:
    data = (DOCUMENTS / "civic-beside-point.xml").read_bytes()
    (fix,) = parse_pidf_lo(data.replace(b">67<", f">{said}<".encode()))
    assert fix.confidence == confidence


@pytest.mark.parametrize(
    ("uom", "metres"),
    [
        ("urn:ogc:def:uom:EPSG::9002", 30.48),
        ("http://www.opengis.net/def/uom/EPSG/0/9036", 100_000.0),
        ("urn:ogc:def:uom:EPSG:6.6:9030", 185_200.0),
        ("#m", 100.0),
        ("ft", 30.48),
        ("", 100.0),
    ],
)
def test_lengths_are_turned_into_metres(uom: str, metres: float) -> None:
    data = shape("Circle", f'<gs:radius uom="{uom}">100</gs:radius>')
    assert parse_pidf_lo(data)[0].radius == pytest.approx(metres)


@pytest.mark.parametrize(
    ("uom", "angle", "degrees"),
    [
        ("urn:ogc:def:uom:EPSG::9101", f"{math.pi / 2}", 90.0),
        ("urn:ogc:def:uom:EPSG::9105", "100", 90.0),
        ("urn:ogc:def:uom:EPSG::9102", "450", 90.0),
        ("urn:ogc:def:uom:EPSG::9102", "-90", 270.0),
        ("urn:ogc:def:uom:EPSG::9102", "-1e-30", 0.0),
    ],
)
def test_angles_are_turned_into_degrees_from_north(uom: str, angle: str, degrees: float) -> None:
    inner = "<gs:semiMajorAxis>2</gs:semiMajorAxis><gs:semiMinorAxis>1</gs:semiMinorAxis>"
    data = shape("Ellipse", f'{inner}<gs:orientation uom="{uom}">{angle}</gs:orientation>')
    (fix,) = parse_pidf_lo(data)
    assert fix.geometry is not None
    assert fix.geometry["orientation"] == pytest.approx(degrees)


ARC = (
    "<gs:innerRadius>{}</gs:innerRadius><gs:outerRadius>{}</gs:outerRadius>"
    "<gs:startAngle>{}</gs:startAngle><gs:openingAngle>{}</gs:openingAngle>"
)


@pytest.mark.parametrize(
    ("given", "read_as"),
    [
        ((200, 100, 0, 90), (100.0, 200.0, 0.0, 90.0)),
        ((0, 100, 90, -60), (0.0, 100.0, 30.0, 60.0)),
        ((0, 100, 10, 400), (0.0, 100.0, 10.0, 360.0)),
    ],
)
def test_arc_bands_turned_around_are_put_right(
    given: tuple[float, ...], read_as: tuple[float, ...]
) -> None:
    (fix,) = parse_pidf_lo(shape("ArcBand", ARC.format(*given)))
    assert fix.geometry is not None
    assert tuple(fix.geometry.values()) == read_as


@pytest.mark.parametrize("given", [(0, 0, 0, 90), (1, 2, 0, 0), (1, 2, 0, "1e999"), (-1, 2, 0, 9)])
def test_arc_bands_that_are_no_area_are_refused(given: tuple[object, ...]) -> None:
    with pytest.raises(PidfError):
        parse_pidf_lo(shape("ArcBand", ARC.format(*given)))


SQUARE = "48 16 48 17 49 17 49 16"
CORNERS = [[48.0, 16.0], [48.0, 17.0], [49.0, 17.0], [49.0, 16.0]]


@pytest.mark.parametrize(
    "numbers",
    [
        f"{SQUARE} 48 16",
        SQUARE,
        "48 16 48 16 48 17 49 17 49 17 49 16 48 16 48 16",
        "48,16 48,17 49,17 49,16 48,16",
    ],
)
def test_rings_are_closed_and_vertices_counted_once(numbers: str) -> None:
    assert ring(listed(numbers)) == CORNERS


def test_either_winding_keeps_its_order_and_its_centre() -> None:
    backwards = "48 16 49 16 49 17 48 17 48 16"
    assert ring(listed(backwards)) == [CORNERS[0], *CORNERS[:0:-1]]
    (fix,) = parse_pidf_lo(listed(backwards))
    assert near(fix, 48.5, 16.5)


@pytest.mark.parametrize("said", ["2", "3", "9"])
def test_what_closes_the_ring_says_how_many_numbers_a_vertex_has(said: str) -> None:
    """The attributes may lie: six numbers a line are three places, or two in three dimensions."""
    flat = "48 16 48 17 48.5 17.5 49 17 49 16 48 16"
    assert len(ring(listed(flat, srsDimension=said))) == 5
    high = "48 16 9 48 17 9 49 17 9 48 16 9"
    assert ring(listed(high, srsDimension=said)) == [[48, 16, 9], [48, 17, 9], [49, 17, 9]]


def test_an_open_list_that_can_be_both_is_what_it_says() -> None:
    numbers = "48 16 9 48 17 9 49 17 9 49 16 9"
    assert len(ring(listed(numbers, srsDimension="3"))) == 4


def test_a_polygon_of_points_is_one_location() -> None:
    points = "".join(
        f"<gml:pointProperty><gml:Point><gml:pos>{y} {x}</gml:pos></gml:Point></gml:pointProperty>"
        for y, x in CORNERS
    )
    assert ring(polygon(points)) == CORNERS


def test_an_area_across_the_antimeridian_has_its_centre_there() -> None:
    (fix,) = parse_pidf_lo(listed("-17 179 -17 -179 -18 -179 -18 179 -17 179"))
    assert near(fix, -17.5, 180.0) or near(fix, -17.5, -180.0)


def test_an_outline_that_crosses_itself_has_its_centre_amid_its_corners() -> None:
    (fix,) = parse_pidf_lo(listed("48 16 49 17 49 16 48 17 48 16"))
    assert near(fix, 48.5, 16.5)


def test_no_negative_zero_goes_onto_the_record() -> None:
    assert "-0.0" not in repr(ring(listed("-0 -0 0 1 1 1 -0 -0")))


@pytest.mark.parametrize(
    "data",
    [
        listed(""),
        listed("48 16"),
        listed("48 16 49 17 48 16"),
        listed("48 16 48 16 48 16 48 16"),
        listed("48 16 48.1 16.1 48.2 16.2 48 16"),
        listed("48 16 48 17 49"),
        listed("48 16 48 17 nan 17 48 16"),
        listed("48 16 48 17 1e999 17 48 16"),
        listed("48 16 48 17 91 17 48 16"),
        polygon("<gml:pos>48 16</gml:pos><gml:pos/><gml:pos>49 17</gml:pos>"),
        polygon(""),
        document("<gml:Polygon/>"),
        document("<gml:Polygon><gml:exterior/></gml:Polygon>"),
        document("<gs:Prism><gs:base/><gs:height>1</gs:height></gs:Prism>"),
        document("<gs:Prism/>"),
        shape("Ellipse", ""),
        shape("Ellipse", "<gs:semiMajorAxis>1</gs:semiMajorAxis>"),
        shape("Sphere", "<gs:radius>-1</gs:radius>"),
        shape("Sphere", "<gs:radius>1e300</gs:radius>"),
        shape("Ellipsoid", "<gs:semiMajorAxis>inf</gs:semiMajorAxis>"),
        document("<gs:ArcBand><gml:pos>nan nan</gml:pos></gs:ArcBand>"),
    ],
)
def test_what_encloses_nothing_is_refused(data: bytes) -> None:
    with pytest.raises(PidfError):
        parse_pidf_lo(data)


def test_vertices_of_a_refused_outline_are_no_locations() -> None:
    point = "<gml:pointProperty><gml:Point><gml:pos>48 16</gml:pos></gml:Point></gml:pointProperty>"
    with pytest.raises(PidfError):
        parse_pidf_lo(polygon(point * 2))


@pytest.mark.parametrize("altitude", ["nan", "high", "1e300", "-1e999"])
def test_an_altitude_of_nonsense_does_not_cost_the_position(altitude: str) -> None:
    (fix,) = parse_pidf_lo(document(f"<gml:Point><gml:pos>48 16 {altitude}</gml:pos></gml:Point>"))
    assert (fix.latitude, fix.altitude) == (48.0, None)


def circle_of(corners: int) -> list[str]:
    turns = [2 * math.pi * corner / corners for corner in range(corners)]
    return [f"{48 + math.sin(turn):.6f} {16 + math.cos(turn):.6f}" for turn in turns]


def test_vertices_are_counted() -> None:
    """Red when there is no limit: each event of the chat would carry all of them to all screens."""
    assert len(ring(listed(" ".join(circle_of(MAX_VERTICES))))) == MAX_VERTICES
    with pytest.raises(PidfError):
        parse_pidf_lo(listed(" ".join(circle_of(MAX_VERTICES + 1))))


def test_a_hundred_thousand_vertices_take_no_time() -> None:
    places = [f"{number % 90} {number % 180}" for number in range(100_000)]
    elements = "".join(f"<gml:pos>{place}</gml:pos>" for place in places[:9_000])
    started = time.process_time()
    for data in (listed(" ".join(places)), polygon(elements)):
        with pytest.raises(PidfError, match="vertices"):
            parse_pidf_lo(data)
    assert time.process_time() - started < 0.3


def test_thousands_of_refused_polygons_take_no_time() -> None:
    outline = "<gml:exterior><gml:LinearRing><gml:posList>1 1</gml:posList></gml:LinearRing>"
    refused = f"<gml:Polygon>{outline}</gml:exterior></gml:Polygon>"
    point = "<gml:Point><gml:pos>48 16</gml:pos></gml:Point>"
    started = time.process_time()
    assert [fix.shape for fix in parse_pidf_lo(document(refused * 90 + point))] == ["Point"]
    with pytest.raises(PidfError):
        parse_pidf_lo(document(refused * 2400))
    with pytest.raises(PidfError, match="elements"):
        parse_pidf_lo(document(refused * 6000))
    assert time.process_time() - started < 0.3


def test_addresses_by_the_thousand_are_some_and_bounded() -> None:
    fields = "".join(f"<X{number}>{'x' * 999}</X{number}>" for number in range(100))
    many = f"<gp:geopriv><civicAddress>{fields}</civicAddress></gp:geopriv>" * 9
    (fix, *others) = parse_pidf_lo(document(many))
    assert fix.civic is not None
    assert (len(others), len(fix.civic), max(map(len, fix.civic.values()))) == (8, 50, 200)
    empty = document("<gp:geopriv><civicAddress/></gp:geopriv>" * 6_000)
    started = time.process_time()
    assert parse_pidf_lo(empty) == []
    assert time.process_time() - started < 0.3


@pytest.mark.parametrize("name", sorted(path.stem for path in DOCUMENTS.glob("*.xml")))
def test_documents_in_utf_16_are_read_alike(name: str) -> None:
    text = (DOCUMENTS / f"{name}.xml").read_text().replace("UTF-8", "UTF-16")
    plain = parse_pidf_lo((DOCUMENTS / f"{name}.xml").read_bytes())
    assert parse_pidf_lo(text.encode("utf-16")) == plain
