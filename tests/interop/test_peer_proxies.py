"""HAProxy and nginx in front of the interface for peers: what they let in, and whom they name."""

import base64
import http.client
import json
import socketserver
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from psap.devca import CLIENT_NAME, write_dev_certificates
from tests.support.peer_proxy import PROXIES, PeerProxy, running_proxy

LARGE = 5 * 1024 * 1024


class Echo(BaseHTTPRequestHandler):
    """Stands for Leitstand at the Unix socket: says what reached it."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        size = int(self.headers["Content-Length"])
        while size:
            size -= len(self.rfile.read(min(size, 65536)))
        told = json.dumps([[name, value] for name, value in self.headers.items()]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(told)))
        self.end_headers()
        self.wfile.write(told)

    def address_string(self) -> str:
        return "proxy"

    def log_message(self, *words: object) -> None:
        """Say nothing."""


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("certificates")
    write_dev_certificates(directory, names=[], now=datetime.now(UTC))
    return directory


@pytest.fixture(scope="module", params=PROXIES)
def proxy(
    request: pytest.FixtureRequest, certificates: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PeerProxy]:
    directory = tmp_path_factory.mktemp("proxy")
    with Server(str(directory / "peers.sock"), Echo) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with running_proxy(
            request.param,
            directory,
            certificates=certificates,
            socket_path=directory / "peers.sock",
        ) as running:
            yield running
        server.shutdown()


def ask(
    proxy: PeerProxy,
    certificates: Path,
    shown: str = "",
    headers: dict[str, str] | None = None,
    body: bytes = b"{}",
) -> tuple[int, list[tuple[bytes, bytes]]]:
    """POST as a peer; returns the status and the header fields that came through."""
    context = ssl.create_default_context(cafile=str(certificates / "ca.pem"))
    if shown:
        context.load_cert_chain(certificates / f"{shown}.pem", certificates / f"{shown}.key")
    connection = http.client.HTTPSConnection("127.0.0.1", proxy.port, context=context, timeout=10)
    try:
        connection.request("POST", "/transfer/v1/negotiation", body, headers or {})
        answer = connection.getresponse()
        told = answer.read()
    finally:
        connection.close()
    found = json.loads(told) if answer.status == 200 else []
    return answer.status, [(name.lower().encode(), value.encode()) for name, value in found]


def named(headers: list[tuple[bytes, bytes]]) -> bytes | None:
    """The certificate in Client-Cert, DER (RFC 9440 2.2)."""
    values = [value for name, value in headers if name == b"client-cert"]
    assert all(value[:1] == value[-1:] == b":" for value in values)
    return base64.b64decode(values[0][1:-1], validate=True) if values else None


def test_the_verified_certificate_reaches_us_as_rfc_9440_has_it(
    proxy: PeerProxy, certificates: Path
):
    status, headers = ask(proxy, certificates, "client")
    assert status == 200
    pem = (certificates / "client.pem").read_text()
    assert named(headers) == ssl.PEM_cert_to_DER_cert(pem)


def test_who_shows_none_comes_without_and_may_show_a_token(proxy: PeerProxy, certificates: Path):
    status, headers = ask(proxy, certificates, headers={"Authorization": "Bearer abc"})
    assert status == 200
    assert named(headers) is None
    assert dict(headers)[b"authorization"] == b"Bearer abc"
    assert dict(headers)[b"x-real-ip"] == b"127.0.0.1"


@pytest.mark.parametrize("shown", ["", "client"])
def test_nobody_can_claim_a_certificate(proxy: PeerProxy, certificates: Path, shown: str):
    """Red when the proxy passes on what a peer sends under that name."""
    claimed = {
        "Client-Cert": ":AAAA:",
        "client-cert-chain": ":AAAA:",
        "X-Real-IP": "192.0.2.1",
    }
    status, headers = ask(proxy, certificates, shown, claimed)
    assert status == 200
    assert not [value for name, value in headers if b"AAAA" in value or b"192.0.2.1" in value]
    assert len([name for name, _ in headers if name == b"client-cert"]) == bool(shown)


def test_a_revoked_certificate_does_not_get_through(proxy: PeerProxy, certificates: Path):
    try:
        status, _ = ask(proxy, certificates, "revoked")
    except (ssl.SSLError, ConnectionError, http.client.HTTPException):
        return
    assert status == 400  # nginx says so over HTTP


def test_a_stranger_s_certificate_does_not_get_through(
    proxy: PeerProxy, certificates: Path, tmp_path: Path
):
    """The same name from another authority."""
    write_dev_certificates(tmp_path, names=[CLIENT_NAME], now=datetime.now(UTC))
    (tmp_path / "ca.pem").write_text((certificates / "ca.pem").read_text())
    try:
        status, _ = ask(proxy, tmp_path, "client")
    except (ssl.SSLError, ConnectionError, http.client.HTTPException):
        return
    assert status == 400


def test_a_large_execution_passes_whole(proxy: PeerProxy, certificates: Path):
    status, headers = ask(proxy, certificates, "client", body=b"x" * LARGE)
    assert status == 200
    assert dict(headers)[b"content-length"] == str(LARGE).encode()
