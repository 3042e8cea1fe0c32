"""Alerts in the Common Alerting Protocol."""

from datetime import UTC, datetime

import pytest

from sipgateway.protocol.cap import CapError, parse_cap
from sipgateway.protocol.pidflo import Fix

ALERT = """<?xml version="1.0" encoding="UTF-8"?>
<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2">
  <identifier>S-1</identifier><sender>sip:sensor1@example.com</sender>
  <sent>2008-11-19T14:57:00-07:00</sent><status>Actual</status><msgType>Alert</msgType>
  <scope>Private</scope>{info}
</alert>"""
INFO = """<info>
  <category>Security</category><event>BURGLARY</event><urgency>Expected</urgency>
  <severity>Moderate</severity><certainty>Likely</certainty>
  <senderName>SENSOR 1</senderName><headline>Door</headline>
  <description>Back door broken open</description><instruction>Come quietly</instruction>
  <parameter><valueName>SENSOR-DATA-NAMESPACE1</valueName><value>open</value></parameter>
  {areas}
</info>"""
AREA = "<area><areaDesc>{}</areaDesc>{}</area>"
AT = datetime(2008, 11, 19, 21, 57, tzinfo=UTC)


def alert(*areas: str) -> bytes:
    return ALERT.format(info=INFO.format(areas="".join(areas))).encode()


def test_an_alert_with_all_that_call_takers_are_shown() -> None:
    (block,), fixes = parse_cap(alert(AREA.format("Back door", "")))
    assert block == {
        **{"identifier": "S-1", "sender": "sip:sensor1@example.com", "status": "Actual"},
        **{"sent": "2008-11-19T14:57:00-07:00", "msgType": "Alert", "scope": "Private"},
        **{"category": "Security", "event": "BURGLARY", "urgency": "Expected"},
        **{"severity": "Moderate", "certainty": "Likely", "senderName": "SENSOR 1"},
        **{"headline": "Door", "description": "Back door broken open"},
        "instruction": "Come quietly",
        "parameters": {"SENSOR-DATA-NAMESPACE1": "open"},
        "areas": [{"description": "Back door"}],
    }
    assert fixes == []


def test_circles_are_in_kilometres_and_of_no_size_points() -> None:
    shapes = "<circle>32.9525,-115.5527 0.5</circle><circle>48.2,16.3 0</circle>"
    assert parse_cap(alert(AREA.format("x", shapes)))[1] == [
        Fix("Circle", 32.9525, -115.5527, 500.0, "", AT, source="alert"),
        Fix("Point", 48.2, 16.3, None, "", AT, source="alert"),
    ]


def test_polygons_are_areas() -> None:
    outline = "<polygon>38.5,-120.1 38.3,-119.9 38.6,-119.7 38.5,-120.1</polygon>"
    (fix,) = parse_cap(alert(AREA.format("x", outline)))[1]
    assert (fix.shape, fix.at, fix.source) == ("Polygon", AT, "alert")
    assert fix.geometry == {"ring": [[38.5, -120.1], [38.3, -119.9], [38.6, -119.7]]}


@pytest.mark.parametrize(
    "shape",
    [
        "<circle>nan,1 1</circle>",
        "<circle>48,16</circle>",
        "<circle>48,16 -1</circle>",
        "<circle>48,16 1e9</circle>",
        "<polygon>1,1 2,2 3,3 1,1</polygon>",
        "<polygon/>",
        f"<polygon>{'1,1 2,3 ' * 50_000}</polygon>",
    ],
)
def test_an_area_that_cannot_be_read_does_not_cost_the_alert(shape: str) -> None:
    (block,), fixes = parse_cap(alert(AREA.format("Somewhere", shape)))
    assert (block["areas"], fixes) == ([{"description": "Somewhere"}], [])


def test_each_language_is_a_block_and_its_areas_are_told_once() -> None:
    info = INFO.format(areas=AREA.format("x", "<circle>48,16 1</circle>"))
    blocks, fixes = parse_cap(ALERT.format(info=info * 3).encode())
    assert (len(blocks), len(fixes)) == (3, 1)


def test_an_alert_without_info_is_still_one() -> None:
    (block,), _ = parse_cap(ALERT.format(info="").encode())
    assert block["identifier"] == "S-1"


def test_numbers_and_lengths_are_bounded() -> None:
    area = AREA.format("x" * 999, "<circle>48,16 1</circle>" * 12)
    parameters = "<parameter><valueName>{}</valueName><value>v</value></parameter>"
    many = "".join(parameters.format(number) for number in range(99))
    info = INFO.format(areas=area * 12 + many).replace("Back door", "x" * 9999)
    blocks, fixes = parse_cap(ALERT.format(info=info * 7).encode())
    assert (len(blocks), len(fixes), len(blocks[0]["areas"])) == (5, 10, 10)
    assert (len(blocks[0]["description"]), len(blocks[0]["parameters"])) == (2000, 20)
    assert len(blocks[0]["areas"][0]["description"]) == 500


@pytest.mark.parametrize("data", [b"", b"<alert", b"<x/>", b"<alert/>", b"<!DOCTYPE a><alert/>"])
def test_what_is_no_alert_is_an_error(data: bytes) -> None:
    with pytest.raises(CapError):
        parse_cap(data)
