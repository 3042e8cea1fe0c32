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
    if content_type.lower() not in SUBSCRIBER_TYPES:
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
    """The first non-empty value of each property that call-takers are shown."""
    found: dict[str, str] = {}
    for element in card.iterchildren("{*}*"):
        name = element.tag.rpartition("}")[2]
        if name not in _PROPERTIES or name in found:
            continue
        if name in _STRUCTURED:
            value = _words(element, *_STRUCTURED[name])
        else:
            value = _value(element)
        if value:
            found[name] = value
    info: SubscriberInfo = {}
    if full_name := found.get("fn") or found.get("n"):
        info["name"] = full_name
    if "tel" in found:
        info["phone"] = found["tel"].removeprefix("tel:")
    if "email" in found:
        info["email"] = found["email"].removeprefix("mailto:")
    if "adr" in found:
        info["address"] = found["adr"]
    if "gender" in found:
        info["gender"] = found["gender"]
    if birthday := found.get("bday"):
        info["birthday"] = birthday.partition("T")[0] if birthday[:1].isdigit() else birthday
    if "lang" in found:
        info["language"] = found["lang"]
    if "note" in found:
        info["note"] = found["note"]
    return info


_PROPERTIES = frozenset(("fn", "n", "tel", "email", "adr", "gender", "bday", "lang", "note"))
_STRUCTURED = {
    "n": (("prefix", "given", "additional", "surname", "suffix"), " "),
    "adr": (("pobox", "ext", "street", "code", "locality", "region", "country"), ", "),
}


def _value(element: Element) -> str:
    """The text of a property, which stands in an element named after its type."""
    for wrapped in element.iterchildren("{*}*"):
        text = (wrapped.text or "").strip()
        if text:  # `parameters` has no text of its own
            return text[:VALUE_LIMIT]
    return (element.text or "").strip()[:VALUE_LIMIT]


def _words(element: Element, order: tuple[str, ...], separator: str) -> str:
    """A structured property as one line."""
    words: dict[str, list[str]] = {}
    for component in element.iterchildren("{*}*"):
        text = (component.text or "").strip()
        if text:
            words.setdefault(component.tag.rpartition("}")[2], []).append(text)
    return separator.join(word for name in order for word in words.get(name, ()))[:VALUE_LIMIT]
