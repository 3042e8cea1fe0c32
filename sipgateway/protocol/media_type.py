"""Content-Type and its relatives (RFC 2045 5.1, RFC 3261 20.15)."""

from __future__ import annotations

from sipgateway.protocol.addresses import split_parameters

TYPE_LIMIT = 100
DEFAULT_TYPE = "text/plain"
NO_PARAMETERS: dict[str, str] = {}


def parse_media_type(value: str) -> tuple[str, dict[str, str]]:
    """Lower-case type/subtype and the parameters by lower-case name; "" gives text/plain."""
    kind, semicolon, rest = value.partition(";")
    kind = kind.strip().lower()
    if not kind.isprintable() or " " in kind or len(kind) > TYPE_LIMIT:
        kind = "".join(char for char in kind if char.isprintable() and char != " ")[:TYPE_LIMIT]
    if not semicolon:
        return kind or DEFAULT_TYPE, NO_PARAMETERS
    parameters: dict[str, str] = {}
    for name, text in split_parameters(rest):
        parameters.setdefault(name, text)
    return kind or DEFAULT_TYPE, parameters
