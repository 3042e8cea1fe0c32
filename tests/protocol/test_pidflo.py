"""Locations of real clients, and documents that mean harm."""

import time
from contextlib import nullcontext
from datetime import UTC, datetime

import pytest

from sipgateway.protocol.body import split_body
from sipgateway.protocol.pidflo import Fix, PidfError, parse_pidf_lo
from tests.protocol.samples import HEARTBEAT_LOCATED, START, capture, request

NAMESPACES = (
    'xmlns="urn:ietf:params:xml:ns:pidf" xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model" '
    'xmlns:gp="urn:ietf:params:xml:ns:pidf:geopriv10" xmlns:gml="http://www.opengis.net/gml" '
    'xmlns:gs="http://www.opengis.net/pidflo/1.0"'
)
POINT = "<gml:Point><gml:pos>48.2 16.37</gml:pos></gml:Point>"
CIRCLE = "<gs:Circle><gml:pos>48.2 16.37</gml:pos><gs:radius>{}</gs:radius></gs:Circle>"


def document(shapes: str, *, beside: str = "", after: str = "") -> bytes:
    return (
        f"<presence {NAMESPACES}><dm:device><gp:geopriv><gp:location-info>{shapes}"
        f"</gp:location-info>{beside}</gp:geopriv>{after}</dm:device></presence>"
    ).encode()


def point(pos: str) -> bytes:
    return document(POINT.replace("48.2 16.37", pos))


def test_a_captured_circle_in_a_dm_tuple() -> None:
    start = request(capture(START))
    (fix,) = parse_pidf_lo(split_body(start.headers, start.body)[0].data)
    assert fix == Fix("Circle", 48.1799778, 16.341437, 15.0, "GPS", None, source="tuple")


def test_a_captured_body_that_is_one_location() -> None:
    (fix,) = parse_pidf_lo(request(capture(HEARTBEAT_LOCATED)).body)
    assert (fix.latitude, fix.longitude, fix.radius, fix.method) == (48.18, 16.35, 40.0, "Cell")


def test_a_point_has_no_radius() -> None:
    (fix,) = parse_pidf_lo(document(POINT))
    assert fix == Fix("Point", 48.2, 16.37, None, "", None, source="device")


def test_method_and_time_come_with_the_position() -> None:
    data = document(
        POINT,
        beside="<gp:method> GPS </gp:method>",
        after="<dm:timestamp>2026-05-04T12:00:00+02:00</dm:timestamp>",
    )
    (fix,) = parse_pidf_lo(data)
    assert fix.method == "GPS"
    assert fix.at == datetime(2026, 5, 4, 10, tzinfo=UTC)


def test_the_time_of_a_tuple_stands_beside_its_status() -> None:
    data = (
        f"<presence {NAMESPACES}><tuple><status><gp:geopriv><gp:location-info>{POINT}"
        "</gp:location-info></gp:geopriv></status><timestamp>2026-05-04T10:00:00Z</timestamp>"
        "</tuple></presence>"
    )
    assert parse_pidf_lo(data.encode())[0].at == datetime(2026, 5, 4, 10, tzinfo=UTC)


@pytest.mark.parametrize("stamp", ["yesterday", "", "0001-01-01T00:00:00+14:00", "9" * 1000])
def test_a_time_that_cannot_be_read_is_none(stamp: str) -> None:
    data = document(POINT, after=f"<dm:timestamp>{stamp}</dm:timestamp>")
    assert parse_pidf_lo(data)[0].at is None


def test_each_position_keeps_its_own_method() -> None:
    one = document(POINT, beside="<gp:method>GPS</gp:method>").decode()
    inner = one.partition("<dm:device>")[2].partition("</presence>")[0]
    two = one.replace("</presence>", f"<dm:device>{inner.replace('GPS', 'Cell')}</presence>")
    assert [fix.method for fix in parse_pidf_lo(two.encode())] == ["GPS", "Cell"]


@pytest.mark.parametrize(
    "pos", ["48.2 16.37 180", " 48.2\n\t16.37 ", "48.2,16.37", "+48.2 1.637e1"]
)
def test_spellings_of_a_position(pos: str) -> None:
    (fix,) = parse_pidf_lo(point(pos))
    assert (fix.latitude, fix.longitude) == (48.2, 16.37)


