"""A peer interface alone: `manage.py peerapi` on ports of its own, and clients that play peers.

api = PeerApiProcess(record.database_url, tmp_path)
api.start()                                   # returns when /healthz answers over TLS
with api.connect(pki.context()) as peer:      # one connection, kept alive
    peer.post("negotiation", negotiation())   # → Answer(status, headers, body)
api.ask(pki.context(), "negotiation", …)      # one request on a connection of its own
"""

import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from django.conf import settings

from psap.certificate_facts import describe_authority, describe_certificate
from psap.models import Certificate, CertificateAuthority, Peer, Psap
from psap.peer_tokens import digest_of
from psap.project.environment import PROJECT_ROOT
from tests.support.instance import instance_variables, wait_until
from tests.support.pki import Issued
from tests.support.ports import free_ports
from tests.support.record import PUBLIC_URI, Record
from tests.support.tls import ADMITTED, Pki

HOST = "127.0.0.1"
START_SECONDS = 20.0
PATIENCE = 20.0
NEIGHBOUR = "sip:psap@neighbour.example.org"
TOKEN = "Zx3-neighbour-token-0123456789abcdefghij"
CALL_ID = "urn:emergency:uid:callid:a7gtHd8Kq2:app.example.org"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def violations(self) -> dict[str, str]:
        """The violations of a problem: pointer → detail."""
        assert self.headers["content-type"] == "application/problem+json", self
        return {one["pointer"]: one["detail"] for one in self.json.get("violations", [])}


class PeerConnection(http.client.HTTPConnection):
    """A connection to a peer interface, over TLS or a Unix socket."""

    def __init__(self, address: tuple[str, int] | str, context: ssl.SSLContext | None) -> None:
        super().__init__("psap.example.org", timeout=PATIENCE)
        self._address, self._context = address, context
        self.always: dict[str, str] = {}  # headers of each request

    def connect(self) -> None:
        if isinstance(self._address, str):
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.settimeout(PATIENCE)
            self.sock.connect(self._address)
            return
        self.sock = socket.create_connection(self._address, PATIENCE)
        if self._context is not None:
            self.sock = self._context.wrap_socket(self.sock, server_hostname=self.host)

    def __enter__(self) -> Self:
        self.connect()
        self.auto_open = 0  # type: ignore[assignment]  # what ends is not opened again unseen
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        """Ask for a path; `content_type="…"` becomes Content-Type."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.request(method, path, body, self.always | named)
        return self.answer()

    def answer(self) -> Answer:
        """Read the next answer."""
        with self.getresponse() as response:
            headers = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, headers, response.read())

    def post(self, what: str, document: object, **headers: str) -> Answer:
        """Ask as a peer does; bytes go as they are, everything else as JSON."""
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        return self.ask(
            "POST", f"/transfer/v1/{what}", body, **{"content_type": "application/json", **headers}
        )


class PeerApiProcess:
    """One `peerapi` that the test starts, kills and starts again."""

    def __init__(self, database_url: str, directory: Path, **variables: str) -> None:
        ports = free_ports(4)
        self.port = ports[3]
        self.socket = directory / "peer.sock"
        self._log = directory / f"peerapi-{self.port}.log"
        self._process: subprocess.Popen[bytes] | None = None
        self.variables = instance_variables(directory, ports) | {
            "DJANGO_SETTINGS_MODULE": "psap.project.settings",
            "DATABASE_URL": database_url,
            "REDIS_URL": settings.ENVIRONMENT.redis_url,
            "PSAP_PEER_SOCKET": str(self.socket),
            **variables,
        }

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def launch(self, **variables: str) -> None:
        """Start the process without waiting for it."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "manage.py", "peerapi"],
                cwd=PROJECT_ROOT,
                env=self.variables | variables,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def start(self, **variables: str) -> None:
        """Start the process and wait until it answers on its Unix socket."""
        self.launch(**variables)
        wait_until(self._serves, START_SECONDS, "the peer interface serves")

    def wait_for_port(self) -> None:
        """Wait until the port takes connections."""
        wait_until(self.takes_connections, 10, f"port {self.port} is open\n{self.log()[-2000:]}")

    def takes_connections(self) -> bool:
        try:
            socket.create_connection((HOST, self.port), 1).close()
        except OSError:
            return False
        return True

    def connect(self, context: ssl.SSLContext) -> PeerConnection:
        return PeerConnection((HOST, self.port), context)

    def through_proxy(self) -> PeerConnection:
        """A connection of the TLS proxy in front."""
        return PeerConnection(str(self.socket), None)

    def ask(self, context: ssl.SSLContext, what: str, document: object, **headers: str) -> Answer:
        """Ask once, on a connection of its own."""
        with self.connect(context) as connection:
            return connection.post(what, document, **headers)

    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def stop(self, seconds: float = 10.0) -> int:
        """End it in order; returns the exit code."""
        assert self._process is not None
        if self.is_running():
            os.kill(self.pid, signal.SIGTERM)
        return self._process.wait(seconds)

    def kill(self) -> None:
        """End it at once, as a crash does."""
        if self.is_running():
            os.kill(self.pid, signal.SIGKILL)
        if self._process is not None:
            self._process.wait(10)

    def log(self) -> str:
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def _serves(self) -> bool:
        assert self.is_running(), f"the peer interface ended\n{self.log()[-4000:]}"
        try:
            with self.through_proxy() as connection:
                return connection.ask("GET", "/healthz").status == 200
        except OSError:
            return False


