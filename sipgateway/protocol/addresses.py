"""Addresses in From, To, P-Asserted-Identity and the like (RFC 3261 20.10, 25.1).

Read liberally and in linear time: whatever is written there, something useful comes back.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

URI_LIMIT = 400
"""Longest URI that we keep, in characters."""

# The usual shape, anchored at both ends and without ambiguity, so that it runs in linear time.
_USUAL = re.compile(r'(?:"([^"\\]*)"[ \t]*|([^<>"]*))<([^<>"]*)>(?:[ \t]*;[ \t]*tag=([^;,"\s]*))?')
_PLAIN_URI = re.compile(r"sips?:[^@:;?%<>\"\s]{1,200}@[a-z0-9.-]{1,150}")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*")
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.!~*'()")


@dataclass(frozen=True, slots=True)
class NameAddr:
    """A display name, a URI as it was written, and the tag parameter ("" when there is none)."""

    display_name: str
    uri: str
    tag: str


def parse_address(value: str) -> NameAddr:
    """Take an address apart; never raises, a value without a URI gives an empty `uri`."""
    usual = _USUAL.fullmatch(value)
    if usual is not None:
        quoted, plain, uri, tag = usual.groups()
        return NameAddr(quoted if quoted is not None else plain.strip(), uri.strip(), tag or "")
    return _parse_unusual(value)


def tag_of(value: str) -> str:
    """The tag parameter of a From or To value, "" when it has none."""
    usual = _USUAL.fullmatch(value)
    if usual is not None:
        return usual[4] or ""
    return _parse_unusual(value).tag


def _parse_unusual(value: str) -> NameAddr:
    value = value.strip()
    name, rest = "", value
    if value.startswith('"'):
        name, rest = _quoted_string(value)
    before, bracket, after = rest.partition("<")
    if bracket:
        uri, _, parameters = after.partition(">")
        name = name or before.strip()
    else:  # addr-spec without brackets: what follows a semicolon belongs to the header
        uri, _, parameters = rest.partition(";")
    return NameAddr(name, uri.strip(), parameter(parameters, "tag"))


def _quoted_string(value: str) -> tuple[str, str]:
    """The content of the quoted string that `value` starts with, and what follows it."""
    content: list[str] = []
    at = 1
    while at < len(value):
        char = value[at]
        if char == '"':
            return "".join(content), value[at + 1 :]
        if char == "\\" and at + 1 < len(value):
            at += 1
            char = value[at]
        content.append(char)
        at += 1
    # No closing quote (RFC 4475 3.1.2.6): the name ends where the bracket opens.
    name, bracket, rest = value[1:].partition("<")
    return name.strip(), bracket + rest


def parameter(parameters: str, name: str) -> str:
    """The value of one of `;name=value;…`, "" when it is missing or has no value."""
    for key, value in split_parameters(parameters):
        if key == name:
            return value
    return ""


def split_parameters(parameters: str) -> list[tuple[str, str]]:
    """Parameters as (lower-case name, value) with quotes removed."""
    if '"' in parameters:
        pieces = split_outside_quotes(parameters, ";")
    else:
        pieces = parameters.split(";")
    found: list[tuple[str, str]] = []
    for piece in pieces:
        key, _, value = piece.partition("=")
        key = key.strip().lower()
        if not key:
            continue
        value = value.strip()
        if value.startswith('"'):
            value, _ = _quoted_string(value)
        found.append((key, value))
    return found


def split_outside_quotes(text: str, separator: str) -> list[str]:
    """Pieces of a header field between separators that stand in no quoted string."""
    pieces: list[str] = []
    start = 0
    quoted = escaped = False
    for at, char in enumerate(text):
        if escaped:
            escaped = False
        elif char == "\\" and quoted:
            escaped = True
        elif char == '"':
            quoted = not quoted
        elif char == separator and not quoted:
            pieces.append(text[start:at])
            start = at + 1
    pieces.append(text[start:])
    return pieces


def normalise_uri(uri: str) -> str:
    """The URI that tells two callers apart: `sip:user@host` with the host in lower case.

    Port, password, parameters and headers are dropped, escapes of unreserved characters undone
    (RFC 3261 19.1.4); `tel:` numbers lose their visual separators (RFC 3966). What has no scheme
    gives "".
    """
    if _PLAIN_URI.fullmatch(uri) is not None:
        return uri
    scheme, colon, rest = uri.strip().partition(":")
    if not colon or _SCHEME.fullmatch(scheme) is None:
        return ""
    scheme = scheme.lower()
    if scheme == "tel":
        number = rest.partition(";")[0].strip()
        return f"tel:{number.translate(_NO_SEPARATORS)}"[:URI_LIMIT] if number else ""
    if scheme not in ("sip", "sips", "im", "pres"):
        return f"{scheme}:{rest.strip()}"[:URI_LIMIT]
    user, at, host = rest.partition("@")
    if not at:
        user, host = "", rest
    host = _host(host)
    if at:
        user = user.partition(":")[0].strip()
        if "%" in user:
            user = _ESCAPE.sub(_unescape, user)
    if not host and not user:
        return ""
    return (f"{scheme}:{user}@{host}" if user else f"{scheme}:{host}")[:URI_LIMIT]


_NO_SEPARATORS = str.maketrans("", "", "-.() ")


def _host(hostport: str) -> str:
    host = hostport.partition(";")[0].partition("?")[0].strip()
    if host.startswith("["):
        return (host.partition("]")[0] + "]").lower()
    return host.partition(":")[0].strip().lower()


def _unescape(escape: re.Match[str]) -> str:
    char = chr(int(escape[1], 16))
    return char if char in _UNRESERVED else escape[0].upper()


def user_of(uri: str) -> str:
    """The user part of a SIP URI or the number of a tel URI, "" for all others."""
    plain = normalise_uri(uri)
    scheme, _, rest = plain.partition(":")
    if scheme == "tel":
        return rest
    user, at, _ = rest.partition("@")
    return user if at and scheme in ("sip", "sips", "im", "pres") else ""
