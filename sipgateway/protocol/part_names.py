"""File names of body parts (RFC 2183 2.3, RFC 2231, RFC 6266), made harmless.

A name is for showing and for saving under. It never says where: no directories, nothing invisible,
nothing that turns the reading direction around.
"""

from __future__ import annotations

import binascii
import re
import unicodedata
from collections.abc import Mapping
from urllib.parse import unquote_to_bytes

from sipgateway.protocol.addresses import split_parameters
from sipgateway.protocol.text import decode_text

NAME_LIMIT = 120
_EXTENSION = re.compile(r"\.[0-9A-Za-z]{1,10}\Z")
_ENCODED_WORD = re.compile(r"=\?([!-<>@-~]{1,40})\?([bq])\?([^?\s]{0,800})\?=", re.IGNORECASE)
_BETWEEN_WORDS = re.compile(r"\?=\s+=\?")
_MAX_PIECES = 20


def part_name(disposition: str, type_parameters: Mapping[str, str]) -> str:
    """The name in a Content-Disposition, else in a Content-Type's `name`; "" for none."""
    parameters: dict[str, str] = {}
    for key, value in split_parameters(disposition.partition(";")[2]):
        parameters.setdefault(key, value)
    for given, key in ((parameters, "filename"), (type_parameters, "name")):
        if name := _harmless(_given(given, key)):
            return name
    return ""


def _given(parameters: Mapping[str, str], key: str) -> str:
    """A parameter in whichever way it is written: extended, in pieces, encoded words, plain."""
    if (extended := parameters.get(f"{key}*")) is not None:
        return _extended(extended)
    if f"{key}*0" in parameters or f"{key}*0*" in parameters:
        return _in_pieces(parameters, key)
    plain = parameters.get(key, "")
    return _words_decoded(plain) if "=?" in plain else plain


def _extended(value: str) -> str:
    """Decode `utf-8'en'caf%C3%A9.png` (RFC 5987 3.2); without charset it is UTF-8."""
    charset, quote, rest = value.partition("'")
    if quote:
        rest = rest.partition("'")[2]
    else:
        charset, rest = "", value
    return decode_text(unquote_to_bytes(rest), charset.strip().lower())[0]


def _in_pieces(parameters: Mapping[str, str], key: str) -> str:
    """Join `filename*0*=…; filename*1=…` (RFC 2231 4.1)."""
    charset = ""
    data = bytearray()
    for number in range(_MAX_PIECES):
        if (piece := parameters.get(f"{key}*{number}*")) is not None:
            if number == 0 and piece.count("'") >= 2:
                charset, _, piece = piece.split("'", 2)
            data += unquote_to_bytes(piece)
        elif (piece := parameters.get(f"{key}*{number}")) is not None:
            data += piece.encode("utf-8", "replace")
        else:
            break
    return decode_text(bytes(data), charset.strip().lower())[0]


def _words_decoded(value: str) -> str:
    """Undo the encoded words of RFC 2047, which mail software puts here against its rule 5."""
    return _ENCODED_WORD.sub(_word, _BETWEEN_WORDS.sub("?==?", value))


def _word(found: re.Match[str]) -> str:
    charset, kind, text = found.groups()
    try:
        if kind in "bB":
            data = binascii.a2b_base64(text + "==")
        else:
            data = binascii.a2b_qp(text, header=True)
    except (binascii.Error, ValueError):
        return text
    return decode_text(data, charset.partition("*")[0].lower())[0]


def _harmless(name: str) -> str:
    name = name.replace("\\", "/").rstrip("/ .").rpartition("/")[2]
    shown = (char if unicodedata.category(char)[0] != "C" else "" for char in name[:1000])
    name = " ".join("".join(shown).split()).lstrip(". ")
    if len(name) <= NAME_LIMIT:
        return name
    extension = _EXTENSION.search(name)
    tail = extension.group() if extension is not None else ""
    return name[: NAME_LIMIT - len(tail)].rstrip(". ") + tail
