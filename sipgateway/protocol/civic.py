"""Civic addresses (RFC 5139, RFC 6848): fields by element name, or all in one line."""

from __future__ import annotations

from collections.abc import Mapping

from sipgateway.protocol.xml import Element

MAX_FIELDS = 50
VALUE_LIMIT = 200
NAME_LIMIT = 20


def civic_address(element: Element) -> dict[str, str]:
    """The fields of a `civicAddress` that say something; {} when none does.

    Extensions of RFC 6848 are kept under their local names; of a name given twice, the first.
    """
    fields: dict[str, str] = {}
    for found in element.iterchildren("{*}*"):
        name = found.tag.rpartition("}")[2]
        value = " ".join((found.text or "").split())[:VALUE_LIMIT]
        if value and len(name) <= NAME_LIMIT:
            fields.setdefault(name, value)
            if len(fields) == MAX_FIELDS:
                break
    return fields


def civic_line(fields: Mapping[str, str]) -> str:
    """One line such as `Hospital, Ring 12a, floor 3, 1010 Wien, AT`; order as in Central Europe."""

    def words(*names: str) -> str:
        return " ".join(fields[name] for name in names if name in fields)

    def named(label: str, name: str) -> str:
        return f"{label} {fields[name]}" if name in fields else ""

    street = words("PRM", "PRD", "STP", "RD", "STS", "POD", "POM")
    house = words("HNO") + words("HNS")
    place = words("PC") + " " + (words("PCN") or words("A3") or words("A2"))
    pieces = [
        words("NAM"),
        words("LMK"),
        " ".join((street or words("A6"), house)).strip(),
        words("RDSEC", "RDBR", "RDSUBBR"),
        named("building", "BLD"),
        named("unit", "UNIT"),
        named("floor", "FLR"),
        named("room", "ROOM"),
        named("seat", "SEAT"),
        words("LOC"),
        named("PO box", "POBOX"),
        place.strip(),
        words("A4") or words("A5"),
        "" if fields.get("A1") in (fields.get("A3"), fields.get("PCN")) else words("A1"),
        words("country"),
    ]
    return ", ".join(dict.fromkeys(piece for piece in pieces if piece)) or ", ".join(
        f"{name} {value}" for name, value in fields.items()
    )
