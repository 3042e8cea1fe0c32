"""The parts of a message body (RFC 2046 5.1, RFC 5621; TS 103 698 clause 6.1.2.8).

Nothing is thrown away: what cannot be taken apart comes back as one flagged part, so that a
broken part never costs the text beside it.
"""

from __future__ import annotations

import binascii
from dataclasses import dataclass
from hashlib import sha256

from sipgateway.protocol.headers import Headers
from sipgateway.protocol.media_type import DEFAULT_TYPE, NO_PARAMETERS, parse_media_type
from sipgateway.protocol.text import text_of

__all__ = ["MAX_DEPTH", "MAX_PARTS", "SOFT_LIMIT", "Part", "split_body", "text_of"]

SOFT_LIMIT = 1024 * 1024
"""Bytes that are kept of one part."""
MAX_PARTS = 100
MAX_DEPTH = 8
MAX_PART_HEADERS = 8 * 1024
CONTENT_ID_LIMIT = 250

_PLAIN_ENCODINGS = frozenset(("", "7bit", "8bit", "binary"))


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a body.

    `data` is decoded and cut to the soft limit; `size` and `sha256` are those of the whole
    decoded part. `flag` is "" or one of truncated, undecodable (kept as it came), unsplittable
    (a multipart that could not be taken apart), nested-too-deep.
    """

    content_type: str
    charset: str
    content_id: str
    disposition: str
    data: bytes
    size: int
    sha256: bytes
    flag: str


def split_body(headers: Headers, body: bytes) -> list[Part]:
    """The leaf parts of a body in order; an empty body has none."""
    if not body:
        return []
    content_type, parameters = parse_media_type(headers.get("content-type") or "")
    parts: list[Part] = []
    if content_type[:10] == "multipart/":
        _split(content_type, parameters, body, 1, parts)
    else:
        parts.append(
            _part(
                content_type,
                parameters,
                headers.get("content-id") or "",
                headers.get("content-disposition") or "",
                headers.get("content-transfer-encoding") or "",
                body,
            )
        )
    return parts


def _split(
    content_type: str, parameters: dict[str, str], body: bytes, depth: int, parts: list[Part]
) -> None:
    """Take a multipart apart, its leaves appended to `parts`."""
    if depth > MAX_DEPTH:
        parts.append(_flagged(content_type, body, "nested-too-deep"))
        return
    pieces = _pieces(body, parameters.get("boundary", ""))
    if pieces is None:
        parts.append(_flagged(content_type, body, "unsplittable"))
        return
    default = "message/rfc822" if content_type == "multipart/digest" else DEFAULT_TYPE
    for at, piece in enumerate(pieces):
        if len(parts) >= MAX_PARTS - 1 and at < len(pieces) - 1:
            parts.append(_flagged(content_type, b"".join(pieces[at:]), "unsplittable"))
            return
        if len(parts) >= MAX_PARTS:
            return
        _leaf(piece, default, depth, parts)


def _pieces(body: bytes, boundary: str) -> list[bytes] | None:
    """What stands between the delimiters, each beginning with its line end; None: no delimiter.

    A missing final delimiter is forgiven, and so are bare line feeds and a missing or wrong
    boundary parameter as long as the body starts with a delimiter.
    """
    mark = b"--" + boundary.encode("utf-8", "surrogateescape")
    if not boundary or mark not in body:
        first = body.lstrip(b"\r\n")[:100].partition(b"\n")[0].rstrip()
        if len(first) <= 2 or first[:2] != b"--":
            return None
        mark = first
    if body.startswith(mark):
        pieces = (b"\r\n" + body).split(b"\r\n" + mark)
    else:
        pieces = body.split(b"\r\n" + mark)
    if len(pieces) < 2 or (len(pieces) == 2 and b"\n" + mark in pieces[1]):
        pieces = (b"\n" + body.replace(b"\r\n", b"\n")).split(b"\n" + mark)
        if len(pieces) < 2:
            return None
    found: list[bytes] = []
    for piece in pieces[1:]:
        if piece[:2] == b"\r\n" or piece[:1] == b"\n":
            found.append(piece)
        elif piece[:2] == b"--":
            break
        else:
            rest = piece.lstrip(b" \t")
            if rest[:2] == b"\r\n" or rest[:1] == b"\n" or not rest:
                found.append(rest)
            elif found:  # a longer line that begins like the delimiter: content
                found[-1] += b"\r\n" + mark + piece
    return found


def _leaf(piece: bytes, default: str, depth: int, parts: list[Part]) -> None:
    """One piece between delimiters: its header fields and its content."""
    if piece[:2] == b"\r\n":
        head, separator, data = piece.partition(b"\r\n\r\n")
    else:
        head, separator, data = piece.partition(b"\n\n")
    if len(head) > MAX_PART_HEADERS or (not separator and b":" not in head[:100]):
        head, data = b"", piece.lstrip(b"\r\n")
    content_type, parameters, content_id, disposition, encoding = (
        default,
        NO_PARAMETERS,
        "",
        "",
        "",
    )
    for name, value in _part_headers(head):
        if name == "content-type":
            content_type, parameters = parse_media_type(value)
        elif name == "content-id":
            content_id = value
        elif name == "content-disposition":
            disposition = value
        elif name == "content-transfer-encoding":
            encoding = value
    if content_type[:10] == "multipart/":
        if data:
            _split(content_type, parameters, data, depth + 1, parts)
        return
    parts.append(_part(content_type, parameters, content_id, disposition, encoding, data))


def _part_headers(head: bytes) -> list[tuple[str, str]]:
    text = head.decode("utf-8", "replace")
    if "\n " in text or "\n\t" in text:
        text = text.replace("\r\n", "\n").replace("\n\t", " ").replace("\n ", " ")
    found: list[tuple[str, str]] = []
    for line in text.split("\n"):
        name, colon, value = line.partition(":")
        if colon:
            found.append((name.strip().lower(), value.strip()))
    return found


def _part(
    content_type: str,
    parameters: dict[str, str],
    content_id: str,
    disposition: str,
    encoding: str,
    data: bytes,
) -> Part:
    flag = ""
    if encoding and (encoding := encoding.lower()) not in _PLAIN_ENCODINGS:
        decoded = _decode(encoding, data)
        if decoded is None:
            flag = "undecodable"
        else:
            data = decoded
    size = len(data)
    digest = sha256(data).digest()
    if size > SOFT_LIMIT:
        data = data[:SOFT_LIMIT]
        flag = flag or "truncated"
    return Part(
        content_type,
        parameters.get("charset", "").lower(),
        _storable(content_id.strip("<> \t")) if content_id else "",
        _storable(disposition) if disposition else "",
        data,
        size,
        digest,
        flag,
    )


def _storable(value: str) -> str:
    return value.replace("\0", "\ufffd")[:CONTENT_ID_LIMIT]


def _flagged(content_type: str, data: bytes, flag: str) -> Part:
    return Part(content_type, "", "", "", data[:SOFT_LIMIT], len(data), sha256(data).digest(), flag)


def _decode(encoding: str, data: bytes) -> bytes | None:
    """Undo a transfer encoding (RFC 2045 6); None when it is broken or unknown."""
    if encoding == "base64":
        try:
            return binascii.a2b_base64(data)
        except binascii.Error:
            return None
    if encoding == "quoted-printable":
        return binascii.a2b_qp(data)
    return None
