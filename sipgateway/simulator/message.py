"""SIP messages as an app's stack writes and reads them (RFC 3261 7.3, 18.3, 20)."""

import re
from dataclasses import dataclass

COMPACT_FORMS = {
    "c": "content-type",
    "e": "content-encoding",
    "f": "from",
    "i": "call-id",
    "k": "supported",
    "l": "content-length",
    "m": "contact",
    "s": "subject",
    "t": "to",
    "v": "via",
}
REASONS = {
    200: "OK",
    202: "Accepted",
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    480: "Temporarily Unavailable",
    481: "Call/Transaction Does Not Exist",
    486: "Busy Here",
    500: "Server Internal Error",
    503: "Service Unavailable",
}
_FOLD = re.compile(rb"\r\n[ \t]+")
_STATUS_LINE = re.compile(r"SIP/2\.0 ([1-6]\d\d) ?(.*)")
_REQUEST_LINE = re.compile(r"([A-Za-z0-9.!%*_+`'~-]+) (\S+) SIP/2\.0")


class SipSyntaxError(ValueError):
    """Bytes that are no SIP message."""


@dataclass(frozen=True, slots=True)
class SipMessage:
    """One request or response: header names in lower case and full form, values unfolded."""

    method: str
    uri: str
    status: int
    reason: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def is_response(self) -> bool:
        return self.status > 0

    @property
    def branch(self) -> str:
        """Branch of the topmost Via, empty when there is none."""
        vias = self.values("via")
        return parameter(vias[0], "branch") if vias else ""

    def header(self, name: str) -> str:
        """First header line of that name (lower case), empty when there is none."""
        for known, value in self.headers:
            if known == name:
                return value
        return ""

    def has(self, name: str) -> bool:
        return any(known == name for known, _ in self.headers)

    def values(self, name: str) -> list[str]:
        """All values of a comma-separated header, across its lines."""
        return [
            item for known, value in self.headers if known == name for item in split_list(value)
        ]


def split_list(value: str) -> list[str]:
    """Split at commas that stand outside quotes and angle brackets (RFC 3261 7.3.1)."""
    items, start, quoted, depth, skip = [], 0, False, 0, False
    for position, char in enumerate(value):
        if skip:
            skip = False
        elif quoted:
            skip, quoted = char == "\\", char != '"'
        elif char == '"':
            quoted = True
        elif char in "<>":
            depth = char == "<"
        elif char == "," and not depth:
            items.append(value[start:position].strip())
            start = position + 1
    items.append(value[start:].strip())
    return [item for item in items if item]


def parameter(value: str, name: str) -> str:
    """Return a header parameter that stands behind the URI, empty when there is none."""
    tail = value.rsplit(">", 1)[-1]
    found = re.search(rf';\s*{re.escape(name)}\s*=\s*"?([^\s;,"]*)', tail, re.IGNORECASE)
    return found[1] if found else ""


def parse_message(data: bytes) -> SipMessage:
    """Read one whole message; a body longer than its Content-Length is cut (RFC 3261 18.3).

    Raises SipSyntaxError, for a body shorter than announced too.
    """
    head, separator, body = data.lstrip(b"\r\n").partition(b"\r\n\r\n")
    if not separator:
        raise SipSyntaxError("no empty line behind the headers")
    try:
        first, *lines = _FOLD.sub(b" ", head).decode().split("\r\n")
    except UnicodeDecodeError as error:
        raise SipSyntaxError("the headers are not UTF-8") from error
    headers = tuple(_header(line) for line in lines)
    announced = next((value for name, value in headers if name == "content-length"), str(len(body)))
    if not announced.isascii() or not announced.isdigit() or int(announced) > len(body):
        raise SipSyntaxError(f"Content-Length {announced[:20]!r} with {len(body)} bytes of body")
    body = body[: int(announced)]
    if found := _STATUS_LINE.fullmatch(first):
        return SipMessage("", "", int(found[1]), found[2], headers, body)
    if found := _REQUEST_LINE.fullmatch(first):
        return SipMessage(found[1], found[2], 0, "", headers, body)
    raise SipSyntaxError(f"no start line: {first[:60]!r}")


def _header(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    name = name.strip().lower()
    if not colon or not name:
        raise SipSyntaxError(f"no header line: {line[:60]!r}")
    return COMPACT_FORMS.get(name, name), value.strip()


def encode_request(method: str, uri: str, headers: list[tuple[str, str]], body: bytes) -> bytes:
    """Write a request; Content-Length is added."""
    lines = [f"{method} {uri} SIP/2.0", *(f"{name}: {value}" for name, value in headers)]
    lines.append(f"Content-Length: {len(body)}\r\n\r\n")
    return "\r\n".join(lines).encode() + body


def encode_response(request: SipMessage, status: int, to_tag: str) -> bytes:
    """Answer a request with copies of Via, From, To, Call-ID and CSeq (RFC 3261 8.2.6.2)."""
    lines = [f"SIP/2.0 {status} {REASONS.get(status, 'Whatever')}"]
    for name, value in request.headers:
        if name in ("via", "from", "call-id", "cseq"):
            lines.append(f"{name.title()}: {value}")
        elif name == "to":
            lines.append(f"To: {value}" + ("" if parameter(value, "tag") else f";tag={to_tag}"))
    if status == 405 or request.method == "OPTIONS":
        lines += ["Allow: MESSAGE, OPTIONS", "Accept: text/plain, multipart/mixed"]
    lines.append("Content-Length: 0\r\n\r\n")
    return "\r\n".join(lines).encode()
