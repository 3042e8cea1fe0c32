"""Bodies of requests, bounded in size and time, and of each peer in number before one is read."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

from transfer_api.problems import Problem, too_often

GRACE = 10.0  # seconds for the first byte, and for a body of any size
SLOWEST = 64 * 1024  # bytes a second, beyond that
LARGE = 64 * 1024
LARGE_OF_A_PEER = 4  # in memory at once; more of them wait
PATIENCE = 10.0

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]


class Gone(Exception):
    """The peer has closed the connection."""


class Body:
    """What came with a request; kept no longer than somebody works on it."""

    def __init__(self, content: bytes = b"", release: Callable[[], None] | None = None) -> None:
        self.content = content
        self._release = release

    def drop(self) -> None:
        """Forget it, so that another may come."""
        self.content = b""
        release, self._release = self._release, None
        if release is not None:
            release()


class Bodies:
    """Reads the bodies of all peers."""

    def __init__(self) -> None:
        self._large: dict[int, asyncio.Semaphore] = defaultdict(
            lambda: asyncio.Semaphore(LARGE_OF_A_PEER)
        )

    async def read(
        self, peer_id: int, headers: Iterable[tuple[bytes, bytes]], receive: Receive, most: int
    ) -> Body:
        """Read a body of at most `most` bytes; raises Problem 408, 413, 429, and Gone.

        One whose Content-Length is larger is not read at all, not even asked for (100 Continue).
        """
        length = _content_length(headers)
        if length is not None and length > most:
            raise _too_large(most)
        if length is not None and length <= LARGE:
            return Body(await _read(receive, most))
        slot = self._large[peer_id]
        try:
            async with asyncio.timeout(PATIENCE):
                await slot.acquire()
        except TimeoutError:
            raise too_often(1.0, "Too many large requests of yours are under way.") from None
        try:
            return Body(await _read(receive, most), slot.release)
        except BaseException:
            slot.release()
            raise


async def _read(receive: Receive, most: int) -> bytes:
    loop = asyncio.get_running_loop()
    begun, size, chunks = loop.time(), 0, []
    more = True
    while more:
        try:
            async with asyncio.timeout_at(begun + GRACE + size / SLOWEST):
                message = await receive()
        except TimeoutError:
            raise Problem(408, "The request's body comes too slowly.") from None
        if message["type"] != "http.request":
            raise Gone
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > most:
            raise _too_large(most)
        chunks.append(chunk)
        more = message.get("more_body", False)
    return b"".join(chunks)


def _content_length(headers: Iterable[tuple[bytes, bytes]]) -> int | None:
    """Return the declared length, 0 without a body, None where it is sent in chunks."""
    length: int | None = 0
    for name, value in headers:
        if name == b"content-length":
            length = int(value)  # the parser has let digits through alone
        elif name == b"transfer-encoding":
            return None
    return length


def _too_large(most: int) -> Problem:
    return Problem(413, f"The body is larger than {most:,} bytes.")
