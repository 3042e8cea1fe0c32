"""SIP requests and responses, from and to bytes (RFC 3261 7, 18.3; RFC 3428).

Liberal in what is taken: a MESSAGE is refused only when it cannot be answered or when its body
cannot be told from what follows it. Invalid UTF-8 becomes U+FFFD in `headers`, while an answer
echoes the caller's header fields byte for byte.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import blake2b

from sipgateway.protocol.addresses import tag_of
from sipgateway.protocol.errors import RemoteProtocolError
from sipgateway.protocol.headers import Headers
from sipgateway.protocol.overload import Report, stamped_with_report
from sipgateway.protocol.reasons import reason_phrase
from sipgateway.protocol.via import stamped_via

__all__ = [
    "Headers",
    "Request",
    "Response",
    "make_response",
    "parse_message",
    "reason_phrase",
]

MAX_MESSAGE = 16 * 1024 * 1024
MAX_HEADER_BLOCK = 64 * 1024
MAX_HEADER_LINE = 16 * 1024
MAX_HEADER_LINES = 256

_NEEDED_FOR_AN_ANSWER = ("via", "from", "to", "call-id", "cseq")
_ECHOED = ("From", "To", "Call-ID", "CSeq")
_FOLD = re.compile(r"\r\n[ \t]+")
_TOKEN = re.compile(r"[A-Za-z0-9.!%*_+`'~-]+")
_USUAL_VERSION = "SIP/2.0"


@dataclass(slots=True, eq=False)
class Request:
    """A SIP request; `raw` is the message as it came, empty for one that we made."""

    method: str
    uri: str
    headers: Headers
    body: bytes = b""
    raw: bytes = b""
    verbatim: Headers | None = field(default=None, repr=False)
    """The header fields to echo, where decoding changed them (bytes as surrogate escapes)."""

    def encode(self) -> bytes:
        """The request as bytes; one that arrived is given back as it came."""
        if self.raw:
            return self.raw
        return _encode(f"{self.method} {self.uri} SIP/2.0\r\n", self.headers, self.body)


@dataclass(slots=True, eq=False)
class Response:
    """A SIP response."""

    status: int
    reason: str
    headers: Headers
    body: bytes = b""

    def encode(self) -> bytes:
        """The response as bytes."""
        return _encode(f"SIP/2.0 {self.status} {self.reason}\r\n", self.headers, self.body)


def _encode(start: str, headers: Headers, body: bytes) -> bytes:
    head = (start + headers.encode() + "\r\n").encode("utf-8", "surrogateescape")
    return head + body if body else head


def parse_message(data: bytes) -> Request | Response:
    """One complete message from a datagram or a frame of a stream.

    Without Content-Length the body is all that follows the header block; bytes beyond it are cut
    off (RFC 3261 18.3). Raises RemoteProtocolError with 400, 413 or 505.
    """
    if len(data) > MAX_MESSAGE:
        raise RemoteProtocolError(413, reason_phrase(413), request_of_header_block(data))
    raw = data
    if data[:1] in (b"\r", b"\n"):
        data = data.lstrip(b"\r\n")
    end, body_at = header_block_end(data)
    if end > MAX_HEADER_BLOCK:
        raise RemoteProtocolError(413, "Header block too large", request_of_header_block(data))
    block = data[:end]
    lines, verbatim_lines = _lines_of(block)
    if end > MAX_HEADER_LINE and max(map(len, lines)) > MAX_HEADER_LINE:
        raise RemoteProtocolError(413, "Header line too long", request_of_header_block(data))
    if len(lines) > MAX_HEADER_LINES + 1:
        raise RemoteProtocolError(400, "Too many header lines", request_of_header_block(data))
    start = lines[0]
    headers = Headers.from_lines(lines[1:])
    verbatim = Headers.from_lines(verbatim_lines[1:]) if verbatim_lines is not None else None
    if start[:4].upper() == "SIP/":
        status, reason = _status_line(start)
        for name in ("via", "cseq"):
            if headers.get(name) is None:
                raise RemoteProtocolError(400, f"Missing {name} in a response")
        return Response(status, reason, headers, _body_of(data, body_at, headers, None))
    method, uri, fault = _request_line(start)
    request = Request(method, uri, headers, b"", raw, verbatim)
    if fault is not None:
        raise RemoteProtocolError(fault.status, fault.reason, _if_answerable(request))
    for name in _NEEDED_FOR_AN_ANSWER:
        if headers.get(name) is None:
            raise RemoteProtocolError(400, f"Missing {name.title()}", _if_answerable(request))
    request.body = _body_of(data, body_at, headers, request)
    return request


def header_block_end(data: bytes | bytearray, start: int = 0) -> tuple[int, int]:
    """Where the header block ends and where the body starts; both at the end when it is open.

    Lines that end in a bare LF are accepted when the first line does.
    """
    first = data.find(b"\n", start)
    if first > start and data[first - 1] == 13:
        end = data.find(b"\r\n\r\n", start)
        if end >= 0:
            return end, end + 4
    elif first >= 0:
        end = data.find(b"\n\n", start)
        if end >= 0:
            return end, end + 2
    return len(data), len(data)


def _lines_of(block: bytes) -> tuple[list[str], list[str] | None]:
    """The unfolded lines of a header block, and the same undecoded where decoding lost bytes."""
    try:
        text = block.decode()
        if "\0" not in text:
            return _unfolded(text), None
    except UnicodeDecodeError:
        text = block.decode(errors="replace")
    verbatim = block.decode("utf-8", "surrogateescape")
    return _unfolded(text.replace("\0", "\ufffd")), _unfolded(verbatim)


def _unfolded(text: str) -> list[str]:
    lines = text.count("\r\n")
    if text.count("\n") != lines or text.count("\r") != lines:
        # A lone CR or LF ends a line too: left inside a value it would end one in our answer.
        text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n")
    if "\r\n " in text or "\r\n\t" in text:
        text = _FOLD.sub(" ", text)
    return text.split("\r\n")


def _request_line(start: str) -> tuple[str, str, RemoteProtocolError | None]:
    pieces = start.split(" ")
    if len(pieces) != 3:
        pieces = start.split()
        if len(pieces) > 3:  # blanks around or within the URI (RFC 4475 3.1.2.7)
            pieces = [pieces[0], " ".join(pieces[1:-1]), pieces[-1]]
    if len(pieces) != 3 or _TOKEN.fullmatch(pieces[0]) is None:
        raise RemoteProtocolError(400, "Bad request line")
    method, uri, version = pieces
    if version != _USUAL_VERSION and version.upper() != _USUAL_VERSION:
        if version[:4].upper() != "SIP/":
            raise RemoteProtocolError(400, "Bad request line")
        return method, uri, RemoteProtocolError(505, reason_phrase(505))
    if not uri:
        return method, uri, RemoteProtocolError(400, "Missing Request-URI")
    return method, uri, None


def _status_line(start: str) -> tuple[int, str]:
    version, _, rest = start.partition(" ")
    code, _, reason = rest.strip().partition(" ")
    if version.upper() != _USUAL_VERSION:
        raise RemoteProtocolError(505, "Bad version in a response")
    if len(code) != 3 or not (code.isascii() and code.isdigit()) or not "1" <= code[0] <= "6":
        raise RemoteProtocolError(400, "Bad status line")
    return int(code), reason.strip()


def _body_of(data: bytes, body_at: int, headers: Headers, request: Request | None) -> bytes:
    try:
        length = content_length(headers.get_all("content-length"))
    except RemoteProtocolError as error:
        error.request = request
        raise
    available = len(data) - body_at
    if length is None or length == available:
        return data[body_at:]
    if length > MAX_MESSAGE:
        raise RemoteProtocolError(413, reason_phrase(413), request)
    if length > available:
        raise RemoteProtocolError(400, "Body shorter than Content-Length", request)
    return data[body_at : body_at + length]


def content_length(values: list[str]) -> int | None:
    """The length that all given Content-Length values agree on, None when there is none."""
    if not values:
        return None
    length = values[0]
    if len(values) > 1 and any(value != length for value in values):
        raise RemoteProtocolError(400, "Contradicting Content-Length")
    if not (length.isascii() and length.isdigit()):
        raise RemoteProtocolError(400, "Bad Content-Length")
    return int(length) if len(length) <= 30 else MAX_MESSAGE + 1


def _if_answerable(request: Request) -> Request | None:
    headers = request.headers
    has_way_back = headers.get("via") is not None and headers.get("cseq") is not None
    return request if has_way_back else None


def request_of_header_block(data: bytes) -> Request | None:
    """The request line and header fields that fit the limits, for the answer to one too large."""
    end, _ = header_block_end(data[: MAX_HEADER_BLOCK + 4])
    lines, verbatim = _lines_of(data[: min(end, MAX_HEADER_BLOCK)].lstrip(b"\r\n"))
    try:
        method, uri, _ = _request_line(lines[0])
    except RemoteProtocolError:
        return None
    keep = [at for at in range(1, len(lines)) if len(lines[at]) <= MAX_HEADER_LINE]
    keep = keep[:MAX_HEADER_LINES]
    headers = Headers.from_lines([lines[at] for at in keep])
    echo = Headers.from_lines([verbatim[at] for at in keep]) if verbatim is not None else None
    return _if_answerable(Request(method, uri, headers, b"", b"", echo))


def make_response(
    request: Request,
    status: int,
    reason: str | None = None,
    *,
    to_tag: str | None = None,
    headers: Iterable[tuple[str, str]] = (),
    body: bytes = b"",
    source: tuple[str, int] | None = None,
    report: Report | None = None,
) -> Response:
    """The answer to a request (RFC 3261 8.2.6.2): Via, From, To, Call-ID and CSeq copied.

    A To without a tag gets `to_tag`; None derives one from the request, so that a repeated
    request gets the same, and "" leaves it off. With `source`, the (address, port) that the
    request came from, the top Via gets `received` and `rport` (RFC 3261 18.2.1, RFC 3581); with
    `report` what the client shall hold back (RFC 7339).
    """
    echo = request.verbatim or request.headers
    vias = echo.get_all("via")
    if source is not None and vias:
        vias[0] = stamped_via(vias[0], *source)
    if report is not None and vias:
        vias[0] = stamped_with_report(vias[0], report)
    items = [("Via", via) for via in vias]
    for name in _ECHOED:
        value = echo.get(name)
        if value is None:
            continue
        if name == "To" and to_tag != "" and not tag_of(value):
            value = f"{value};tag={to_tag or _derived_tag(request)}"
        items.append((name, value))
    items.extend(headers)
    items.append(("Content-Length", str(len(body))))
    if reason is None:
        reason = reason_phrase(status)
    return Response(status, reason, Headers(items), body)


def _derived_tag(request: Request) -> str:
    names = ("via", "from", "call-id", "cseq")
    text = "\0".join([request.headers.get(name) or "" for name in names])
    return blake2b(text.encode(errors="replace"), digest_size=8).hexdigest()
