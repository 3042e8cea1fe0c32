"""The process's connections: how many there may be, and which one makes room for another."""

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass

from transfer_api.protocol import PeerProtocol
from transfer_api.rates import Rates, network_of

logger = logging.getLogger(__name__)

MOST_CONNECTIONS = 500
MOST_OF_AN_ADDRESS = 100
# New connections of one address: each costs a handshake.
CONNECTIONS_PER_SECOND, CONNECTIONS_AT_ONCE = 50.0, 200.0
HANDSHAKE_TIMEOUT = 10.0
GOODBYE_TIMEOUT = 5.0

MakeProtocol = Callable[..., PeerProtocol]


@dataclass(eq=False, slots=True)
class _Connection:
    network: str
    protocol: PeerProtocol
    opening: "asyncio.Task[None] | None" = None

    @property
    def is_expendable(self) -> bool:
        """Whether it can be closed without breaking anything off."""
        return self.protocol.is_expendable

    def abort(self) -> None:
        if self.opening is not None and not self.opening.done():
            self.opening.cancel()
        self.protocol.abort()


class Connections:
    """All open connections, oldest first, those in their handshake among them."""

    def __init__(self, make_protocol: MakeProtocol) -> None:
        self._make_protocol = make_protocol
        self._loop = asyncio.get_running_loop()
        self._open: dict[PeerProtocol, _Connection] = {}
        self._rates = Rates(
            per_second=CONNECTIONS_PER_SECOND, burst=CONNECTIONS_AT_ONCE, clock=self._loop.time
        )

    def __len__(self) -> int:
        return len(self._open)

    def take(self, accepted: socket.socket, address: str, context: ssl.SSLContext | None) -> None:
        """Serve a connection, over TLS where there is a context; without room it is closed.

        An empty address stands for our own TLS proxy, which has no bounds of its own.
        """
        network = network_of(address)
        if not self._has_room(network):
            accepted.close()
            return
        protocol = self._make_protocol(proxied=not address, ended=self._forget)
        connection = self._open[protocol] = _Connection(network, protocol)
        connection.opening = asyncio.create_task(self._open_up(connection, accepted, context))

    def finish(self) -> None:
        """Close what is idle; what is being answered is closed afterwards."""
        for connection in list(self._open.values()):
            if connection.is_expendable:
                connection.abort()
            else:
                connection.protocol.shutdown()

    def abort(self) -> None:
        """Close all at once."""
        for connection in list(self._open.values()):
            connection.abort()

    def _has_room(self, network: str) -> bool:
        if network:
            if self._rates.take(network):
                return False
            same = [one for one in self._open.values() if one.network == network]
            if len(same) >= MOST_OF_AN_ADDRESS:
                return _make_room(same)
        if len(self._open) >= MOST_CONNECTIONS:
            return _make_room(list(self._open.values()))
        return True

    async def _open_up(
        self, connection: _Connection, accepted: socket.socket, context: ssl.SSLContext | None
    ) -> None:
        timeouts = (
            {}
            if context is None
            else {
                "ssl_handshake_timeout": HANDSHAKE_TIMEOUT,
                "ssl_shutdown_timeout": GOODBYE_TIMEOUT,
            }
        )
        try:
            await self._loop.connect_accepted_socket(
                lambda: connection.protocol, accepted, ssl=context, **timeouts
            )
        except ssl.SSLError as error:
            self._forget(connection.protocol)
            logger.info("%s: no TLS: %s", connection.network, _in_words(error))
        except OSError:  # it has gone, or took too long; nothing was asked
            self._forget(connection.protocol)
        except asyncio.CancelledError:
            self._forget(connection.protocol)
            raise

    def _forget(self, protocol: PeerProtocol) -> None:
        self._open.pop(protocol, None)


def _make_room(candidates: list[_Connection]) -> bool:
    """Close the oldest that nobody waits on; a peer that comes back opens another."""
    for connection in candidates:
        if connection.is_expendable:
            connection.abort()
            return True
    return False


def _in_words(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    return (error.reason or str(error)).replace("_", " ").lower()
