"""What the header fields of Tables 1 and 2 say beside who calls whom (TS 103 698 clause 6.1.2).

Most of it stays the same from message to message of a chat, so the reading is remembered by the
header fields' text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sipgateway.protocol.addresses import split_parameters
from sipgateway.protocol.dec112 import SILENT, is_true
from sipgateway.protocol.headers import Headers, split_list
from sipgateway.protocol.history import Retarget, parse_history
from sipgateway.protocol.identifiers import Identifiers, MessageType
from sipgateway.protocol.priority import resource_priority

VALUE_LIMIT = 300
LONGEST_URL = 2000
MOST_VALUES = 10
MOST_REFERENCES = 10
LARGEST_BODY = 1024 * 1024
READINGS_REMEMBERED = 4096
LONGEST_REMEMBERED = 2000
"""Characters: whoever writes novels into header fields must not fill the memory with them."""

LOCATION, ADDITIONAL_DATA = "location", "additional-data"

_PLAIN = {
    "subject": "subject",
    "organization": "organization",
    "priority": "priority",
    "reply-to": "replyTo",
    "date": "date",
    "in-reply-to": "inReplyTo",
    "p-access-network-info": "accessNetwork",
    "geolocation-routing": "geolocationRouting",
    "geolocation-error": "geolocationError",
}
_LISTS = {"accept-contact": "acceptContact", "require": "require", "unsupported": "unsupported"}
_LANGUAGES = ("accept-language", "content-language")
_MOMENTARY = (SILENT, "resource-priority", "geolocation")
_START_REDIRECT = int(MessageType.START_REDIRECT)
_KEYS = (*_PLAIN, *_LISTS, *_LANGUAGES, "history-info")

# Purposes of Call-Info, and what DEC112's apps say of themselves.
_SINGLE_PURPOSES = {
    "emergency-source": "source",
    "emergencycalldata.sourceid": "source",
    "emergency-incidentid": "incident",
    "emergencycalldata.incidentid": "incident",
    "emergencycalldata.did": "did",
    "dec112-deviceid": "deviceId",
    "dec112-regid": "registrationId",
    "dec112-clientver": "clientVersion",
}
_LANGUAGE_PURPOSE = "dec112-lang"
_DATA_PREFIX = "emergencycalldata."
_DATA_KINDS = {
    kind.lower(): kind
    for kind in ("ProviderInfo", "ServiceInfo", "DeviceInfo", "SubscriberInfo", "Comment")
}


@dataclass(frozen=True, slots=True)
class SignalledReference:
    """Something named by its URL: kind `location` or `additional-data` with its purpose."""

    kind: str
    purpose: str
    url: str


class Signalling(NamedTuple):
    """A message's reading; `said` is what Chat.signalling keeps, only what is there.

    `came_from` is the PSAP that a start|redirect/273 names as the one before (clause 6.2.7).
    `language` is what DEC112's Call-Info says. `flags` name what could not be used.
    """

    said: dict[str, Any]
    priority: str = ""
    silent: bool = False
    came_from: str = ""
    language: str = ""
    references: tuple[SignalledReference, ...] = ()
    flags: tuple[str, ...] = ()


_remembered: dict[tuple[str, ...], dict[str, Any]] = {}


def read_signalling(
    headers: Headers, identifiers: Identifiers, body: bytes = b"", target: str = ""
) -> Signalling:
    """Read what a message's header fields say; never raises. `target` is its Request-URI.

    `said` may be shared between messages: it is read-only.
    """
    said = _steady(headers)
    silent_text, priority_text, geolocation = headers.joined_all(_MOMENTARY)
    silent = bool(silent_text) and is_true(silent_text)
    priority = resource_priority(priority_text)
    came_from, language = "", ""
    if not (identifiers.others or geolocation or identifiers.msg_type == _START_REDIRECT):
        return Signalling(said, priority, silent)
    references: list[SignalledReference] = []
    flags: list[str] = []
    if identifiers.others:
        described, language, references = _call_info(identifiers.others)
        if described:
            said = {**said, **described}
    if geolocation:
        _locate(geolocation, body, references, flags)
    if identifiers.msg_type == _START_REDIRECT:
        came_from = _before(target, parse_history(headers.joined("history-info")))
    return Signalling(
        said,
        priority,
        silent,
        came_from,
        language,
        tuple(references[:MOST_REFERENCES]),
        tuple(flags),
    )


def _before(target: str, entries: Sequence[Retarget]) -> str:
    """The last place of a History-Info that is not where the request goes itself.

    A proxy on the way adds its target at the end (RFC 4244 4.3.3.1).
    """
    own = _without_parameters(target)
    others = [one.uri for one in entries if _without_parameters(one.uri) != own]
    return others[-1] if others else ""


def _without_parameters(uri: str) -> str:
    return uri.partition("?")[0].partition(";")[0].lower()


def _steady(headers: Headers) -> dict[str, Any]:
    key = headers.joined_all(_KEYS)
    said = _remembered.get(key)
    if said is None:
        said = _read_steady(dict(zip(_KEYS, key, strict=True)))
        if sum(map(len, key)) > LONGEST_REMEMBERED:
            return said
        if len(_remembered) >= READINGS_REMEMBERED:
            _remembered.clear()
        _remembered[key] = said
    return said


def _read_steady(values: dict[str, str]) -> dict[str, Any]:
    said: dict[str, Any] = {}
    for name, key in _PLAIN.items():
        if values[name]:
            said[key] = _cut(values[name])
    for name, key in _LISTS.items():
        if values[name]:
            said[key] = [_cut(entry) for entry in split_list(values[name])[:MOST_VALUES]]
    if languages := _languages(values):
        said["languages"] = languages
    if via := _came_via(values["history-info"]):
        said["cameVia"] = via
    return said


def _languages(values: dict[str, str]) -> list[str]:
    tags = (
        entry.partition(";")[0].strip()[:35]
        for name in _LANGUAGES
        for entry in split_list(values[name])
    )
    return list(dict.fromkeys(tag for tag in tags if tag and tag != "*"))[:MOST_VALUES]


def _came_via(value: str) -> list[dict[str, Any]]:
    """The way a call has come; [] for a lone entry without a reason, as some apps always add."""
    entries = parse_history(value)
    if len(entries) < 2 and not any(entry.reason or entry.cause for entry in entries):
        return []
    return [
        {
            "uri": _cut(entry.uri),
            "index": _cut(entry.index),
            "cause": entry.cause,
            "reason": _cut(entry.reason),
        }
        for entry in entries
    ]


def _call_info(values: tuple[str, ...]) -> tuple[dict[str, Any], str, list[SignalledReference]]:
    """What Call-Info says beside the identifiers: facts, language, additional data by URL."""
    said: dict[str, Any] = {}
    language = ""
    references: list[SignalledReference] = []
    for entry in (entry for value in values for entry in split_list(value)[:MOST_VALUES]):
        _, _, after = entry.partition("<")
        uri, _, parameters = after.partition(">")
        uri = uri.strip()
        purpose = dict(split_parameters(parameters)).get("purpose", "").strip().lower()
        if not uri:
            continue
        if purpose in _SINGLE_PURPOSES:
            said.setdefault(_SINGLE_PURPOSES[purpose], _cut(_value_of(uri)))
        elif purpose == _LANGUAGE_PURPOSE:
            language = language or _value_of(uri)[:35]
        elif purpose.startswith(_DATA_PREFIX) and _is_url(uri):
            name = purpose.removeprefix(_DATA_PREFIX)
            kind = _DATA_KINDS.get(name, name)[:60]
            references.append(SignalledReference(ADDITIONAL_DATA, kind, uri))
        elif not _is_identifier(purpose, uri) and not uri.lower().startswith("cid:"):
            said.setdefault("callInfo", []).append(_cut(entry))
    if "callInfo" in said:
        del said["callInfo"][MOST_VALUES:]
    return said, language, references


def _value_of(uri: str) -> str:
    """The value in a DEC112 URN such as `urn:dec112:uid:language:de:service.dec112.at`."""
    pieces = uri.split(":")
    if uri[:15].lower() == "urn:dec112:uid:" and len(pieces) >= 5:
        return pieces[4]
    return uri


def _is_identifier(purpose: str, uri: str) -> bool:
    return purpose.endswith(("callid", "msgid", "msgtype")) or ":uid:" in uri.lower()


def _locate(
    value: str, body: bytes, references: list[SignalledReference], flags: list[str]
) -> None:
    """Take Geolocation's URLs for fetching, and note a cid that is no part of the body."""
    for entry in split_list(value)[:MOST_VALUES]:
        uri = entry.partition("<")[2].partition(">")[0].strip() or entry.partition(";")[0].strip()
        if uri[:4].lower() == "cid:":
            if missing_part(uri, body):
                flags.append("geolocation-part-missing")
        elif _is_url(uri):
            references.append(SignalledReference(LOCATION, "", uri))
        else:
            flags.append("geolocation-unusable")


def missing_part(cid: str, body: bytes) -> bool:
    """Whether a `cid:` URL names no part of the body (RFC 2392: the id without brackets).

    Large bodies are not looked through: nothing but a flag follows from it.
    """
    if len(body) > LARGEST_BODY:
        return False
    name = cid[4:].encode("utf-8", "replace")
    return name not in body and name.partition(b"%")[0] not in body


def _is_url(uri: str) -> bool:
    return uri[:8].lower() == "https://" or uri[:7].lower() == "http://"


def _cut(value: str) -> str:
    value = value.replace("\0", "\N{SYMBOL FOR NULL}").encode("utf-8", "replace").decode()
    return value[:VALUE_LIMIT]
