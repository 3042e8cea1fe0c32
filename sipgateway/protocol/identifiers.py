"""LMPE identifiers in Call-Info: call, message and type (TS 103 698 clause 6.1.2.7, Annex A.5)."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass
from hashlib import blake2b

from sipgateway.protocol.addresses import split_parameters
from sipgateway.protocol.dec112 import is_dec112, message_type
from sipgateway.protocol.headers import Headers, split_list


class MessageType(enum.IntEnum):
    """Message types of version 1: the low 8 bits are the type, the high 8 bits the version."""

    START = 257
    STOP = 258
    IN_CHAT = 259
    HEARTBEAT = 260
    START_TRANSFER = 265
    STOP_TRANSFER = 266
    START_REDIRECT = 273
    STOP_REDIRECT = 274
    HEARTBEAT_INACTIVE = 388


VERSION_1 = 0x100
MAX_MSG_ID = 2**63 - 1
UNIQUE_PART_LIMIT = 64
ELEMENT_LIMIT = 100
CALL_ID_LIMIT = 2000

_KNOWN_TYPES = frozenset(map(int, MessageType))
_HEARTBEATS = frozenset({int(MessageType.HEARTBEAT), int(MessageType.HEARTBEAT_INACTIVE)})
_CALL_ID, _MSG_ID, _MSG_TYPE = "callid", "msgid", "msgtype"
_KINDS = (_CALL_ID, _MSG_ID, _MSG_TYPE)

# The usual entry, one a header line; everything else goes the careful way.
_USUAL = re.compile(
    r"<urn:emergency:(?:service:)?uid:(callid|msgid|msgtype):([^:<>]*):?([^<>]*)>"
    r";[ ]?purpose=EmergencyC(?:all|hat)Data\.(CallId|MsgId|MsgType)"
)
_USUAL_PURPOSES = {"CallId": _CALL_ID, "MsgId": _MSG_ID, "MsgType": _MSG_TYPE}
_PURPOSES = {
    f"{prefix}{kind}": kind
    for prefix in ("emergencycalldata.", "emergencychatdata.", "dec112-")
    for kind in _KINDS
} | {"dec112-messageid": _MSG_ID, "dec112-messagetyp": _MSG_TYPE, "dec112-messagetype": _MSG_TYPE}


@dataclass(frozen=True, slots=True)
class Identifiers:
    """What a message says of its chat and its place in it.

    `call_id` is the URN as it was written, "" for a stand-alone message. `flags` name what was
    missing or odd, as stable strings. `others` are the Call-Info values that hold no identifier.
    """

    call_id: str
    unique_part: str
    element: str
    msg_id: int | None
    msg_type: int
    flags: tuple[str, ...]
    others: tuple[str, ...] = ()


def identify(headers: Headers) -> Identifiers:
    """Read the identifiers of a message; never raises, the first of each kind counts."""
    call: tuple[str, str, str] | None = None
    msg_id_text: str | None = None
    msg_type_text: str | None = None
    in_bits = False  # the type is one of DEC112's
    flags: list[str] = []
    others: tuple[str, ...] = ()
    for value in headers.get_all("call-info"):
        usual = _USUAL.fullmatch(value)
        if usual is not None:
            kind, unique, element, purpose = usual.groups()
            if _USUAL_PURPOSES[purpose] == kind:
                if kind == _CALL_ID:
                    call = call or (value[1 : usual.end(3)], unique, element)
                elif kind == _MSG_ID:
                    msg_id_text = unique if msg_id_text is None else msg_id_text
                elif msg_type_text is None:
                    msg_type_text = unique
                continue
        entries = _unusual_entries(value)
        if not entries or "," in value:
            others = (*others, value)
        for kind, uri, unique, element in entries:
            if kind == _CALL_ID:
                call = call or (uri, unique, element)
            elif kind == _MSG_ID:
                msg_id_text = unique if msg_id_text is None else msg_id_text
            elif msg_type_text is None:
                msg_type_text, in_bits = unique, is_dec112(uri)

    call_id, unique, element = call or ("", "", "")
    if not call_id:
        flags.append("call-id-missing")
    elif not unique or len(unique) > UNIQUE_PART_LIMIT or len(call_id) > CALL_ID_LIMIT:
        flags.append("call-id-invalid")
        unique = _cut(unique or call_id.replace(":", "."), UNIQUE_PART_LIMIT, call_id)
        call_id = _cut(call_id, CALL_ID_LIMIT, call_id)
    if len(element) > ELEMENT_LIMIT:
        element = _cut(element, ELEMENT_LIMIT, element)

    msg_id = _msg_id(msg_id_text, flags)
    msg_type = _msg_type(msg_type_text, flags, in_bits)
    if msg_id_text is None and msg_type in _HEARTBEATS:
        flags.remove("msg-id-missing")  # clause 6.2.5 gives heartbeats none
    return Identifiers(call_id, unique, element, msg_id, msg_type, tuple(flags), others)


def _unusual_entries(value: str) -> list[tuple[str, str, str, str]]:
    """(kind, URN, unique part, element) of each identifier in a Call-Info value."""
    found: list[tuple[str, str, str, str]] = []
    for entry in split_list(value):
        before, bracket, after = entry.partition("<")
        if bracket:
            uri, _, parameters = after.partition(">")
        else:
            uri, _, parameters = before.partition(";")
        uri = "".join(uri.split())
        purpose = ""
        for name, text in split_parameters(parameters):
            if name == "purpose":
                purpose = "".join(text.split()).lower()
                break
        prefix_kind, rest = _after_prefix(uri)
        kind = _PURPOSES.get(purpose, "") if purpose else prefix_kind
        if not kind:
            continue
        if not prefix_kind:
            found.append((kind, uri, "", ""))
            continue
        unique, _, element = rest.partition(":")
        found.append((kind, uri, unique, element))
    return found


def _after_prefix(uri: str) -> tuple[str, str]:
    """The kind that a URN's prefix names and what follows the prefix; ("", "") for another."""
    pieces = uri.split(":", 5)
    lowered = [piece.lower() for piece in pieces]
    if lowered[0] == "urn" and len(pieces) >= 4 and lowered[1] in ("emergency", "dec112"):
        uid = 3 if lowered[2] == "service" else 2
        if len(pieces) > uid + 2 and lowered[uid] == "uid" and lowered[uid + 1] in _KINDS:
            return lowered[uid + 1], ":".join(pieces[uid + 2 :])
    return "", ""


