"""Answering a request: the response's bytes and the flow that it leaves on."""

from collections.abc import Iterable

from sipgateway.flows import Flow, port_number, split_address
from sipgateway.protocol.message import Request, make_response
from sipgateway.protocol.overload import Report, offers_loss_control
from sipgateway.protocol.via import parse_via
from sipgateway.udp import UdpFlow

DEFAULT_PORT = 5060


def response_bytes(
    request: Request,
    flow: Flow,
    status: int,
    headers: Iterable[tuple[str, str]] = (),
    report: Report | None = None,
) -> bytes:
    """Encode our answer, its top Via stamped with where the request came from.

    A client that offers overload control gets the `report` of how we stand, nobody else.
    """
    source = split_address(flow.peer)
    if report is not None and not offers_loss_control(request.headers.get("via") or ""):
        report = None
    return make_response(request, status, headers=headers, source=source, report=report).encode()


def way_back(request: Request, flow: Flow) -> Flow:
    """Choose where an answer goes (RFC 3261 18.2.2): the connection, else the address.

    Over UDP the port is the source's where `rport` was asked for (RFC 3581), else the sent-by's.
    """
    if not isinstance(flow, UdpFlow):
        return flow
    top = request.headers.get("via") or ""
    if "rport" in top:
        return flow
    port = _port_of(parse_via(top).sent_by)
    return flow if port == flow.address[1] else flow.to_port(port)


def _port_of(sent_by: str) -> int:
    _, colon, port = sent_by.rpartition(":")
    if colon and not sent_by.endswith("]") and (number := port_number(port)):
        return number
    return DEFAULT_PORT
