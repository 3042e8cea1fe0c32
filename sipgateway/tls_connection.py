"""SIP over TLS: a TCP connection whose bytes pass through OpenSSL in memory.

Not asyncio's own TLS: here each connection takes the policy of its moment, so that certificates
change without dropping anybody, and the last bytes of our handshake leave only after the peer was
found to be one of those that are admitted.
"""

import asyncio
import logging
import ssl
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from psap.certificates import CertificateProblem, Identity, read_identity
from psap.tls import NotAdmitted, TlsGate
from sipgateway.flows import Flows
from sipgateway.tcp import Buffers, StreamIntake, TcpConnection

if TYPE_CHECKING:
    from sipgateway.tls_listener import TlsListener

logger = logging.getLogger(__name__)

HANDSHAKE_TIMEOUT = 10.0
LARGEST_READ = 256 * 1024
# Fatal alert `access_denied` (49) as TLS 1.2 writes it before it encrypts (RFC 5246 7.2).
ACCESS_DENIED = b"\x15\x03\x03\x00\x02\x02\x31"


class TlsConnection(TcpConnection):
    """One connection: handshake, admission, then as over TCP."""

    transport = "tls"

    def __init__(
        self,
        flows: Flows,
        intake: StreamIntake,
        buffers: Buffers,
        owner: "TlsListener",
        gate: TlsGate,
        *,
        host: str | None,
    ) -> None:
        """`host` is whom we call; None on a connection that was opened to us."""
        super().__init__(flows, intake, buffers, owner)
        self.identity: Identity | None = None
        self.ready: asyncio.Future[None] = self._loop.create_future()
        self.has_heard = False
        self._tls_owner = owner
        self._gate = gate
        self._host = host
        self._from_peer, self._to_peer = ssl.MemoryBIO(), ssl.MemoryBIO()
        context = gate.server if host is None else gate.client
        self._tls = context.wrap_bio(
            self._from_peer,
            self._to_peer,
            server_side=host is None,
            server_hostname=host or None,
        )
        self._timeout: asyncio.TimerHandle | None = None

    @property
    def is_open(self) -> bool:
        """Whether the peer is admitted."""
        return self.identity is not None

    @property
    def is_ours(self) -> bool:
        """Whether we opened it."""
        return self._host is not None

    def is_of_host(self, host: str) -> bool:
        """Whether it leads to whom somebody wants to call by this name."""
        return self._host is not None and self._host == host

    def _begin(self) -> None:
        self._timeout = self._loop.call_later(HANDSHAKE_TIMEOUT, self._give_up)
        self._tls_owner.began(self)
        self._shake_hands()

    def connection_lost(self, exc: Exception | None) -> None:
        self._tls_owner.ended(self)
        self._end_handshake(OSError(f"the connection was lost: {exc or 'closed'}"))
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what came, encrypted."""
        self._from_peer.write(data)
        self.has_heard = True
        if self.is_open or self._shake_hands():
            self._read()

    def eof_received(self) -> bool:
        if self.is_open:
            return super().eof_received()
        if self.has_heard:  # else it only looked whether the port is open
            self._refuse("TLS: handshake broken off", "by the peer")
        return False

    def close(self) -> None:
        """Say goodbye and close after what is written has left."""
        if self._stream is not None and not self._stream.is_closing() and self.is_open:
            try:
                self._tls.unwrap()
            except ssl.SSLError:  # it waits for the peer's goodbye, which nobody needs
                pass
            self._flush()
        super().close()

    def reconsider(self, gate: TlsGate) -> None:
        """Close it when a policy that has changed would not admit its peer any more."""
        if self.identity is None:
            return
        try:
            gate.admit(self.identity, self._host or "")
        except NotAdmitted as error:
            self._intake.refusals.note(self.peer, str(error), error.detail)
            self.close()

    def _shake_hands(self) -> bool:
        """Go on with the handshake as far as it goes; True once the peer is admitted."""
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
            return False
        except ssl.SSLError as error:
            self._flush()  # an alert says why
            self._refuse("TLS: handshake failed", _in_words(error))
            return False
        return self._admit()

    def _admit(self) -> bool:
        """Let the peer in or not; until here nothing has left that would end its handshake."""
        try:
            identity = read_identity(self._tls.getpeercert(True) or b"")
            self.peer_name = self._gate.admit(identity, self._host or "")
        except (NotAdmitted, CertificateProblem) as error:
            self._to_peer.read()
            if self._stream is not None and self._host is None and self._tls.version() == "TLSv1.2":
                self._stream.write(ACCESS_DENIED)
            detail = error.detail if isinstance(error, NotAdmitted) else ""
            self._refuse(str(error), detail)
            return False
        self.identity, self.has_heard = identity, False
        self._end_handshake(None)
        self._flush()
        super()._begin()
        self._tls_owner.admitted(self, identity, datetime.now(UTC))
        return True

    def _read(self) -> None:
        try:
            while not (self._stream is None or self._stream.is_closing()):
                data = self._tls.read(LARGEST_READ)
                if not data:
                    raise ssl.SSLZeroReturnError
                super().data_received(data)
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:  # the peer says that it is done
            super().eof_received()
        except ssl.SSLError as error:
            self._intake.refusals.note(self.peer, "TLS: broken connection", _in_words(error))
            self.abort()
        self._flush()

    def _write(self, stream: asyncio.Transport, data: bytes) -> None:
        try:
            self._tls.write(data)  # into memory: all of it
        except ssl.SSLError as error:
            logger.warning("nothing more can be written to %s: %s", self.peer, _in_words(error))
            stream.abort()
        self._flush()

    def _flush(self) -> None:
        if self._to_peer.pending and self._stream is not None and not self._stream.is_closing():
            self._stream.write(self._to_peer.read())

    def _give_up(self) -> None:
        self._refuse("TLS: handshake not in time", f"{HANDSHAKE_TIMEOUT:.0f} s")
        self.abort()

    def _refuse(self, reason: str, detail: str) -> None:
        self._intake.refusals.note(self.peer, reason, detail)
        self._end_handshake(OSError(f"{reason} ({detail})"))
        if self._stream is not None:
            self._stream.close()

    def _end_handshake(self, error: OSError | None) -> None:
        if self._timeout is not None:
            self._timeout.cancel()
        if self.ready.done():
            return
        if error is None:
            self.ready.set_result(None)
        else:
            self.ready.set_exception(error)
            self.ready.exception()  # nobody waits for it on a connection that was opened to us


def _in_words(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    return (error.reason or str(error)).replace("_", " ").lower()
