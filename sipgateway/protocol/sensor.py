"""What sensors say: JSON of any kind, and SenML (RFC 8428), as names with values.

Values are texts, digits as they came: a rounded reading would be another one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal, DecimalException
from typing import Any

from sipgateway.protocol.errors import SipError

SENML_TYPES = frozenset(("application/senml+json", "application/sensml+json"))
SENSOR_TYPES = SENML_TYPES | {"application/json"}
MAX_DOCUMENT = 256 * 1024
MAX_VALUES = 100
MAX_PIECES = 20_000
"""Commas and brackets: decoding costs by their number."""
MAX_NODES = 5000
"""Values and what they are nested in that are looked at."""
LONGEST_NUMBER = 100
NAME_LIMIT = 100
VALUE_LIMIT = 200
MAX_DEPTH = 20
_SINCE_1970 = 2**28
"""Times below are relative to now (RFC 8428 4.5.3), and say nothing on a record."""


class SensorError(SipError):
    """The payload is no JSON, or too large."""


def parse_sensor(content_type: str, data: bytes) -> dict[str, Any]:
    """The payload as {"values": [{"name", "value", "unit", "time"}…]}, at most 100 of them.

    Names of nested values are joined by dots. `unit` and `time` (Unix seconds) are there where
    SenML gives them; `more` is true when values were left out. Raises SensorError.
    """
    if len(data) > MAX_DOCUMENT:
        raise SensorError("document too large")
    if sum(map(data.count, (b",", b"[", b"{"))) > MAX_PIECES:
        raise SensorError("more values than are read")
    try:
        document = json.loads(data, parse_float=str, parse_int=_digits, parse_constant=str)
    except (ValueError, RecursionError) as error:
        raise SensorError(f"not JSON: {str(error)[:100]}") from None
    is_senml = content_type in SENML_TYPES and isinstance(document, list)
    found = _records(document[:MAX_NODES]) if is_senml else _flat(document)
    values: list[dict[str, str]] = []
    for number, value in enumerate(found):
        if len(values) == MAX_VALUES or number == MAX_NODES:
            return {"values": values, "more": True}
        if value is not None:
            values.append(value)
    return {"values": values}


def _digits(text: str) -> str:
    return text


def _flat(value: Any, name: str = "", depth: int = 0) -> Iterator[dict[str, str] | None]:
    """Each value by its name, and None for each object or list, since looking at them costs too."""
    if not isinstance(value, dict | list):
        yield {"name": _text(name, NAME_LIMIT), "value": _text(value, VALUE_LIMIT)}
        return
    yield None
    if depth < MAX_DEPTH:
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, inner in items:
            longer = f"{name}.{key}" if name else str(key)
            yield from _flat(inner, longer[:NAME_LIMIT], depth + 1)


def _records(pack: list[Any]) -> Iterator[dict[str, str] | None]:
    """Resolve the records of a SenML pack: base name, unit, value and time stay in force."""
    base: dict[str, Any] = {}
    for record in pack:
        if not isinstance(record, dict):
            continue
        base |= {name: record[name] for name in ("bn", "bu", "bv", "bt") if name in record}
        value = _value(record, base)
        if value is None:
            yield None
            continue
        name = f"{_start(base.get('bn', ''))}{_start(record.get('n', ''))}"
        resolved = {"name": _text(name, NAME_LIMIT), "value": _text(value, VALUE_LIMIT)}
        if unit := record.get("u", base.get("bu")):
            resolved["unit"] = _text(unit, NAME_LIMIT)
        time = _sum(base.get("bt", "0"), record.get("t", "0"))
        if time is not None and time >= _SINCE_1970:
            resolved["time"] = _text(time, NAME_LIMIT)
        yield resolved


def _value(record: dict[str, Any], base: dict[str, Any]) -> Any:
    if "v" in record or "bv" in base:
        if "bv" not in base:
            return record["v"]
        total = _sum(base["bv"], record.get("v", "0"))
        if total is not None or "v" in record:
            return record["v"] if total is None else total
    return next((record[name] for name in ("vs", "vb", "vd", "s") if name in record), None)


def _start(value: Any) -> Any:
    """As much of a name as can be shown: that of a pack is added to those of all its records."""
    return value[:NAME_LIMIT] if isinstance(value, str) else value


def _sum(one: Any, other: Any) -> Decimal | None:
    if max(len(str(one)), len(str(other))) > LONGEST_NUMBER:
        return None
    try:
        total = Decimal(one) + Decimal(other)
    except (DecimalException, ValueError, TypeError):
        return None
    return total if total.is_finite() else None


def _text(value: Any, longest: int) -> str:
    """One line, without what neither PostgreSQL nor a screen takes."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    text = str(value).replace("\0", "\N{SYMBOL FOR NULL}")[:longest]
    return text.encode("utf-8", "replace").decode()
