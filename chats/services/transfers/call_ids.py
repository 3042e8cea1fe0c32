"""What a CallId of Annex A names, read as the gateway reads Call-Info (clause 6.1.2.6).

The app's own messages must find the chat that a peer has handed over, so both readings agree; a
test holds them together. The same goes for the URIs by which callers are told apart.
"""

import re
from hashlib import blake2b
from typing import NamedTuple

from chats.services.texts import storable_text

LONGEST_CALL_ID = 2000
"""Bytes in UTF-8: what an index takes."""
LONGEST_UNIQUE_PART = 64
LONGEST_ELEMENT = 100
LONGEST_URI = 400

_PREFIX = re.compile(r"urn:(?:emergency|dec112):(?:service:)?uid:callid:", re.IGNORECASE)
_PLAIN_URI = re.compile(r"sips?:[^@:;?%<>\"\s]{1,200}@[a-z0-9.-]{1,150}")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*")
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.!~*'()")
_NO_SEPARATORS = str.maketrans("", "", "-.() ")


class CallParts(NamedTuple):
    """The unique part of a call identifier and its element identifier."""

    unique: str
    element: str


def stored_call_id(call_id: str) -> str:
    """Return a CallId as it is stored and compared: verbatim, as far as PostgreSQL can."""
    text = storable_text(call_id)
    if len(text.encode()) <= LONGEST_CALL_ID:
        return text
    return f"{text[: LONGEST_CALL_ID // 8]}~{_digest(text)}"


def is_too_long(call_id: str) -> bool:
    """Whether a CallId is longer than any that an app can have given us."""
    return len(storable_text(call_id).encode()) > LONGEST_CALL_ID


def call_parts(call_id: str) -> CallParts:
    """Take a CallId apart; one without the prefixes of the specification is its own unique part."""
    prefix = _PREFIX.match(call_id)
    unique, _, element = call_id[prefix.end() :].partition(":") if prefix else ("", "", "")
    if not unique or len(unique) > LONGEST_UNIQUE_PART:
        unique = _cut(unique or call_id.replace(":", "."), LONGEST_UNIQUE_PART, call_id)
    return CallParts(unique, _cut(element, LONGEST_ELEMENT, element))


def caller_identity(uri: str) -> str:
    """Return the URI that tells callers apart: without port, parameters and needless escapes."""
    if _PLAIN_URI.fullmatch(uri):
        return uri
    scheme, colon, rest = uri.strip().partition(":")
    if not colon or _SCHEME.fullmatch(scheme) is None:
        return ""
    scheme = scheme.lower()
    if scheme == "tel":
        number = rest.partition(";")[0].strip()
        return f"tel:{number.translate(_NO_SEPARATORS)}"[:LONGEST_URI] if number else ""
    if scheme not in ("sip", "sips", "im", "pres"):
        return f"{scheme}:{rest.strip()}"[:LONGEST_URI]
    user, at, host = rest.partition("@")
    if not at:
        user, host = "", rest
    host = _host(host)
    user = _ESCAPE.sub(_unescape, user.partition(":")[0].strip())
    if not host and not user:
        return ""
    return (f"{scheme}:{user}@{host}" if user else f"{scheme}:{host}")[:LONGEST_URI]


def _host(host_port: str) -> str:
    host = host_port.partition(";")[0].partition("?")[0].strip()
    if host.startswith("["):
        return (host.partition("]")[0] + "]").lower()
    return host.partition(":")[0].strip().lower()


def _unescape(escape: re.Match[str]) -> str:
    char = chr(int(escape[1], 16))
    return char if char in _UNRESERVED else escape[0].upper()


def _cut(text: str, limit: int, whole: str) -> str:
    if len(text) <= limit:
        return text
    digest = _digest(whole)
    return f"{text[: limit - len(digest) - 1]}~{digest}"


def _digest(text: str) -> str:
    return blake2b(text.encode(errors="replace"), digest_size=8).hexdigest()