def negotiation(call_id: str = CALL_ID, **more: object) -> dict[str, object]:
    """A negotiation of the neighbour's with us."""
    return {"CallId": call_id, "TransferFrom": NEIGHBOUR, "TransferTo": PUBLIC_URI, **more}


def execution(call_id: str = CALL_ID, **more: object) -> dict[str, object]:
    """An execution with what we need at least."""
    data = {"Version": 1, "AppUri": "sip:caller@app.example.org"}
    return {"CallId": call_id, "MessageId": 7, "ExpiryTime": 20, "Data": data, **more}


def configure_peers(record: Record, pki: Pki) -> int:
    """Have our certificate shown, their authority believed, and the neighbour admitted; its id."""

    def configure() -> int:
        certificate = Certificate(
            name="for peers", chain=pki.ours.chain, private_key=pki.ours.private_key
        )
        describe_certificate(certificate)
        certificate.save()
        authority = CertificateAuthority(
            name="of peers",
            certificates=pki.authority.certificate,
            revocation_list=pki.authority.revocation_list(pki.revoked),
        )
        describe_authority(authority)
        authority.save()
        psap = Psap.objects.get()
        psap.peer_certificate = certificate
        psap.save()
        psap.peer_authorities.set([authority])
        return Peer.objects.create(
            name="Neighbour",
            uris=NEIGHBOUR,
            certificate_names=ADMITTED,
            token_sha256=digest_of(TOKEN),
            expiry_time=60,
            offer_time=30,
        ).pk

    return record.run(configure)


def change_peer(record: Record, peer: int, **values: object) -> None:
    """Change a peer's row, as the admin does."""
    record.run(lambda: Peer.objects.filter(pk=peer).update(**values))


def change_own_certificate(record: Record, issued: Issued | None) -> None:
    """Renew what we show to peers; None: take it off the PSAP's page."""

    def change() -> None:
        row = Certificate.objects.get(name="for peers")
        if issued is not None:
            row.chain, row.private_key = issued.chain, issued.private_key
            row.save()
        Psap.objects.update(peer_certificate=row if issued else None)

    record.run(change)


def change_authority(record: Record, certificates: str, revocation_list: str) -> None:
    """Believe others, or load a newer revocation list."""

    def change() -> None:
        row = CertificateAuthority.objects.get(name="of peers")
        row.certificates, row.revocation_list = certificates, revocation_list
        describe_authority(row)
        row.save()

    record.run(change)


def anonymous(pki: Pki) -> ssl.SSLContext:
    """What connects without a certificate of its own."""
    return ssl.create_default_context(cadata=pki.authority.certificate)


def seconds_of(work: Any) -> float:
    """Return how long something takes."""
    begun = time.monotonic()
    work()
    return time.monotonic() - begun
