"""Additional data about the caller (RFC 7852): subscriber information as vCard XML (RFC 6351)."""

from __future__ import annotations

from typing import TypedDict

from sipgateway.protocol.errors import SipError
from sipgateway.protocol.xml import Element, XmlError, parse_xml

VALUE_LIMIT = 500
MAX_BLOCKS = 10

SUBSCRIBER_TYPES = frozenset(
    ("application/emergencycalldata.subscriberinfo+xml", "application/addcallsub+xml")
)
"""The registered type and the obsolete one that apps in the field send."""


class AdditionalDataError(SipError):
    """The block cannot be read."""


class SubscriberInfo(TypedDict, total=False):
    """What a vCard says of the caller; only what is there."""

    name: str
    phone: str
    email: str
    address: str
    gender: str
    birthday: str
    language: str
    note: str


def parse_additional(content_type: str, data: bytes) -> list[tuple[str, SubscriberInfo]]:
    """The blocks of additional data in a part as (kind, data).

    [] for content types that are no additional data we know. Raises AdditionalDataError.
    """
    if content_type not in SUBSCRIBER_TYPES:
        return []
    try:
        root = parse_xml(data)
    except XmlError as error:
        raise AdditionalDataError(str(error)) from None
    cards = list(root.iter("{*}vcard"))[:MAX_BLOCKS]
    if not cards:
        raise AdditionalDataError("no vCard")
    blocks = [("SubscriberInfo", _subscriber(card)) for card in cards]
    return [(kind, info) for kind, info in blocks if info]


def _subscriber(card: Element) -> SubscriberInfo:
    info: SubscriberInfo = {}
    if name := _first(card, "fn") or _words(card, "n", _NAME_ORDER, " "):
        info["name"] = name
    if phone := _first(card, "tel"):
        info["phone"] = phone.removeprefix("tel:")
    if email := _first(card, "email"):
        info["email"] = email.removeprefix("mailto:")
    if address := _words(card, "adr", _ADDRESS_ORDER, ", "):
        info["address"] = address
    if gender := _first(card, "gender"):
        info["gender"] = gender
    if birthday := _first(card, "bday"):
        info["birthday"] = birthday.partition("T")[0] if birthday[:1].isdigit() else birthday
    if language := _first(card, "lang"):
        info["language"] = language
    if note := _first(card, "note"):
        info["note"] = note
    return info


_NAME_ORDER = ("prefix", "given", "additional", "surname", "suffix")
_ADDRESS_ORDER = ("pobox", "ext", "street", "code", "locality", "region", "country")


def _first(card: Element, name: str) -> str:
    """The first non-empty text in a property: vCard values are wrapped in their type."""
    for found in card.iterchildren(f"{{*}}{name}"):
        for element in found.iter("{*}*"):
            if element.tag.endswith("}parameters"):
                continue
            if any(above.tag.endswith("}parameters") for above in element.iterancestors()):
                continue
            text = (element.text or "").strip()
            if text:
                return text[:VALUE_LIMIT]
    return ""


def _words(card: Element, name: str, order: tuple[str, ...], separator: str) -> str:
    """A structured property as one line."""
    for found in card.iterchildren(f"{{*}}{name}"):
        words = [
            (element.text or "").strip()
            for component in order
            for element in found.iterchildren(f"{{*}}{component}")
        ]
        line = separator.join(word for word in words if word)
        if line:
            return line[:VALUE_LIMIT]
    return ""