@pytest.mark.parametrize(
    "pos",
    [
        "",
        "48.2",
        "48.2 16 1 1",
        "nan 1",
        "inf 1",
        "1e999 1",
        "91 0",
        "0 181",
        "4_8 1",
        "٤ 1",
        "x y",
    ],
)
def test_numbers_that_are_no_place_are_refused(pos: str) -> None:
    with pytest.raises(PidfError):
        parse_pidf_lo(point(pos))


@pytest.mark.parametrize("radius", ["", "-1", "nan", "1e999", "far"])
def test_a_circle_needs_a_radius(radius: str) -> None:
    with pytest.raises(PidfError):
        parse_pidf_lo(document(CIRCLE.format(radius)))


def test_a_radius_in_kilometres_is_turned_into_metres() -> None:
    data = document(CIRCLE.format(2).replace("<gs:radius>", '<gs:radius uom="EPSG::9036">'))
    assert parse_pidf_lo(data)[0].radius == 2000.0


@pytest.mark.parametrize(
    ("radius", "unit"), [("9e305", "9036"), ("1e300", "9001"), ("20038", "9036")]
)
def test_a_circle_wider_than_the_globe_is_refused(radius: str, unit: str) -> None:
    """Red when the unit is reckoned in after the check: Infinity is no JSON, screens stay dark."""
    data = CIRCLE.format(radius).replace("<gs:radius>", f'<gs:radius uom="EPSG::{unit}">')
    with pytest.raises(PidfError):
        parse_pidf_lo(document(data))


def test_one_broken_position_does_not_cost_the_other() -> None:
    (fix,) = parse_pidf_lo(document(CIRCLE.format("far") + POINT))
    assert fix.shape == "Point"


def test_positions_are_counted() -> None:
    assert len(parse_pidf_lo(document(POINT * 500))) == 20


def test_thousands_of_broken_positions_take_no_time() -> None:
    """Red when each looks for its time among all others: 500 kB held the gateway for seconds.

    A good one behind a few broken ones is found, behind thousands nobody looks for it.
    """
    broken = "<gp:geopriv><gp:location-info><gml:Point/></gp:location-info></gp:geopriv>"
    for times, found in ((90, 1), (3000, 0)):
        more = (broken * times + POINT).encode()
        data = document("").replace(b"<dm:device>", b"<dm:device>" + more)
        started = time.process_time()
        with nullcontext() if found else pytest.raises(PidfError):
            assert len(parse_pidf_lo(data)) == found
        assert time.process_time() - started < 0.1


def test_points_are_found_outside_of_geopriv_too() -> None:
    assert len(parse_pidf_lo(f"<x {NAMESPACES}>{POINT}</x>".encode())) == 1


ENTITIES = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>'
EXTERNAL = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>'


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not xml",
        b"<presence",
        document(POINT)[:-20],
        b"\x00\xff\xfe",
        b"<a>" * 100_000,
        b"<a>" * 500 + b"</a>" * 500,
        b"<a " + b"x" * 20_000_000,
        b"<a b='" + b"x" * 900_000,
        ENTITIES.encode() + b"<x>&b;</x>",
        EXTERNAL.encode() + b"<x>&a;</x>",
        (ENTITIES + "<x>&b;</x>").encode("utf-16"),
        b'<?xml version="1.0" encoding="UTF-7"?>+ADwAIQ-DOCTYPE x+AD4-<x/>',
        b"<x>&unknown;</x>",
        b"<x>&#xD800;</x>",
        b"<x>&#0;</x>",
    ],
)
def test_what_is_broken_or_means_harm_is_refused(data: bytes) -> None:
    with pytest.raises(PidfError):
        parse_pidf_lo(data)


def test_processing_instructions_and_comments_are_passed_over() -> None:
    data = document(f"<!-- c --><?php x ?>{POINT}".replace("48.2", "48<!-- . -->.2"))
    assert parse_pidf_lo(b"\xef\xbb\xbf \r\n" + data)[0].latitude == 48.2
