"""Messages out of a stream of bytes (RFC 3261 18.3, RFC 5626 4.4.1).

The framer keeps at most one message and what was fed beyond it, and looks at each byte a bounded
number of times, however the bytes are cut into segments.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from sipgateway.protocol.errors import RemoteProtocolError
from sipgateway.protocol.message import (
    MAX_HEADER_BLOCK,
    MAX_MESSAGE,
    Request,
    content_length,
    reason_phrase,
    request_of_header_block,
)

SKIPPABLE = 1024 * 1024 * 1024
"""Longest body that is read and thrown away to keep a connection; beyond it we hang up."""

_LENGTH = re.compile(rb"\n(?:content-length|l)[ \t]*:((?:[^\r\n]|\r?\n[ \t])*)", re.IGNORECASE)
_BODY_TYPE = re.compile(rb"\n(?:content-type|c)[ \t]*:", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Frame:
    """One complete message: header block and body."""

    data: bytes


@dataclass(frozen=True, slots=True)
class KeepAlivePing:
    """A double CRLF between messages, to be answered with one CRLF (RFC 5626 4.4.1)."""


@dataclass(frozen=True, slots=True)
class Oversized:
    """A message beyond the limit: its header block; the body is skipped, the stream goes on."""

    data: bytes


@dataclass(frozen=True, slots=True)
class NeedData:
    """Nothing complete yet."""


Event = Frame | KeepAlivePing | Oversized | NeedData

_NEED_DATA = NeedData()
_PING = KeepAlivePing()


class StreamFramer:
    """Cuts a TCP or TLS stream into messages.

    Feed with `receive_data`, then call `next_event` until it gives NeedData. After it raised
    RemoteProtocolError nothing more can be read from the stream: answer if possible, and close.
    """

    def __init__(self, max_message: int = MAX_MESSAGE) -> None:
        self._max_message = max_message
        self._buffer = bytearray()
        self._scanned = 0  # no header block ends before here
        self._line_end = 0  # 0: first line not complete; 1: it ends in LF; 2: in CRLF
        self._wanted = 0  # length of the current message once its header block is known
        self._to_skip = 0  # bytes of an oversized body still to be thrown away
        self._broken: RemoteProtocolError | None = None

    @property
    def buffered(self) -> int:
        """Bytes that are kept."""
        return len(self._buffer)

    def receive_data(self, data: bytes) -> None:
        """Take the next bytes of the stream."""
        if self._to_skip:
            skipped = min(self._to_skip, len(data))
            self._to_skip -= skipped
            data = data[skipped:]
        self._buffer += data

    def next_event(self) -> Event:
        """The next message or keep-alive, NeedData when more bytes are wanted."""
        if self._broken is not None:
            raise self._broken
        buffer = self._buffer
        if not self._wanted:
            if self._scanned == 0 and buffer.startswith((b"\r", b"\n")):
                event = self._between_messages()
                if event is not None:
                    return event
            if not buffer:
                return _NEED_DATA
            event = self._header_block()
            if event is not None:
                return event
        if len(buffer) < self._wanted:
            return _NEED_DATA
        data = bytes(memoryview(buffer)[: self._wanted])
        self._start_over(self._wanted)
        return Frame(data)

    def _start_over(self, consumed: int) -> None:
        del self._buffer[:consumed]
        self._scanned = self._line_end = self._wanted = 0

    def _between_messages(self) -> Event | None:
        """Drop line ends before a message; two CRLF in a row are a ping."""
        buffer = self._buffer
        at, size = 0, len(buffer)
        while at < size and buffer[at] in b"\r\n":
            if buffer.startswith(b"\r\n\r\n", at):
                del buffer[: at + 4]
                return _PING
            if size - at < 4 and b"\r\n\r\n".startswith(buffer[at:]):
                break  # perhaps the first half of a ping
            at += 1
        waiting = at < size and buffer[at] in b"\r\n"
        del buffer[:at]
        return _NEED_DATA if waiting else None

    def _header_block(self) -> Event | None:
        """Look for the end of the header block; afterwards `_wanted` is known."""
        buffer = self._buffer
        if not self._line_end:
            first = buffer.find(b"\n", self._scanned, MAX_HEADER_BLOCK)
            if first < 0:
                self._scanned = len(buffer)
                return self._wait_for_header_block()
            self._line_end = 2 if first and buffer[first - 1] == 13 else 1
            self._scanned = 0
        separator = b"\r\n\r\n" if self._line_end == 2 else b"\n\n"
        width = len(separator)
        end = buffer.find(separator, max(self._scanned - width + 1, 0), MAX_HEADER_BLOCK + width)
        if end < 0:
            self._scanned = len(buffer)
            return self._wait_for_header_block()
        block = bytes(memoryview(buffer)[: end + width])
        length = self._body_length(block)
        wanted = len(block) + length
        if wanted <= self._max_message:
            self._wanted = wanted
            return None
        if length > SKIPPABLE:
            raise self._break(413, reason_phrase(413), block)
        here = min(wanted, len(buffer))
        self._start_over(here)
        self._to_skip = wanted - here
        return Oversized(block)

    def _wait_for_header_block(self) -> Event:
        if len(self._buffer) > MAX_HEADER_BLOCK:
            raise self._break(413, "Header block too large", bytes(self._buffer[:MAX_HEADER_BLOCK]))
        return _NEED_DATA

    def _body_length(self, block: bytes) -> int:
        values = [b" ".join(value.split()).decode("latin-1") for value in _LENGTH.findall(block)]
        try:
            length = content_length(values)
        except RemoteProtocolError as error:
            raise self._break(error.status, error.reason, block) from None
        if length is None:
            if _BODY_TYPE.search(block) is not None:
                # Taking the body for the next message would acknowledge a text and lose it.
                raise self._break(400, "Missing Content-Length", block)
            return 0
        return length

    def _break(self, status: int, reason: str, block: bytes) -> RemoteProtocolError:
        """The stream cannot be followed any further; what was buffered is dropped."""
        request: Request | None = request_of_header_block(block)
        self._broken = RemoteProtocolError(status, reason, request)
        self._buffer.clear()
        return self._broken
