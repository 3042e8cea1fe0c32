"""Locations as the answer to a test call says them."""

from pathlib import Path

import pytest

from sipgateway.protocol.civic import civic_line
from sipgateway.protocol.location_words import location_in_words
from sipgateway.protocol.pidflo import parse_pidf_lo

DOCUMENTS = Path(__file__).parent.parent / "data" / "pidflo"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("point-2d", "34.40700 S, 150.88300 E"),
        ("point-3d", "34.40700 S, 150.88300 E, altitude 24.8 m"),
        ("two-sources", "48.20849 N, 16.37208 E, within 25 m"),
        ("circle", "42.54630 N, 73.25120 W, within 850.2 m"),
        ("sphere", "42.54630 N, 73.25120 W, within 850.2 m, altitude 26.3 m"),
        (
            "ellipse",
            "42.54630 N, 73.25120 W, within 1275 m towards 43°, 670 m across",
        ),
        (
            "ellipsoid",
            "42.54630 N, 73.25120 W, within 7.7 m towards 90°, 3.3 m across, 28.7 m up and down,"
            " altitude 26.3 m",
        ),
        (
            "arc-band",
            "42.54630 N, 73.25120 W, 1661.5 m to 2215.4 m from there, between 266° and 26°",
        ),
        ("polygon", "43.26933 N, 73.27200 W, centre of an area with 6 corners"),
        (
            "prism",
            "42.60684 N, 73.29816 W, centre of an area with 4 corners, 2.4 m high, altitude 36.6 m",
        ),
        (
            "civic",
            "Ordination Dr. Muster, Schwarzspanierstraße 12a, floor 3, room 14, 1090 Wien, AT",
        ),
        (
            "civic-beside-point",
            "Flinders Street 123, 2500 Wollongong, North Wollongong, NSW, AU"
            " (34.40700 S, 150.88300 E)",
        ),
    ],
)
def test_each_shape_in_words(name: str, words: str) -> None:
    fix = parse_pidf_lo((DOCUMENTS / f"{name}.xml").read_bytes())[0]
    assert location_in_words(fix) == words


def test_an_address_of_unusual_fields_is_told_field_by_field() -> None:
    assert civic_line({"MP": "km 12.5"}) == "MP km 12.5"
