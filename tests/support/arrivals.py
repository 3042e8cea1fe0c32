"""MESSAGEs as the gateway has read them, without a socket."""

from datetime import UTC, datetime

from sipgateway.arrivals import Arrival
from sipgateway.protocol.lmpe import identify, identify_caller, request_key
from sipgateway.protocol.message import Request, parse_message

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Flow:
    transport, reliable, peer = "udp", False, "192.0.2.1:5060"
    trunk, trusted, peer_name = "", None, ""

    def send(self, data: bytes) -> bool:
        return True


def arrival(data: bytes, *, trusted: bool = False) -> Arrival:
    request = parse_message(data)
    assert isinstance(request, Request)
    return Arrival(
        request=request,
        identifiers=identify(request.headers),
        caller=identify_caller(request.headers, trusts_assertion=trusted),
        flow=Flow(),
        transaction=None,  # type: ignore[arg-type]
        received_at=NOW,
        trunk="",
        key=request_key(request),
        trusted_peer=trusted,
    )
