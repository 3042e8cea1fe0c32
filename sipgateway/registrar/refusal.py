"""Answers to what pjsua2 has thrown away, on a socket of ours: pjsua2 gives none.

A connection may be gone for an answer, so RFC 3261 18.2.2 has it leave for the address that the
request came from, at the port of the top Via. Best effort: what is behind a NAT that lets nothing
else in, repeats its request and gives up.
"""

import asyncio
import logging
import socket

from sipgateway.answers import DEFAULT_PORT
from sipgateway.flows import port_number, split_address
from sipgateway.protocol.message import Request, make_response
from sipgateway.protocol.via import parse_via
from sipgateway.registrar.packets import DroppedPacket

logger = logging.getLogger(__name__)

OK = 200
TOO_LONG = 513
PATIENCE = 3.0


async def answer_dropped(packet: DroppedPacket, request: Request, status: int) -> None:
    """Send the answer to a request that pjsua2 has thrown away; never raises."""
    source = split_address(packet.peer)
    data = make_response(request, status, source=source).encode()
    top = request.headers.get("via") or ""
    try:
        if packet.transport == "udp":
            port = source[1] if "rport" in top else _sent_by_port(top)
            _send_datagram(data, (source[0], port))
        elif packet.transport == "tcp" and "/TCP" in top.upper():  # never in the clear after TLS
            async with asyncio.timeout(PATIENCE):
                await _send_on_a_connection(data, source[0], _sent_by_port(top))
    except (OSError, TimeoutError, ValueError) as error:
        logger.info("no %d to %s: %s", status, packet.peer, error)


def _send_datagram(data: bytes, address: tuple[str, int]) -> None:
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sending:
        sending.setblocking(False)
        sending.sendto(data, address)


async def _send_on_a_connection(data: bytes, host: str, port: int) -> None:
    _, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(data)
        await writer.drain()
    finally:
        writer.close()
        await writer.wait_closed()


def _sent_by_port(via: str) -> int:
    sent_by = parse_via(via).sent_by
    _, colon, port = sent_by.rpartition(":")
    if colon and not sent_by.endswith("]") and (number := port_number(port)):
        return number
    return DEFAULT_PORT
