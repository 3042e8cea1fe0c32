"""Who somebody is, out of a vCard: as XML (RFC 6351) or as text (RFC 6350, also 2.1 and 3.0)."""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from typing import TypedDict

from sipgateway.protocol.text import decode_text
from sipgateway.protocol.xml import Element

VALUE_LIMIT = 500
MAX_CARDS = 10
MAX_LINES = 1000
LINE_LIMIT = 4 * VALUE_LIMIT


class Card(TypedDict, total=False):
    """What a vCard says of a person; only what is there."""

    name: str
    organization: str
    phone: str
    email: str
    address: str
    gender: str
    birthday: str
    language: str
    note: str


def xml_cards(root: Element) -> list[Card]:
    """Each `vcard` under this element, whatever wraps it; an empty one is left out."""
    cards = []
    for number, element in enumerate(root.iter("{*}vcard")):
        if number == MAX_CARDS:
            break
        cards.append(_card(_xml_properties(element)))
    return [card for card in cards if card]


def text_cards(data: bytes, charset: str = "") -> list[Card]:
    """Each vCard of a text; an empty one is left out."""
    text, _ = decode_text(data, charset)
    cards: list[Card] = []
    properties: dict[str, str] = {}
    for name, value in _text_properties(text):
        if name == "end":
            cards.append(_card(properties))
            properties = {}
            if len(cards) == MAX_CARDS:
                break
        elif name in _PROPERTIES and value:
            properties.setdefault(name, value)
    cards.append(_card(properties))  # its end is missing
    return [card for card in cards if card]


def _card(found: dict[str, str]) -> Card:
    card: Card = {}
    if full_name := found.get("fn") or found.get("n"):
        card["name"] = full_name
    if "org" in found:
        card["organization"] = found["org"]
    if "tel" in found:
        card["phone"] = found["tel"].removeprefix("tel:")
    if "email" in found:
        card["email"] = found["email"].removeprefix("mailto:")
    if "adr" in found:
        card["address"] = found["adr"]
    if "gender" in found:
        card["gender"] = found["gender"]
    if birthday := found.get("bday"):
        card["birthday"] = birthday.partition("T")[0] if birthday[:1].isdigit() else birthday
    if "lang" in found:
        card["language"] = found["lang"]
    if "note" in found:
        card["note"] = found["note"]
    return card


_PROPERTIES = frozenset(("fn", "n", "org", "tel", "email", "adr", "gender", "bday", "lang", "note"))
_STRUCTURED = {
    "n": (("prefix", "given", "additional", "surname", "suffix"), " "),
    "adr": (("pobox", "ext", "street", "code", "locality", "region", "country"), ", "),
}
_IN_TEXT = {
    "n": ("surname", "given", "additional", "prefix", "suffix"),
    "adr": ("pobox", "ext", "street", "locality", "region", "code", "country"),
}
"""The components of a structured value in the order of RFC 6350 6.2.2 and 6.3.1."""


def _xml_properties(card: Element) -> dict[str, str]:
    """The first non-empty value of each property that call-takers are shown."""
    found: dict[str, str] = {}
    for element in card.iterchildren("{*}*"):
        name = element.tag.rpartition("}")[2]
        if name not in _PROPERTIES or name in found:
            continue
        value = _xml_structure(element, name) if name in _STRUCTURED else _xml_value(element)
        if value:
            found[name] = value
    return found


def _xml_value(element: Element) -> str:
    """The text of a property, which stands in an element named after its type."""
    for wrapped in element.iterchildren("{*}*"):
        text = (wrapped.text or "").strip()
        if text:  # `parameters` has no text of its own
            return text[:VALUE_LIMIT]
    return (element.text or "").strip()[:VALUE_LIMIT]


def _xml_structure(element: Element, name: str) -> str:
    words: dict[str, list[str]] = {}
    for component in element.iterchildren("{*}*"):
        text = (component.text or "").strip()
        if text:
            words.setdefault(component.tag.rpartition("}")[2], []).append(text)
    return _line(name, words)


def _line(name: str, words: dict[str, list[str]]) -> str:
    """A structured property as one line."""
    order, separator = _STRUCTURED[name]
    return separator.join(word for part in order for word in words.get(part, ()))[:VALUE_LIMIT]


_FOLD = re.compile(r"\r?\n[ \t]")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)


def _text_properties(text: str) -> Iterator[tuple[str, str]]:
    """Lower-case name and value of each line that has both; `end` where a card ends."""
    lines = _FOLD.sub("", text).splitlines()[:MAX_LINES]
    for line in lines:
        head, colon, value = line.partition(":")
        if not colon:
            continue
        name, *parameters = head[:LINE_LIMIT].split(";")
        name = name.rpartition(".")[2].strip().lower()  # a group stands before the dot
        if name == "end":
            yield name, value
        elif name in _PROPERTIES:
            value = value[:LINE_LIMIT]
            if any("quoted-printable" in parameter.lower() for parameter in parameters):
                value, _ = decode_text(binascii.a2b_qp(value), _charset(parameters))
            yield name, _text_value(name, value)


def _charset(parameters: list[str]) -> str:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset":
            return value.strip().strip('"').lower()
    return ""


def _text_value(name: str, value: str) -> str:
    if name not in _IN_TEXT:
        pieces = _split(value, ";")
        return ", ".join(piece for piece in pieces if piece)[:VALUE_LIMIT]
    words: dict[str, list[str]] = {}
    for part, component in zip(_IN_TEXT[name], _split(value, ";"), strict=False):
        if component:
            words[part] = [component]
    return _line(name, words)


def _split(value: str, separator: str) -> list[str]:
    """Take a value apart outside of escapes, and undo those (RFC 6350 3.4)."""
    pieces = re.split(rf"(?<!\\){separator}", value)
    return [_ESCAPE.sub(_unescaped, piece).strip() for piece in pieces]


def _unescaped(found: re.Match[str]) -> str:
    char = found.group(1)
    return "\n" if char in "nN" else char
