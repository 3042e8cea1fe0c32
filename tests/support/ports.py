"""Ports of 127.0.0.1 for servers that tests start.

They lie below those that the kernel gives to connections, and each process of a run has a range of
its own: nobody takes one between our look and the server's start.
"""

import itertools
import os
import socket

FIRST, LAST = 12_000, 32_000
PROCESSES = 16
WIDTH = (LAST - FIRST) // PROCESSES


def _candidates() -> "itertools.cycle[int]":
    """Begin anywhere in our range, since other runs on this machine may have the same one."""
    place = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % PROCESSES
    offset = os.getpid() * 37 % WIDTH
    ports = range(FIRST + place * WIDTH, FIRST + (place + 1) * WIDTH)
    return itertools.cycle([*ports[offset:], *ports[:offset]])


_next = _candidates()


def free_ports(count: int) -> list[int]:
    """Return ports of 127.0.0.1 that are free for TCP and UDP alike."""
    found: list[int] = []
    for port in itertools.islice(_next, WIDTH):
        if len(found) == count:
            break
        if _is_free(port):
            found.append(port)
    assert len(found) == count, "no port is free"
    return found


def _is_free(port: int) -> bool:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_STREAM) as stream,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagram,
    ):
        try:
            stream.bind(("127.0.0.1", port))
            datagram.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
