"""What the caller wrote, as text that any database and any screen takes."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sipgateway.protocol.body import Part

# Only charsets whose decoders are linear and cannot leave surrogates behind; all others are read
# as UTF-8. US-ASCII is a part of it, and clients that say so send UTF-8 all the same.
_CODECS = {
    **{f"iso-8859-{n}": f"iso8859-{n}" for n in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 13, 14, 15, 16)},
    **{f"windows-{n}": f"cp{n}" for n in range(1250, 1259)},
    **{f"cp{n}": f"cp{n}" for n in range(1250, 1259)},
    "latin1": "iso8859-1",
    "koi8-r": "koi8-r",
    "koi8-u": "koi8-u",
    "utf-16": "utf-16",
    "utf-16le": "utf-16-le",
    "utf-16be": "utf-16-be",
    "shift_jis": "shift_jis",
    "euc-jp": "euc-jp",
    "euc-kr": "euc-kr",
    "gb18030": "gb18030",
    "gbk": "gb18030",
    "gb2312": "gb18030",
    "big5": "big5",
}
_TAG = re.compile(r"<[^<>]*>")
_BREAK = re.compile(r"<(?:br|/p|/div|/li|/tr|/h[1-6])\b[^<>]*>", re.IGNORECASE)

INVALID_TEXT = "invalid-text"


def text_of(parts: Sequence[Part]) -> tuple[str, tuple[str, ...]]:
    """The human text of a message and flags about it.

    All text/plain parts joined by line feeds; where they say nothing, text/html without its tags;
    then parts whose type makes no sense and multiparts that could not be taken apart: a call for
    help in a clumsy wrapping is still read. Bytes that are no text in their charset become U+FFFD
    (flag "invalid-text"), NUL becomes U+2400.
    """
    for is_wanted in (_is_plain, _is_html, _is_clumsy):
        texts: list[str] = []
        flags: tuple[str, ...] = ()
        for part in parts:
            if not is_wanted(part):
                continue
            text, clean = decode_text(part.data, part.charset)
            if not clean:
                flags = (INVALID_TEXT,)
            if is_wanted is _is_html:
                text = _without_tags(text)
            if text:
                texts.append(text)
        if texts:
            return "\n".join(texts), flags
    return "", ()


def _is_plain(part: Part) -> bool:
    return part.content_type == "text/plain"


def _is_html(part: Part) -> bool:
    return part.content_type == "text/html"


def _is_clumsy(part: Part) -> bool:
    return "/" not in part.content_type or part.flag == "unsplittable"


def decode_text(data: bytes, charset: str) -> tuple[str, bool]:
    """Bytes as text, and whether nothing had to be replaced."""
    clean = True
    codec = _CODECS.get(charset, "utf-8") if charset else "utf-8"
    try:
        text = data.decode(codec)
    except UnicodeDecodeError:
        text = data.decode(codec, "replace")
        clean = False
    if "\0" in text:
        text = text.replace("\0", "\u2400")
    if text[:1] == "\ufeff":
        text = text[1:]
    return text, clean


def _without_tags(text: str) -> str:
    text = _without_element(_without_element(text, "script"), "style")
    text = _TAG.sub("", _BREAK.sub("\n", text))
    return html.unescape(text).replace("\0", "\u2400").strip()


def _without_element(text: str, name: str) -> str:
    """The text without elements of that name and their content."""
    lowered = text.lower()
    if f"<{name}" not in lowered or len(lowered) != len(text):
        return text
    kept: list[str] = []
    at = 0
    while (start := lowered.find(f"<{name}", at)) >= 0:
        kept.append(text[at:start])
        end = lowered.find(f"</{name}", start)
        if end < 0:
            return "".join(kept)
        at = end
    kept.append(text[at:])
    return "".join(kept)
