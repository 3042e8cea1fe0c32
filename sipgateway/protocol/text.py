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
_SILENT = re.compile(r"<!--|<(script|style|title|template)\b", re.IGNORECASE | re.ASCII)
_END_OF = {
    name: re.compile(rf"</{name}", re.IGNORECASE | re.ASCII)
    for name in ("script", "style", "title", "template")
}

INVALID_TEXT = "invalid-text"
TRUNCATED = "truncated"
GZIP_MAGIC = b"\x1f\x8b"
MOST_HTML = 256 * 1024
"""Bytes of HTML that are read in one message; its parts keep the rest."""


def text_of(parts: Sequence[Part]) -> tuple[str, tuple[str, ...]]:
    """The human text of a message and flags about it.

    All text/plain parts joined by line feeds, then text/html without its tags where it says
    something else; of a multipart/alternative the HTML only when it has no plain text. Where that
    is nothing, parts whose type makes no sense, multiparts that could not be taken apart, and
    files of text: a call for help in a clumsy wrapping is still read. Bytes that are no text in
    their charset become U+FFFD (flag "invalid-text"), NUL becomes U+2400.
    """
    texts: list[str] = []
    flags: tuple[str, ...] = ()
    pages: list[Part] = []
    plain: set[int] = set()  # each multipart/alternative that has plain text
    for part in parts:
        if part.flag and _is_still_packed(part):
            continue
        if part.content_type == "text/plain" and not (part.name and _is_file(part)):
            text, clean = decode_text(part.data, part.charset)
            if not clean:
                flags = (INVALID_TEXT,)
            if text and not (part.alternative and text in texts):
                texts.append(text)
            if part.alternative and text.strip():
                plain.add(part.alternative)
        elif part.content_type == "text/html" and not (part.name and _is_file(part)):
            pages.append(part)
    if pages:
        flags = _add_pages([part for part in pages if part.alternative not in plain], texts, flags)
    if texts:
        return "\n".join(texts), flags
    for is_wanted in (_is_clumsy, _is_text_file):
        for part in filter(is_wanted, parts):
            text, clean = decode_text(part.data, part.charset)
            if not clean:
                flags = (INVALID_TEXT,)
            if text:
                texts.append(text)
        if texts:
            return "\n".join(texts), flags
    return "", ()


def _add_pages(pages: Sequence[Part], texts: list[str], flags: tuple[str, ...]) -> tuple[str, ...]:
    """Add what HTML says beyond the plain text, and return the flags with those about it."""
    said = {" ".join(text.split()) for text in (*texts, " ".join(texts))}
    room = MOST_HTML
    for part in pages:
        text, clean = decode_text(part.data[: max(room, 0)], part.charset)
        room -= len(part.data)
        if room < 0 and text.rfind("<") > text.rfind(">"):
            text = text[: text.rfind("<")]  # the tag that was cut
        text = _without_tags(text)
        line = " ".join(text.split())
        if line and line not in said:
            said.add(line)
            texts.append(text)
            if not clean:
                flags = (INVALID_TEXT,)
    return flags if room >= 0 else (*flags, TRUNCATED)


def _is_file(part: Part) -> bool:
    return part.disposition[:10].lower() == "attachment"


def _is_text_file(part: Part) -> bool:
    return part.content_type == "text/plain" and not _is_still_packed(part)


def _is_still_packed(part: Part) -> bool:
    """Whether these bytes are gzip's, which nobody has written and nobody can read."""
    return part.flag == "undecodable" and part.data[:2] == GZIP_MAGIC


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
    text = _TAG.sub("", _BREAK.sub("\n", _without_silent(text)))
    return html.unescape(text).replace("\0", "\u2400").strip()


def _without_silent(text: str) -> str:
    """The text without comments, and without elements whose content no browser shows as text."""
    if _SILENT.search(text) is None:
        return text
    kept: list[str] = []
    at, comments = 0, True
    while (found := _SILENT.search(text, at)) is not None:
        name = found.group(1)
        kept.append(text[at : found.start()])
        at = found.end()
        if name is not None:
            end = _END_OF[name.lower()].search(text, at)
            if end is None:
                return "".join(kept)
            at = end.start()
        elif comments:
            end_of_comment = text.find("-->", at)
            comments = end_of_comment >= 0  # else what follows is no comment but text
            at = end_of_comment + 3 if comments else at
    kept.append(text[at:])
    return "".join(kept)
