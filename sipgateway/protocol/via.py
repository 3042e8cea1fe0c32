"""The Via header: who sent a message, and where its answer goes (RFC 3261 18.2, 20.42)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sipgateway.protocol.addresses import split_parameters

_USUAL = re.compile(r"SIP/2\.0/([A-Za-z]+) ([^\s;,]+)((?:;[^;,\"\s]*)*)(?=,|$)")
_BRANCH = re.compile(r";branch=([^;,\"\s]+)")
_RPORT = re.compile(r";[ \t]*rport[ \t]*(?=;|$)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Via:
    """The topmost Via: transport in upper case, sent-by in lower case, branch ("" if none)."""

    transport: str
    sent_by: str
    branch: str


def parse_via(value: str) -> Via:
    """The first Via of a header line; never raises, what is missing stays empty."""
    transport, sent_by, parameters = _pieces(value)
    if '"' not in parameters:
        branch = _BRANCH.search(parameters)
        if branch is not None:
            return Via(transport, sent_by, branch[1])
    for name, text in split_parameters(parameters):
        if name == "branch":
            return Via(transport, sent_by, text)
    return Via(transport, sent_by, "")


def _pieces(value: str) -> tuple[str, str, str]:
    usual = _USUAL.match(value)
    if usual is not None:
        return usual[1].upper(), usual[2].lower(), usual[3]
    first = value.partition(",")[0] if '"' not in value else value
    head, semicolon, parameters = first.partition(";")
    protocol, _, sent_by = "/".join(piece.strip() for piece in head.split("/")).partition(" ")
    return (
        protocol.rpartition("/")[2].upper(),
        "".join(sent_by.split()).lower(),
        semicolon + parameters,
    )


def sent_by_host(sent_by: str) -> str:
    """The host of a sent-by without its port, without the brackets of an IPv6 address."""
    if sent_by.startswith("["):
        return sent_by[1:].partition("]")[0]
    return sent_by.partition(":")[0]


def stamped_via(value: str, host: str, port: int) -> str:
    """A top Via with where the request really came from added.

    `received` when the sent-by names another host or `rport` was asked for, `rport` when asked
    for (RFC 3261 18.2.1, RFC 3581 4).
    """
    first, comma, others = value.partition(",") if '"' not in value else (value, "", "")
    asked = _RPORT.search(first)
    _, sent_by, _ = _pieces(first)
    if asked is None and sent_by_host(sent_by) == host.lower():
        return value
    if asked is not None:
        first = f"{first[: asked.start()]};rport={port}{first[asked.end() :]}"
    shown = f"[{host}]" if ":" in host else host
    return f"{first.rstrip()};received={shown}{comma}{others}"
