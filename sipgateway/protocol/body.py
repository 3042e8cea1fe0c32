"""The parts of a message body (RFC 2046 5.1, RFC 5621; TS 103 698 clause 6.1.2.8).

Nothing is thrown away: what cannot be taken apart comes back as one flagged part, so that a
broken part never costs the text beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

from sipgateway.protocol.content_encoding import content_decoded, transfer_decoded
from sipgateway.protocol.headers import Headers
from sipgateway.protocol.media_type import DEFAULT_TYPE, NO_PARAMETERS, parse_media_type
from sipgateway.protocol.multipart import delimiter_of, head_and_content, pieces
from sipgateway.protocol.part_names import part_name
from sipgateway.protocol.text import text_of

__all__ = ["MAX_DEPTH", "MAX_PARTS", "SOFT_LIMIT", "Part", "split_body", "text_of"]

SOFT_LIMIT = 1024 * 1024
"""Bytes that are kept of one part."""
MAX_PARTS = 100
MAX_DEPTH = 8
VALUE_LIMIT = 250


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a body.

    `data` is decoded and cut to the soft limit; `size` and `sha256` are those of the whole
    decoded part. `flag` is "" or one of truncated, undecodable (kept as it came), unsplittable
    (a multipart that could not be taken apart), nested-too-deep. Parts of one multipart/alternative
    have the same number in `alternative`, all others 0. `name` is the file name, or "".
    """

    content_type: str
    charset: str
    content_id: str
    disposition: str
    data: bytes
    size: int
    sha256: bytes
    flag: str
    alternative: int = 0
    name: str = ""


def split_body(headers: Headers, body: bytes) -> list[Part]:
    """The leaf parts of a body in order; an empty body has none."""
    if not body:
        return []
    flag = ""
    encoding = headers.get("content-encoding")
    if encoding:
        plain = content_decoded(encoding, body)
        if plain is None:
            flag = "undecodable"
        else:
            body = plain
    content_type, parameters = parse_media_type(headers.get("content-type") or "")
    if content_type.startswith("multipart/") and not flag:
        splitter = _Splitter(body)
        splitter.split(content_type, parameters, 0, len(body), 1)
        return splitter.parts
    disposition = headers.get("content-disposition") or ""
    content_id = headers.get("content-id") or ""
    transfer = "" if flag else headers.get("content-transfer-encoding") or ""
    return [_part(content_type, parameters, content_id, disposition, transfer, body, flag)]


class _Splitter:
    """Takes one body apart; bounded in depth and in the number of pieces that it looks at."""

    __slots__ = ("alternative", "alternatives", "body", "parts", "seen")

    def __init__(self, body: bytes) -> None:
        self.body = body
        self.parts: list[Part] = []
        self.seen = 0
        self.alternative = 0  # the multipart/alternative that is being read
        self.alternatives = 0

    def split(
        self, content_type: str, parameters: dict[str, str], start: int, end: int, depth: int
    ) -> None:
        if depth > MAX_DEPTH:
            self._keep(content_type, start, end, "nested-too-deep")
            return
        delimiter = delimiter_of(self.body, parameters.get("boundary", ""), start, end)
        if delimiter is None:
            self._keep(content_type, start, end, "unsplittable")
            return
        before, around = self.seen, self.alternative
        if content_type == "multipart/alternative" and not around:
            self.alternatives += 1
            self.alternative = self.alternatives
        default = "message/rfc822" if content_type == "multipart/digest" else DEFAULT_TYPE
        for begin, stop in pieces(self.body, delimiter, start, end):
            self.seen += 1
            if self.seen >= MAX_PARTS:
                self._keep(content_type, begin, end, "unsplittable")
                break
            self._piece(default, begin, stop, depth)
        self.alternative = around
        if self.seen == before and self.body[start:end].strip() != delimiter + b"--":
            self._keep(content_type, start, end, "unsplittable")  # ended before it began

    def _piece(self, default: str, start: int, end: int, depth: int) -> None:
        head, content = head_and_content(self.body, start, end)
        content_type, parameters = default, NO_PARAMETERS
        content_id = disposition = encoding = ""
        for name, value in _fields(head) if head else ():
            if name == "content-type":
                content_type, parameters = parse_media_type(value)
            elif name == "content-id":
                content_id = value
            elif name == "content-disposition":
                disposition = value
            elif name == "content-transfer-encoding":
                encoding = value
        if content_type.startswith("multipart/"):
            self.split(content_type, parameters, content, end, depth + 1)
            return
        data = self.body[content:end]
        self.parts.append(
            _part(
                content_type, parameters, content_id, disposition, encoding, data, "",
                self.alternative,
            )
        )  # fmt: skip

    def _keep(self, content_type: str, start: int, end: int, flag: str) -> None:
        if start < end and len(self.parts) < MAX_PARTS:
            data = self.body[start:end]
            self.parts.append(_part(content_type, NO_PARAMETERS, "", "", "", data, flag))


def _fields(head: bytes) -> list[tuple[str, str]]:
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
    flag: str,
    alternative: int = 0,
) -> Part:
    if encoding:
        plain = transfer_decoded(encoding, data)
        if plain is None:
            flag = flag or "undecodable"
        else:
            data = plain
    size = len(data)
    digest = sha256(data).digest()
    if size > SOFT_LIMIT:
        data = data[:SOFT_LIMIT]
        flag = flag or "truncated"
    return Part(
        content_type,
        _storable(parameters["charset"].lower()) if "charset" in parameters else "",
        _storable(content_id.strip("<> \t")) if content_id else "",
        _storable(disposition) if disposition else "",
        data,
        size,
        digest,
        flag,
        alternative,
        _name(disposition, parameters),
    )


def _name(disposition: str, parameters: dict[str, str]) -> str:
    if not disposition and len(parameters) <= ("charset" in parameters):  # as most parts are
        return ""
    return part_name(disposition, parameters)


def _storable(value: str) -> str:
    return value.replace("\0", "\ufffd")[:VALUE_LIMIT]
