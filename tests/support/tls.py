"""TLS for tests: trunks with certificates of the tests' own authority, and peers that show theirs.

pki = Pki()
make_tls_trunk(record, pki)
async with TlsPeer(gateway.tls_target(), pki.context()) as peer:
    await peer.exchange(caller.start())
"""

import asyncio
import socket
import ssl
from collections.abc import Callable
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, Self

from psap.certificate_facts import describe_authority, describe_certificate
from psap.models import Certificate, CertificateAuthority, Trunk
from sipgateway.simulator.message import SipMessage, encode_response, parse_message
from sipgateway.simulator.transport import Answer, Target, TcpLink
from tests.support.eventually import eventually
from tests.support.pki import Authority, Issued
from tests.support.rawsip import RawSip
from tests.support.record import Record

OURS = "psap.example.org"
ADMITTED = "esrp.example.org"
TRUNK = "secure"


class Pki:
    """One authority, our certificate, that of an admitted peer, and one revoked with its name."""

    def __init__(self) -> None:
        self.authority = Authority("Test CA")
        self.ours = self.authority.issue(OURS, "127.0.0.1", "::1")
        self.peer = self.authority.issue(ADMITTED)
        self.revoked = self.authority.issue(ADMITTED)

    def context(self, shown: Issued | None = None, **versions: ssl.TLSVersion) -> ssl.SSLContext:
        """Return what a peer connects with; it shows the admitted certificate unless told."""
        context = ssl.create_default_context(cadata=self.authority.certificate)
        show(context, shown or self.peer)
        for name, version in versions.items():
            setattr(context, name, version)
        return context


def show(context: ssl.SSLContext, issued: Issued) -> None:
    """Have a context show a certificate."""
    with NamedTemporaryFile("w", suffix=".pem") as file:
        file.write(issued.combined)
        file.flush()
        context.load_cert_chain(file.name)


class TlsPeer(RawSip):
    """A connection with TLS; `session` says what was negotiated."""

    def __init__(
        self,
        target: Target,
        context: ssl.SSLContext,
        *,
        name: str = OURS,
        source: tuple[str, int] | None = None,
        **named: Any,
    ) -> None:
        super().__init__(target, **named)
        self._context, self._name, self._source = context, name, source
        self.transport: asyncio.Transport

    async def __aenter__(self) -> Self:
        target = self._target
        self.transport, self._link = await asyncio.get_running_loop().create_connection(
            lambda: TcpLink(self._received),
            target.host,
            target.port,
            ssl=self._context,
            server_hostname=self._name,
            local_addr=self._source,
        )
        return self

    @property
    def session(self) -> ssl.SSLObject:
        return self.transport.get_extra_info("ssl_object")


class TlsProxy:
    """A proxy that takes connections over TLS; what comes is in `requests`, each answered 200.

    `names` are the names that the PSAP showed, `connections` how often it called.
    """

    def __init__(self) -> None:
        self.requests: list[SipMessage] = []
        self.names: list[str] = []
        self.connections = 0
        self.port = 0
        self.answer_status: int | None = 200
        self._arrived = asyncio.Event()

    async def until(self, condition: Callable[[], bool], within: float = 10.0) -> None:
        async with asyncio.timeout(within):
            while not condition():
                self._arrived.clear()
                await self._arrived.wait()

    def received(self, request: SipMessage) -> None:
        self.requests.append(request)
        self._arrived.set()

    def called(self, link: "_ProxyLink", transport: asyncio.Transport) -> None:
        self.connections += 1
        shown = transport.get_extra_info("peercert") or {}
        self.names += [value for _, value in shown.get("subjectAltName", ())]
        self._arrived.set()


class _ProxyLink(TcpLink):
    def __init__(self, proxy: TlsProxy) -> None:
        super().__init__(self._take)
        self._proxy = proxy

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._proxy.called(self, transport)

    def _take(self, data: bytes, send: Answer) -> None:
        message = parse_message(data)
        if message.is_response:
            return
        self._proxy.received(message)
        if self._proxy.answer_status is not None:
            self.send(encode_response(message, self._proxy.answer_status, "proxy"))


@asynccontextmanager
async def running_proxy(
    shown: Issued | None,
    trusts: Authority,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
):
    """Run a proxy; without a certificate to show it is one over TCP."""
    proxy, context = TlsProxy(), None
    if shown is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cadata=trusts.certificate)
        context.verify_mode = ssl.CERT_REQUIRED
        show(context, shown)
    server = await asyncio.get_running_loop().create_server(
        lambda: _ProxyLink(proxy), host, port, ssl=context
    )
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()


def make_tls_trunk(record: Record, pki: Pki, **values: Any) -> None:
    """Configure a TLS trunk on PSAP_SIPS_PORT that admits the peer's name."""

    def make() -> None:
        certificate = Certificate(
            name=f"{values.get('name', TRUNK)} certificate",
            chain=pki.ours.chain,
            private_key=pki.ours.private_key,
        )
        describe_certificate(certificate)
        certificate.save()
        authority = CertificateAuthority(
            name=f"{values.get('name', TRUNK)} authority",
            certificates=pki.authority.certificate,
            revocation_list=pki.authority.revocation_list(pki.revoked),
        )
        describe_authority(authority)
        authority.save()
        given = {
            "name": TRUNK,
            "transport": "tls",
            "allowed_names": ADMITTED,
            "certificate": certificate,
            **values,
        }
        Trunk.objects.create(**given).authorities.set([authority])

    record.run(make)


def drop_tls_trunk(record: Record, name: str = TRUNK) -> None:
    """Delete a trunk with its certificates."""

    def drop() -> None:
        Trunk.objects.filter(name=name).delete()
        Certificate.objects.filter(name=f"{name} certificate").delete()
        CertificateAuthority.objects.filter(name=f"{name} authority").delete()

    record.run(drop)


def change_trunk(record: Record, name: str = TRUNK, **values: Any) -> None:
    """Change a trunk's row, as the admin does."""
    record.run(lambda: Trunk.objects.filter(name=name).update(**values))


def change_certificate(record: Record, issued: Issued) -> None:
    """Renew our certificate."""

    def change() -> None:
        row = Certificate.objects.get(name=f"{TRUNK} certificate")
        row.chain, row.private_key = issued.chain, issued.private_key
        describe_certificate(row)
        row.save()

    record.run(change)


def change_revocation_list(record: Record, revocation_list: str) -> None:
    """Load a newer revocation list."""

    def change() -> None:
        row = CertificateAuthority.objects.get(name=f"{TRUNK} authority")
        row.revocation_list = revocation_list
        describe_authority(row)
        row.save()

    record.run(change)


async def listening(port: int, host: str = "127.0.0.1") -> None:
    """Return once a port takes connections, as it does soon after a change in the admin."""

    def connects() -> bool:
        try:
            socket.create_connection((host, port), 0.5).close()
        except OSError:
            return False
        return True

    await eventually(connects, f"port {port} listens")


def write_pem(directory: Path, name: str, issued: Issued) -> tuple[Path, Path]:
    """Write a certificate and its key for a program that reads files."""
    chain, key = directory / f"{name}.pem", directory / f"{name}.key"
    chain.write_text(issued.chain)
    key.write_text(issued.private_key)
    return chain, key
