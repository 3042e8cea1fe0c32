"""Everything that the gateway reads of a message before it is on its chat, for fuzzing."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime

from chats.services.incoming import IncomingMessage
from sipgateway.interpret import interpret
from sipgateway.protocol.errors import RemoteProtocolError
from sipgateway.protocol.geolocation import geolocation_error
from sipgateway.protocol.lmpe import identify, identify_caller, request_key
from sipgateway.protocol.message import Request, Response, make_response, parse_message
from sipgateway.protocol.transaction import ServerTransactions
from sipgateway.protocol.uas import answer_to

NUMBERS = {"112": "urn:service:sos"}
ARRIVED = datetime(2026, 1, 1, tzinfo=UTC)
SOURCE = ("2001:db8::1", 5060)


def read_all(data: bytes) -> Request | Response | None:
    """Do all that the gateway does with a message; None when it is refused.

    Fails on anything but the one documented error, and on what PostgreSQL would not take.
    """
    try:
        message = parse_message(data)
    except RemoteProtocolError as error:
        assert 400 <= error.status <= 699
        if error.request is not None:
            make_response(error.request, error.status, source=SOURCE).encode()
        return None
    if isinstance(message, Response):
        return message
    assert len(request_key(message)) == 16
    ServerTransactions().receive_request(message, 0.0, source="x")
    other = answer_to(message, serves=True)
    status, headers = other or (200, ())
    answer = parse_message(make_response(message, status, headers=headers, source=SOURCE).encode())
    assert isinstance(answer, Response)
    geolocation_error(message)
    read = read_for_the_record(message)
    assert "not-understood" not in read.flags
    require_storable(read)
    return message


def read_for_the_record(message: Request) -> IncomingMessage:
    return interpret(
        message,
        identify(message.headers),
        identify_caller(message.headers, trusts_assertion=True),
        journal_id=1,
        received_at=ARRIVED,
        trunk="default",
        transport="udp",
        peer="192.0.2.1:5060",
        numbers=NUMBERS,
        trusted_peer=True,
    )


def require_storable(value: object) -> None:
    """Fail on what PostgreSQL or JSON cannot hold: NUL, lone surrogates, NaN, endless numbers."""
    if isinstance(value, str):
        assert "\0" not in value
        value.encode()
    elif isinstance(value, float):
        assert math.isfinite(value)
    elif is_dataclass(value):
        for field in fields(value):
            require_storable(getattr(value, field.name))
    elif isinstance(value, Mapping):
        require_storable(list(value.items()))
    elif isinstance(value, Iterable) and not isinstance(value, bytes):
        for item in value:
            require_storable(item)
