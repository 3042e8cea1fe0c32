"""Looking whether ports and the peers' socket are free, before anything is started."""

import errno
import socket

from psap.project.environment import Environment
from psap.project.launch.errors import LaunchError


def require_free_ports(environment: Environment) -> None:
    """Bind every port once; raises LaunchError naming the first that is taken and its variable."""
    http, sip, sips = environment.http_port, environment.sip_port, environment.sips_port
    peer = environment.peer_port
    wanted = (
        (http, socket.SOCK_STREAM, "PSAP_HTTP_PORT"),
        (sip, socket.SOCK_STREAM, "PSAP_SIP_PORT"),
        (sip, socket.SOCK_DGRAM, "PSAP_SIP_PORT"),
        (sips, socket.SOCK_STREAM, "PSAP_SIPS_PORT"),
        (peer, socket.SOCK_STREAM, "PSAP_PEER_PORT"),
    )
    held: list[socket.socket] = []
    try:
        for port, kind, variable in wanted:
            held.append(_bind(environment.host, port, kind, variable))
    finally:
        for taken in held:
            taken.close()


def require_free_socket(environment: Environment) -> None:
    """See that PSAP_PEER_SOCKET, if any, can be made where it is wanted; raises LaunchError.

    What a killed instance left there is no obstacle: the program makes it anew.
    """
    path = environment.peer_socket
    if path is None:
        return
    if not path.parent.is_dir() and path.parent != environment.runtime_dir:
        raise LaunchError(f"PSAP_PEER_SOCKET {path} lies in no directory")
    if path.exists() and not path.is_socket():
        raise LaunchError(f"PSAP_PEER_SOCKET {path} is something else than a socket")
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return
    raise LaunchError(f"socket {path} (PSAP_PEER_SOCKET) is taken")


def _bind(host: str, port: int, kind: socket.SocketKind, variable: str) -> socket.socket:
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=kind, flags=socket.AI_PASSIVE)[0]
    except OSError as error:
        raise LaunchError(f"PSAP_HOST {host} is no address: {error.strerror}") from error
    probe = socket.socket(family, kind)
    try:
        if kind is socket.SOCK_STREAM:  # as servers do: a connection in TIME_WAIT is no obstacle
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(address)
        if kind is socket.SOCK_STREAM:
            probe.listen(1)
    except OSError as error:
        probe.close()
        if error.errno == errno.EADDRINUSE:
            raise LaunchError(f"port {port} ({variable}) is taken") from error
        if error.errno == errno.EADDRNOTAVAIL:
            raise LaunchError(f"PSAP_HOST {host} is no address of this machine") from error
        raise LaunchError(f"port {port} ({variable}) cannot be bound: {error.strerror}") from error
    return probe
