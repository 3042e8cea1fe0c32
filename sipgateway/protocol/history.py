"""By which way a request came: History-Info with its Reasons (RFC 4244, RFC 7044, RFC 3326)."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote

from sipgateway.protocol.addresses import parse_address, split_parameters
from sipgateway.protocol.headers import split_list

MOST_ENTRIES = 20
VALUE_LIMIT = 300


@dataclass(frozen=True, slots=True)
class Retarget:
    """A place that the request was meant for, and why it went on from there.

    `cause` is the SIP status or Q.850 cause of the Reason, None where none is given.
    """

    uri: str
    index: str
    cause: int | None
    reason: str


def parse_history(value: str) -> list[Retarget]:
    """The entries of a History-Info header in its order; what names no URI is left out."""
    entries = []
    for entry in split_list(value)[:MOST_ENTRIES]:
        written = parse_address(entry).uri
        if not written:
            continue
        uri, _, escaped = written.partition("?")
        cause, reason = _reason(escaped)
        _, _, behind = entry.rpartition(">")
        index = next((text for name, text in split_parameters(behind) if name == "index"), "")
        if cause is None:
            cause = _cause_of_uri(uri)
        entries.append(Retarget(uri.strip()[:VALUE_LIMIT], index[:40], cause, reason))
    return entries


def _reason(escaped: str) -> tuple[int | None, str]:
    """Cause and text of the Reason among a URI's headers: `Reason=SIP%3Bcause%3D302`."""
    for header in escaped.split("&"):
        name, _, value = header.partition("=")
        if name.strip().lower() != "reason":
            continue
        _, _, parameters = unquote(value).partition(";")
        found = dict(split_parameters(parameters))
        return _number(found.get("cause", "")), found.get("text", "")[:VALUE_LIMIT]
    return None, ""


def _cause_of_uri(uri: str) -> int | None:
    """The cause that a URI carries itself (RFC 4458, used by RFC 7044)."""
    return _number(dict(split_parameters(uri.partition(";")[2])).get("cause", ""))


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 4 else None