def _cut(text: str, limit: int, whole: str) -> str:
    """`text` cut to `limit` so that what was cut off still tells two of them apart."""
    if len(text) <= limit:
        return text
    digest = blake2b(whole.encode(errors="replace"), digest_size=8).hexdigest()
    return f"{text[: limit - len(digest) - 1]}~{digest}"


def _number(text: str) -> int | None:
    text = text.strip()
    if not text.isascii() or not text.isdigit() or len(text) > 40:
        return None
    return int(text)


def _msg_id(text: str | None, flags: list[str]) -> int | None:
    if text is None:
        flags.append("msg-id-missing")
        return None
    number = _number(text)
    if number is None or number > MAX_MSG_ID:
        flags.append("msg-id-invalid")
        return None
    return number


def _msg_type(text: str | None, flags: list[str], in_bits: bool) -> int:
    if text is None:
        flags.append("msg-type-missing")
        return int(MessageType.IN_CHAT)
    number = _number(text)
    if number is None or number > 0xFFFF:
        flags.append("msg-type-invalid")
        return int(MessageType.IN_CHAT)
    if number in _KNOWN_TYPES:
        return number
    if in_bits and (meant := message_type(number)):
        return meant
    if number < VERSION_1:
        flags.append("version-missing")
        number |= VERSION_1
    if number not in _KNOWN_TYPES:
        flags.append("message-type-unknown")
    return number
