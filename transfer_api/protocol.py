"""HTTP/1.1 with peers: uvicorn's protocol, with what TLS knows of the peer, and bounds on heads.

The verified certificate stands in the ASGI scope, as the TLS extension of ASGI has it. A head has
10 s and 32 KiB; without a request a connection is closed after that time too.
"""

import asyncio
import ssl
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from transfer_api.callers import PROXIED
from transfer_api.problems import CONTENT_TYPE, Problem

HEAD_TIMEOUT = 10.0
LARGEST_HEAD = 32 * 1024
LARGEST_READ = 256 * 1024  # what asyncio hands over at once
TOO_LARGE = f"The request's head is larger than {LARGEST_HEAD} bytes."
HANG_UP = "leitstand.hang-up"  # in a scope's extensions: ends the connection at once
REFUSED = "leitstand.refused"  # in a scope's extensions: says that the answer was a refusal
_VERSIONS = {"TLSv1.2": 0x0303, "TLSv1.3": 0x0304}


class HeadTooLarge(Exception):
    """There is more before the body than any request needs."""


class PeerProtocol(HttpToolsProtocol):
    """One connection; `ended` is called when it is gone.

    `proxied`: a TLS proxy of ours is at the other end, which names certificates in Client-Cert.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        *,
        proxied: bool,
        ended: "Callable[[PeerProtocol], None]",
    ) -> None:
        super().__init__(config, server_state, {}, asyncio.get_running_loop())
        self._proxied = proxied
        self._ended = ended
        self._extensions: dict[str, Any] = {}
        self._in_head = self._is_refused = False
        self._head_size = self._fed = 0
        self._refused = 400
        self._head_due: asyncio.TimerHandle | None = None

    @property
    def is_idle(self) -> bool:
        """Whether no request waits for its answer."""
        return self.cycle is None or self.cycle.response_complete

    @property
    def is_expendable(self) -> bool:
        """Whether closing it breaks nothing off: who was refused has its answer."""
        return self.is_idle or self._is_refused

    def abort(self) -> None:
        """Close it at once; whoever works on its request is told."""
        if self.transport is not None:
            self.transport.abort()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._extensions = {PROXIED: {}} if self._proxied else _extensions_of(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._have_head()
        super().connection_lost(exc)
        self._ended(self)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        super().data_received(data)
        if self._in_head:  # the parser keeps what it has of a header until that is whole
            self._fed += len(data)
            if self._fed > LARGEST_READ + LARGEST_HEAD and not self.transport.is_closing():
                self._refused = 431
                self.send_400_response(TOO_LARGE)
        if self._head_due is None and self.is_idle and not self.transport.is_closing():
            self._await_head()  # bytes of no request hold a connection no longer than none

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head, self._head_size, self._fed = True, 0, 0
        self._await_head()

    def on_url(self, url: bytes) -> None:
        self._grow_head(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._grow_head(len(name) + len(value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._have_head()
        self._in_head = False
        self._is_refused = False
        self.scope["extensions"] = self._extensions | {HANG_UP: self.abort, REFUSED: self._refuse}
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """Say what is wrong with a head, and close."""
        if not self.is_idle:  # an answer would end up within another
            self.transport.close()
            return
        problem = Problem(self._refused, TOO_LARGE if self._refused == 431 else msg)
        body = problem.body
        head = (
            f"HTTP/1.1 {problem.status} {HTTPStatus(problem.status).phrase}\r\n"
            f"Content-Type: {CONTENT_TYPE}\r\nContent-Length: {len(body)}\r\n"
            "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
            "Connection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()

    def _refuse(self) -> None:
        self._is_refused = True

    def _grow_head(self, more: int) -> None:
        self._head_size += more
        if self._head_size > LARGEST_HEAD:
            self._refused = 431
            raise HeadTooLarge

    def _await_head(self) -> None:
        self._have_head()
        self._head_due = self.loop.call_later(HEAD_TIMEOUT, self._head_is_late)

    def _have_head(self) -> None:
        if self._head_due is not None:
            self._head_due.cancel()
            self._head_due = None

    def _head_is_late(self) -> None:
        self._head_due = None
        if not self.is_idle:  # it came early, behind another request
            self._await_head()
        elif self._in_head:
            self._refused = 408
            self.send_400_response(f"The request's head did not come within {HEAD_TIMEOUT:.0f} s.")
        else:
            self.transport.close()


def _extensions_of(transport: asyncio.Transport) -> dict[str, Any]:
    """https://asgi.readthedocs.io/en/latest/specs/tls.html"""
    tls: ssl.SSLObject | None = transport.get_extra_info("ssl_object")
    if tls is None:
        return {}
    der = tls.getpeercert(True)
    return {
        "tls": {
            "server_cert": None,
            "client_cert_chain": [ssl.DER_cert_to_PEM_cert(der)] if der else [],
            "client_cert_name": None,
            "client_cert_error": None,
            "tls_version": _VERSIONS.get(tls.version() or ""),
            "cipher_suite": None,
        }
    }
