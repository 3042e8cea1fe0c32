"""An HTTP server on a socket, with or without TLS, that answers as a test wants: well or hostile.

    with https_server(authority.issue("127.0.0.1"), respond(200, b"…")) as server:
        server.url("/path")         # https://127.0.0.1:43211/path
        server.requests[0].method   # what came, in order

An `Answer` gets the connection and the request, and writes bytes; when it returns the connection is
closed. Answers that never end watch `server.closing`.
"""

import os
import socket
import ssl
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field

from tests.support.pki import Issued

PATIENCE = 20.0


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request as it came; header names in lower case. `client` is the peer's certificate, DER."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    client: bytes | None


Answer = Callable[["HttpServer", socket.socket, HttpRequest], None]


@dataclass
class HttpServer:
    """Where it listens and what has come."""

    scheme: str
    host: str
    port: int
    requests: list[HttpRequest] = field(default_factory=list)
    connections: int = 0
    closing: threading.Event = field(default_factory=threading.Event)

    def url(self, path: str = "/", host: str = "") -> str:
        return f"{self.scheme}://{host or self.host}:{self.port}{path}"


def respond(status: int, body: bytes = b"", **headers: str) -> Answer:
    """Answer each request in the same way; `content_type="…"` becomes Content-Type."""

    def answer(_server: HttpServer, connection: socket.socket, _request: HttpRequest) -> None:
        lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}", "Connection: close"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        connection.sendall("\r\n".join([*lines, "", ""]).encode() + body)

    return answer


def by_method(**answers: Answer) -> Answer:
    """Answer by the request's method."""

    def answer(server: HttpServer, connection: socket.socket, request: HttpRequest) -> None:
        answers[request.method](server, connection, request)

    return answer


@contextmanager
def https_server(
    certificate: Issued | None,
    answer: Answer,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    client_authority: str = "",
) -> Iterator[HttpServer]:
    """Serve until the block ends; without a certificate plain HTTP. Wants a client's certificate
    of `client_authority` (PEM) where that is given."""
    context = None if certificate is None else _context(certificate, client_authority)
    with closing(socket.create_server((host, port))) as listener:
        scheme = "https" if context else "http"
        server = HttpServer(scheme, host, listener.getsockname()[1])
        accepting = threading.Thread(target=_accept, args=(listener, server, context, answer))
        accepting.start()
        try:
            yield server
        finally:
            server.closing.set()
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            accepting.join(PATIENCE)


def _accept(
    listener: socket.socket, server: HttpServer, context: ssl.SSLContext | None, answer: Answer
) -> None:
    serving = []
    while not server.closing.is_set():
        try:
            connection, _ = listener.accept()
        except OSError:
            break
        server.connections += 1
        thread = threading.Thread(target=_serve, args=(connection, server, context, answer))
        thread.start()
        serving.append(thread)
    for thread in serving:
        thread.join(PATIENCE)


def _serve(
    connection: socket.socket, server: HttpServer, context: ssl.SSLContext | None, answer: Answer
) -> None:
    connection.settimeout(PATIENCE)
    with suppress(OSError), closing(connection):
        if context is not None:
            connection = context.wrap_socket(connection, server_side=True)
        with closing(connection):
            request = _read(connection)
            server.requests.append(request)
            answer(server, connection, request)


def _read(connection: socket.socket) -> HttpRequest:
    data = b""
    while b"\r\n\r\n" not in data:
        data += _some(connection)
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    method, path, _version = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (x.partition(":") for x in lines)}
    while len(body) < int(headers.get("content-length", "0")):
        body += _some(connection)
    client = connection.getpeercert(True) if isinstance(connection, ssl.SSLSocket) else None
    return HttpRequest(method, path, headers, body, client)


def _some(connection: socket.socket) -> bytes:
    data = connection.recv(65536)
    if not data:
        raise ConnectionError("the client has gone")
    return data


def _context(certificate: Issued, client_authority: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    descriptor, path = tempfile.mkstemp()
    with os.fdopen(descriptor, "w") as file:
        file.write(certificate.combined)
    context.load_cert_chain(path)
    os.unlink(path)
    if client_authority:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=client_authority)
    return context
