"""Where the parts of a multipart body stand (RFC 2046 5.1.1), found without copying.

Liberal: bare line feeds, a missing final delimiter and a missing or wrong boundary parameter are
forgiven as long as the body starts with a delimiter.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_LF = 10
_MAX_PADDING = 100
_MAX_HEADERS = 8 * 1024
_FIELD_NAME = re.compile(rb"[!-9;-~]+[ \t]*:")
_MIME_FIELD = re.compile(rb"content-[!-9;-~]+[ \t]*:", re.IGNORECASE)


def delimiter_of(body: bytes, boundary: str, start: int, end: int) -> bytes | None:
    """The delimiter that the body is really cut by; None when there is none."""
    if boundary:
        delimiter = b"--" + boundary.rstrip().encode("utf-8", "replace")
        if body.startswith(delimiter + b"\r\n", start):
            return delimiter
        for _ in _delimiters(body, delimiter, start, end):
            return delimiter
    first = body[start : start + 200].lstrip(b"\r\n").partition(b"\n")[0].rstrip()
    return first if len(first) > 2 and first.startswith(b"--") else None


def pieces(body: bytes, delimiter: bytes, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The (start, end) of what stands between delimiters, from the line end of the first on."""
    begin = -1
    for at, after, final in _delimiters(body, delimiter, start, end):
        if begin >= 0:
            yield begin, _before_line_end(body, begin, at)
        begin = after
        if final:
            return
    if begin >= 0:  # the final delimiter is missing
        yield begin, end


def _delimiters(
    body: bytes, delimiter: bytes, start: int, end: int
) -> Iterator[tuple[int, int, bool]]:
    """Each delimiter line: where it starts, where its marker ends, whether it is the final one."""
    at = body.find(delimiter, start, end)
    while at >= 0:
        after = at + len(delimiter)
        if at == start or body[at - 1] == _LF:
            ending = body[after : after + 2]
            if ending == b"--":
                yield at, after, True
                return
            if ending == b"\r\n":
                yield at, after, False
            else:
                tail = body[after : min(after + _MAX_PADDING, end)].lstrip(b" \t")
                if not tail or tail[:1] == b"\n" or tail[:2] == b"\r\n":
                    yield at, after, False
        at = body.find(delimiter, after, end)


def _before_line_end(body: bytes, begin: int, at: int) -> int:
    """The end of content that a delimiter at `at` follows: its line end belongs to the latter."""
    if at - 2 >= begin and body[at - 2 : at] == b"\r\n":
        return at - 2
    return max(at - 1, begin)


def head_and_content(body: bytes, start: int, end: int) -> tuple[bytes, int]:
    """Header fields of a piece (b"" for none) and where its content starts.

    Text without a blank line before it is content: better a stray header on the screen than a
    call for help taken for one.
    """
    line_end = body.find(b"\n", start, end)
    if line_end < 0:
        return b"", end
    separator = b"\r\n\r\n" if body[line_end - 1] == 13 and line_end > start else b"\n\n"
    first = line_end + 1
    blank = body.find(separator, line_end + 1 - len(separator) // 2, min(end, first + _MAX_HEADERS))
    if blank >= 0:
        content = blank + len(separator)
        if content == first + len(separator) // 2:
            return b"", content
        if _FIELD_NAME.match(body, first, end) is not None:
            return body[first:blank], content
    elif end - first <= _MAX_HEADERS and _MIME_FIELD.match(body, first, end) is not None:
        return body[first:end], end
    return b"", first
