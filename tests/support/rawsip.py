"""Send bytes as they are to a SIP port and see what comes back, over UDP or TCP."""

import asyncio
import secrets
from collections.abc import Callable
from typing import Self

from sipgateway.simulator.agent import MAGIC_COOKIE
from sipgateway.simulator.message import SipMessage, encode_request, encode_response, parse_message
from sipgateway.simulator.transport import Answer, Link, Target, open_link


class RawSip:
    """One socket; use as an async context manager.

    The PSAP's own requests are kept in `requests` (their bytes in `raw_requests`) and answered
    with `answer_status`, 200 unless `answer_requests` is off and None for silence; all responses
    are in `responses`, in order of arrival. Nothing is ever repeated here.
    """

    def __init__(self, target: Target, *, answer_requests: bool = True) -> None:
        self.requests: list[SipMessage] = []
        self.raw_requests: list[bytes] = []
        self.responses: list[SipMessage] = []
        self._target = target
        self.answer_status: int | None = 200 if answer_requests else None
        self._arrived = asyncio.Event()
        self._link: Link

    async def __aenter__(self) -> Self:
        self._link = await open_link(self._target, self._received)
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._link.close()

    @property
    def local(self) -> tuple[str, int]:
        """Our address and port."""
        return self._link.local

    def send(self, data: bytes) -> None:
        """Send bytes as they are: a datagram, or the next bytes of the stream."""
        self._link.send(data)

    def answer(self, request: SipMessage, status: int = 200) -> None:
        """Send the final response to a request of the PSAP's."""
        self._link.send(encode_response(request, status, "raw"))

    def close(self) -> None:
        """Close the socket; an app that lost its network."""
        self._link.close()

    async def exchange(self, data: bytes, within: float = 5.0) -> SipMessage:
        """Send one request and return its final response, matched by branch; raises TimeoutError.

        A request without a branch, or one that is broken, gets the next final response there is.
        """
        branch, first = _branch(data), len(self.responses)
        self.send(data)
        await self.until(
            lambda: any(self._is_final(r, branch) for r in self.responses[first:]), within
        )
        return next(r for r in self.responses[first:] if self._is_final(r, branch))

    async def until(self, condition: Callable[[], bool], within: float = 5.0) -> None:
        """Wait until a condition on `requests` or `responses` holds; raises TimeoutError."""
        async with asyncio.timeout(within):
            while not condition():
                self._arrived.clear()
                await self._arrived.wait()

    async def closed(self, within: float = 5.0) -> None:
        """Wait until the other side has closed the connection; raises TimeoutError."""
        async with asyncio.timeout(within):
            await asyncio.shield(self._link.lost)

    @staticmethod
    def _is_final(response: SipMessage, branch: str) -> bool:
        return response.status >= 200 and (not branch or response.branch in ("", branch))

    def _received(self, data: bytes, send: Answer) -> None:
        message = parse_message(data)
        if message.is_response:
            self.responses.append(message)
        else:
            self.requests.append(message)
            self.raw_requests.append(data)
            if self.answer_status is not None and message.method != "ACK":
                send(encode_response(message, self.answer_status, "raw"))
        self._arrived.set()


def make_message(
    *,
    call_info: tuple[str, ...] = (),
    body: bytes = b"Hilfe",
    content_type: str = "text/plain;charset=utf-8",
    uri: str = "sip:112@example.org",
    from_uri: str = "sip:+436645550001@example.org",
    method: str = "MESSAGE",
    transport: str = "UDP",
    headers: tuple[tuple[str, str], ...] = (),
    branch: str = "",
    from_tag: str = "",
    call_id: str = "",
    cseq: int = 1,
) -> bytes:
    """Write a request with fresh branch, tag and Call-ID where none are given.

    `call_info` are whole Call-Info values, `call_id` is SIP's.
    """
    lines = [
        (
            "Via",
            f"SIP/2.0/{transport} client.invalid:5060;rport;"
            f"branch={branch or MAGIC_COOKIE + secrets.token_hex(8)}",
        ),
        ("Max-Forwards", "70"),
        ("To", f"<{uri}>"),
        ("From", f"<{from_uri}>;tag={from_tag or secrets.token_hex(4)}"),
        ("Call-ID", call_id or secrets.token_hex(8)),
        ("CSeq", f"{cseq} {method}"),
        *(("Call-Info", value) for value in call_info),
        ("Content-Type", content_type),
        *headers,
    ]
    return encode_request(method, uri, lines, body)


def _branch(data: bytes) -> str:
    try:
        return parse_message(data).branch
    except ValueError:
        return ""
