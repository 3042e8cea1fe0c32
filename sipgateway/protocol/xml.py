"""XML from strangers: no entities, no DTD, no network, bounded depth and size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lxml import etree

from sipgateway.protocol.errors import SipError

if TYPE_CHECKING:
    Element = etree._Element
else:
    Element = Any

MAX_DOCUMENT = 1024 * 1024
MAX_TAGS = 20_000
"""More than any document of use has; looking through a million elements would hold up everybody."""

# libxml2 ends at a depth of 256 elements and at overlong tokens as long as huge_tree is off.
_PARSER = etree.XMLParser(
    resolve_entities=False,
    no_network=True,
    load_dtd=False,
    dtd_validation=False,
    attribute_defaults=False,
    huge_tree=False,
    recover=False,
    remove_comments=True,
    remove_pis=True,
)


class XmlError(SipError):
    """Not a document that we read."""


def parse_xml(data: bytes) -> Element:
    """The root of a document; raises XmlError."""
    if len(data) > MAX_DOCUMENT:
        raise XmlError("document too large")
    if data.count(b"<") > MAX_TAGS:
        raise XmlError("more elements than are read")
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        raise XmlError("document type declarations are not accepted")
    try:
        root = etree.fromstring(data.strip(), _PARSER)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise XmlError(f"not well-formed: {str(error)[:200]}") from None
    if root is None:
        raise XmlError("empty document")
    if root.getroottree().docinfo.internalDTD is not None:
        raise XmlError("document type declarations are not accepted")
    return root


def child(element: Element, name: str) -> Element | None:
    """The first child of that local name."""
    for found in element.iterchildren(f"{{*}}{name}"):
        return found
    return None


def text_in(element: Element, name: str) -> str:
    """The text of the first child of that local name, stripped; "" when there is none."""
    for found in element.iterchildren(f"{{*}}{name}"):
        return (found.text or "").strip()
    return ""
