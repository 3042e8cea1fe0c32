"""One HTTP request and its answer, bounded in everything that the other side could stretch.

httpcore speaks HTTP; the connection below it is ours: it goes to addresses that were checked, and
every wait on it ends with the errand's deadline, so that a drip of bytes buys nobody time. There
are no redirects, no proxies from the environment, no cookies and no connection that is kept.
"""

import ssl
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import httpcore

from psap.https.addresses import AddressRefused, NameUnknown, Reach, find_addresses
from psap.https.trust import CertificateRevoked, Trust, TrustBroken
from psap.https.urls import Target

LONGEST_NAME_LOOKUP = 4.0
LONGEST_CONNECT = 4.0
# As long as nothing else is said; httpcore ends header blocks at 100 KiB.
LARGEST_ANSWER = 1024 * 1024
LOOK_EVERY = 0.25
PIECE = 16 * 1024


class ExchangeFailed(Exception):
    """There is no answer to use: why in words, the HTTP status if any, and whether to try again.

    `sent`: whether anything of the request may have reached the server's HTTP.
    """

    def __init__(self, cause: str, *, again: bool, status: int | None = None) -> None:
        super().__init__(cause)
        self.cause, self.again, self.status = cause, again, status
        self.sent = True


class NotWanted(Exception):
    """Whoever asked wants the answer no longer."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete answer: `content_type` in lower case without parameters, `body` decoded."""

    status: int
    content_type: str
    body: bytes


def unreadable(encoding: str, content: bytes) -> None:
    """Refuse every content encoding: we asked for none."""


@dataclass(frozen=True, slots=True)
class Terms:
    """On what terms somebody is asked; `deadline` is monotonic time, `largest` in bytes.

    `decoded` undoes a content encoding, None for one that cannot be undone. `wanted` is looked at
    while we wait for the answer; once it says no, we hang up.
    """

    trust: Trust
    reach: Reach
    deadline: float
    largest: int = LARGEST_ANSWER
    decoded: Callable[[str, bytes], bytes | None] = unreadable
    wanted: Callable[[], bool] | None = None


def exchange(
    method: str,
    target: Target,
    terms: Terms,
    *,
    headers: Mapping[str, str],
    content: bytes = b"",
) -> Answer:
    """Ask, and return the answer whatever its status is but a redirection.

    Raises ExchangeFailed.
    """
    connection = _Connection()
    try:
        return _exchange(method, target, terms, connection, headers, content)
    except ExchangeFailed as error:
        error.sent = connection.sent
        raise


class _Connection:
    """What became of the one connection that a request has."""

    def __init__(self) -> None:
        self.sent = False


def _exchange(
    method: str,
    target: Target,
    terms: Terms,
    connection: _Connection,
    headers: Mapping[str, str],
    content: bytes,
) -> Answer:
    try:
        patience = min(LONGEST_NAME_LOOKUP, _left(terms.deadline))
        addresses = find_addresses(target.host, reach=terms.reach, patience=patience)
        context = terms.trust.context() if target.scheme == "https" else None
        with httpcore.ConnectionPool(
            ssl_context=context,
            max_connections=1,
            max_keepalive_connections=0,
            network_backend=_Network(addresses, terms, connection),
        ) as pool:
            url = httpcore.URL(
                scheme=target.scheme.encode(),
                host=target.host.encode(),
                port=target.port,
                target=target.path.encode(),
            )
            sent = {"Accept-Encoding": "identity", "Connection": "close", **headers}
            with pool.stream(method, url, headers=list(sent.items()), content=content) as answer:
                return _read(answer, terms)
    except (NameUnknown, httpcore.TimeoutException) as error:
        raise ExchangeFailed(str(error) or "no answer in time", again=True) from error
    except (AddressRefused, TrustBroken, NotWanted) as error:
        raise ExchangeFailed(str(error), again=False) from error
    except CertificateRevoked as error:
        raise ExchangeFailed("the server's certificate is revoked", again=False) from error
    except (httpcore.NetworkError, httpcore.ProtocolError, ssl.SSLError, OSError) as error:
        raise _failure(error) from error


def _failure(error: BaseException) -> ExchangeFailed:
    reason: BaseException | None = error
    while reason is not None and not isinstance(reason, ssl.SSLError):
        reason = reason.__cause__ or reason.__context__
    if isinstance(reason, ssl.SSLCertVerificationError):
        words = f"the server's certificate is not believed: {reason.verify_message}"
        return ExchangeFailed(words, again=False)
    if isinstance(reason, ssl.SSLError):
        return ExchangeFailed(f"no TLS: {reason.reason or 'handshake failed'}", again=True)
    if isinstance(error, httpcore.ProtocolError):
        return ExchangeFailed("the answer is no HTTP", again=True)
    return ExchangeFailed("no connection", again=True)


def _read(answer: httpcore.Response, terms: Terms) -> Answer:
    status = answer.status
    if 300 <= status < 400:
        raise ExchangeFailed(
            "the server redirects, which is not followed", again=False, status=status
        )
    headers = {name.lower(): value for name, value in answer.headers}
    body = bytearray()
    for chunk in answer.iter_stream():
        body += chunk
        if len(body) > terms.largest:
            raise ExchangeFailed("the answer is too large", again=False, status=status)
    content: bytes | None = bytes(body)
    if encoding := headers.get(b"content-encoding", b"").decode("latin-1").strip():
        content = terms.decoded(encoding, bytes(body))
        if content is None or len(content) > terms.largest:
            raise ExchangeFailed("the answer cannot be unpacked", again=False, status=status)
    kind = headers.get(b"content-type", b"").decode("latin-1").partition(";")[0]
    return Answer(status, kind.strip().lower(), content or b"")


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout("no answer in time")
    return left


class _Network(httpcore.NetworkBackend):
    """Connects to the checked addresses, whatever name is asked for."""

    def __init__(self, addresses: list[str], terms: Terms, connection: _Connection) -> None:
        self._addresses, self._terms, self._connection = addresses, terms, connection
        self._sockets = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        failure: Exception = httpcore.ConnectError("no address")
        for address in self._addresses:
            patience = min(LONGEST_CONNECT, _left(self._terms.deadline))
            try:
                stream = self._sockets.connect_tcp(address, port, timeout=patience)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
                continue
            return _Stream(stream, self._terms, self._connection)
        raise failure


class _Stream(httpcore.NetworkStream):
    """A connection whose every wait ends at the deadline."""

    def __init__(
        self, stream: httpcore.NetworkStream, terms: Terms, connection: _Connection
    ) -> None:
        self._stream, self._terms, self._connection = stream, terms, connection

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        wanted = self._terms.wanted
        if wanted is None:
            return self._stream.read(max_bytes, timeout=_left(self._terms.deadline))
        while wanted():
            try:
                patience = min(LOOK_EVERY, _left(self._terms.deadline))
                return self._stream.read(max_bytes, timeout=patience)
            except httpcore.ReadTimeout:
                _left(self._terms.deadline)
        raise NotWanted("nobody waits for the answer any more")

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._connection.sent = True  # TLS is there by now: what is written is the request
        for start in range(0, len(buffer), PIECE):  # whoever reads slowly gets no more time
            self._stream.write(buffer[start : start + PIECE], timeout=_left(self._terms.deadline))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        stream = self._stream.start_tls(
            ssl_context, server_hostname, timeout=_left(self._terms.deadline)
        )
        try:
            shown = stream.get_extra_info("ssl_object").getpeercert(True)
            self._terms.trust.check_not_revoked(shown)
        except BaseException:
            stream.close()
            raise
        return _Stream(stream, self._terms, self._connection)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
