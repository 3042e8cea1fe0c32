"""What sensors say, as names with values."""

import json
import time

import pytest

from sipgateway.protocol.sensor import SensorError, parse_sensor

JSON, SENML = "application/json", "application/senml+json"


def values(document: object, content_type: str = JSON) -> list[dict[str, str]]:
    return list(parse_sensor(content_type, json.dumps(document).encode())["values"])


def test_nested_json_becomes_names_with_values() -> None:
    document = {"pulse": 38, "fall": True, "room": None, "air": {"co": 0.250, "t": [1, "x"]}}
    assert values(document) == [
        {"name": "pulse", "value": "38"},
        {"name": "fall", "value": "true"},
        {"name": "room", "value": "null"},
        {"name": "air.co", "value": "0.25"},
        {"name": "air.t.0", "value": "1"},
        {"name": "air.t.1", "value": "x"},
    ]


def test_digits_stay_as_they_came() -> None:
    data = b'{"a": 0.10000, "b": 12345678901234567890123, "c": 1e400, "d": NaN}'
    told = [value["value"] for value in parse_sensor(JSON, data)["values"]]
    assert told == ["0.10000", "12345678901234567890123", "1e400", "NaN"]


def test_a_senml_pack_has_its_base_resolved() -> None:
    """The records of RFC 8428 5.1.3, and one with a base value."""
    pack = [
        {"bn": "urn:dev:ow:10e2073a0108006:", "bt": 1276020076, "bu": "A", "n": "voltage",
         "u": "V", "v": 120.1},
        {"n": "current", "t": -5, "v": 1.2},
        {"n": "label", "vs": "Boiler"},
        {"n": "open", "vb": False},
        {"n": "level", "bv": 100, "v": 0.5},
        {"n": "nothing"},
        "no record",
    ]  # fmt: skip
    base = "urn:dev:ow:10e2073a0108006:"
    at = {"time": "1276020076"}
    assert values(pack, SENML)[:5] == [
        {"name": f"{base}voltage", "value": "120.1", "unit": "V", **at},
        {"name": f"{base}current", "value": "1.2", "unit": "A", "time": "1276020071"},
        {"name": f"{base}label", "value": "Boiler", "unit": "A", **at},
        {"name": f"{base}open", "value": "false", "unit": "A", **at},
        {"name": f"{base}level", "value": "100.5", "unit": "A", **at},
    ]


def test_times_relative_to_now_are_left_out() -> None:
    assert values([{"n": "t", "v": 1, "t": -60}], SENML) == [{"name": "t", "value": "1"}]


@pytest.mark.parametrize(
    "base", [{"bv": {}}, {"bv": "x"}, {"bt": []}, {"bt": "NaN"}, {"bv": 1, "bt": "1e999999999"}]
)
def test_a_base_of_nonsense_costs_nothing_but_itself(base: dict[str, object]) -> None:
    pack = [{"n": "a", "v": 1} | base, {"n": "b", "vs": "x", "t": "1e999999999"}]
    assert [value["name"] for value in values(pack, SENML)] == ["a", "b"]


def test_values_are_counted_and_cut() -> None:
    found = parse_sensor(
        JSON, json.dumps({"x" * 500: "y" * 500} | dict.fromkeys("abc", 1)).encode()
    )
    assert (len(found["values"][0]["name"]), len(found["values"][0]["value"])) == (100, 200)
    many = parse_sensor(JSON, json.dumps(list(range(5000))).encode())
    assert (len(many["values"]), many["more"]) == (100, True)


def test_what_a_database_does_not_take_is_replaced() -> None:
    (value,) = parse_sensor(JSON, rb'{"\u0000": "\ud800"}')["values"]
    assert value == {"name": "\u2400", "value": "?"}


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"\xff", b"[" * 100_000, b"[" * 100_000 + b"]" * 100_000, b" " * 300_000 + b"1"],
)
def test_what_is_broken_or_means_harm_is_refused(data: bytes) -> None:
    with pytest.raises(SensorError):
        parse_sensor(JSON, data)


def test_depth_and_number_take_no_time() -> None:
    deep = "[" * 500 + "1" + "]" * 500
    started = time.process_time()
    assert parse_sensor(JSON, deep.encode())["values"] == []
    parse_sensor(JSON, json.dumps([[[]]] * 4_000).encode())
    with pytest.raises(SensorError, match="more values"):
        parse_sensor(JSON, json.dumps([[[]]] * 40_000).encode())
    assert time.process_time() - started < 0.3
