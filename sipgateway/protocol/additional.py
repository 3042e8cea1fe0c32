"""Additional data about a call (RFC 7852): its provider, service, device, caller, and comments.

Each block becomes (kind, fields): short texts by name, only those that are there. What a block
has beside the elements of the RFC is passed over; the part keeps it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sipgateway.protocol.errors import SipError
from sipgateway.protocol.vcard import text_cards, xml_cards
from sipgateway.protocol.xml import Element, XmlError, parse_xml

VALUE_LIMIT = 500
COMMENT_LIMIT = 2000
MAX_BLOCKS = 10
MAX_VALUES = 10

Block = tuple[str, Mapping[str, Any]]
"""Kind and fields; what stands in a field is fit for JSON, and no number is a fraction."""

VCARD_TYPES = frozenset(("text/vcard", "text/x-vcard", "text/directory"))
XML_VCARD_TYPES = frozenset(("application/vcard+xml",))
SUBSCRIBER_TYPES = frozenset(
    ("application/emergencycalldata.subscriberinfo+xml", "application/addcallsub+xml")
)
"""The registered type and the obsolete one that apps in the field send."""


class AdditionalDataError(SipError):
    """The block cannot be read."""


def parse_additional(content_type: str, data: bytes, charset: str = "") -> list[Block]:
    """The blocks of additional data in a part as (kind, fields).

    [] for content types that are no additional data we know. Raises AdditionalDataError.
    """
    content_type = content_type.lower()
    if content_type in VCARD_TYPES:
        cards: list[Block] = [("VCard", {**card}) for card in text_cards(data, charset)]
        if not cards:
            raise AdditionalDataError("no vCard")
        return cards
    if content_type not in ADDITIONAL_TYPES:
        return []
    try:
        root = parse_xml(data)
    except XmlError as error:
        raise AdditionalDataError(str(error)) from None
    if content_type in XML_VCARD_TYPES:
        return _with_cards(root, "VCard")
    if content_type in SUBSCRIBER_TYPES:
        return _with_cards(root, "SubscriberInfo")
    kind = _KIND_OF[content_type]
    name = f"EmergencyCallData.{kind}"
    found = [block for block in root.iter(f"{{*}}{name}") if not _wraps(block, name)]
    if not found:
        raise AdditionalDataError(f"no {name}")
    blocks = [(kind, _BLOCKS[kind](element)) for element in found[:MAX_BLOCKS]]
    return [(kind, fields) for kind, fields in blocks if fields]


def blocks_within(root: Element) -> list[Block]:
    """The blocks of RFC 7852 that another document carries, as a PIDF-LO's `provided-by` does."""
    blocks: list[Block] = []
    for kind, read in _BLOCKS.items():
        for element in root.iter(f"{{*}}EmergencyCallData.{kind}"):
            if len(blocks) < MAX_BLOCKS and (fields := read(element)):
                blocks.append((kind, fields))
    return blocks


def _wraps(element: Element, name: str) -> bool:
    """Whether a block of the same name stands within, as in a doubled wrapper."""
    return next(iter(element.iterdescendants(f"{{*}}{name}")), None) is not None


def _with_cards(root: Element, kind: str) -> list[Block]:
    cards = xml_cards(root)
    if not cards and next(iter(root.iter("{*}vcard")), None) is None:
        raise AdditionalDataError("no vCard")
    return [(kind, {**card}) for card in cards]


def _fields(element: Element, names: Mapping[str, str]) -> dict[str, Any]:
    """The texts of child elements under our names; several of a name are joined by commas."""
    values: dict[str, list[str]] = {}
    for found in element.iterchildren("{*}*"):
        field = names.get(found.tag.rpartition("}")[2])
        text = " ".join((found.text or "").split())[:VALUE_LIMIT]
        if field is None or not text:
            continue
        said = values.setdefault(field, [])
        if len(said) < MAX_VALUES and text not in said:
            said.append(text)
    return {field: ", ".join(said)[:VALUE_LIMIT] for field, said in values.items()}


def _provider(element: Element) -> dict[str, Any]:
    """Read RFC 7852 4.1."""
    fields = _fields(
        element,
        {
            "DataProviderString": "name",
            "ProviderID": "id",
            "ProviderIDSeries": "idSeries",
            "TypeOfProvider": "type",
            "ContactURI": "contact",
            "Language": "language",
            "SubcontractorPrincipal": "subcontractorPrincipal",
            "SubcontractorPriority": "subcontractorPriority",
            "DataProviderReference": "reference",
        },
    )
    for card in xml_cards(element)[:1]:  # DataProviderContact
        for name in ("name", "phone", "email", "address"):
            if name in card:
                fields[f"contact{name.capitalize()}"] = card[name]
    return fields


def _service(element: Element) -> dict[str, Any]:
    """Read RFC 7852 4.2."""
    return _fields(
        element,
        {
            "ServiceEnvironment": "environment",
            "ServiceType": "service",
            "ServiceMobility": "mobility",
            "DataProviderReference": "reference",
        },
    )


def _device(element: Element) -> dict[str, Any]:
    """Read RFC 7852 4.3; an identifier stands with its type, such as `IMEI 35788104`."""
    fields = _fields(
        element,
        {
            "DeviceClassification": "classification",
            "DeviceMfgr": "manufacturer",
            "DeviceModelNr": "model",
            "DeviceSpecificType": "specificType",
            "DeviceSpecificData": "specificData",
            "DataProviderReference": "reference",
        },
    )
    identifiers = []
    for number, found in enumerate(element.iterchildren("{*}UniqueDeviceID")):
        if number == MAX_VALUES:
            break
        words = (found.get("TypeOfDeviceID") or "").split() + (found.text or "").split()
        identifiers.append(" ".join(words))
    if joined := ", ".join(identifier for identifier in identifiers if identifier):
        fields["identifier"] = joined[:VALUE_LIMIT]
    return fields


def _subscriber(element: Element) -> dict[str, Any]:
    """Read the first vCard of a SubscriberInfo (RFC 7852 4.4)."""
    cards = xml_cards(element)
    return {**cards[0]} if cards else {}


def _comment(element: Element) -> dict[str, Any]:
    """Read RFC 7852 4.5: comments in any number of languages, a line each."""
    lines = [(found.text or "").strip() for found in element.iterchildren("{*}Comment")]
    text = "\n".join(line for line in lines[:MAX_VALUES] if line)[:COMMENT_LIMIT]
    return {"comment": text} if text else {}


_BLOCKS: dict[str, Callable[[Element], dict[str, Any]]] = {
    "ProviderInfo": _provider,
    "ServiceInfo": _service,
    "DeviceInfo": _device,
    "SubscriberInfo": _subscriber,
    "Comment": _comment,
}
_KIND_OF = {f"application/emergencycalldata.{kind.lower()}+xml": kind for kind in _BLOCKS}
ADDITIONAL_TYPES = frozenset(_KIND_OF) | SUBSCRIBER_TYPES | VCARD_TYPES | XML_VCARD_TYPES
"""Content types that hold blocks, in lower case."""
