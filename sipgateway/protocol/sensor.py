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
    try:
        document = json.loads(data, parse_float=str, parse_int=_digits, parse_constant=str)
    except (ValueError, RecursionError) as error:
        raise SensorError(f"not JSON: {str(error)[:100]}") from None
    is_senml = content_type in SENML_TYPES and isinstance(document, list)
    found = _records(document) if is_senml else _flat("", document, 0)
    values: list[dict[str, str]] = []
    for value in found:
        if len(values) == MAX_VALUES:
            return {"values": values, "more": True}
        values.append(value)
    return {"values": values}


def _digits(text: str) -> str:
    return text


def _flat(name: str, value: Any, depth: int) -> Iterator[dict[str, str]]:
    if isinstance(value, dict | list) and depth < MAX_DEPTH:
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, inner in items:
            yield from _flat(f"{name}.{key}" if name else str(key), inner, depth + 1)
    elif not isinstance(value, dict | list):
        yield {"name": _text(name, NAME_LIMIT), "value": _text(value, VALUE_LIMIT)}


def _records(pack: list[Any]) -> Iterator[dict[str, str]]:
    """Resolve the records of a SenML pack: base name, unit, value and time stay in force."""
    base: dict[str, Any] = {}
    for record in pack:
        if not isinstance(record, dict):
            continue
        base |= {name: record[name] for name in ("bn", "bu", "bv", "bt") if name in record}
        value = _value(record, base)
        if value is None:
            continue
        name = f"{base.get('bn', '')}{record.get('n', '')}"
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


def _sum(one: Any, other: Any) -> Decimal | None:
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
