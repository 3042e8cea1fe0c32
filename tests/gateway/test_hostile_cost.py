"""What one hostile message costs: the gateway's loop serves everybody, so nobody may hold it."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from sipgateway.interpret import interpret
from sipgateway.protocol import priority, signalling
from sipgateway.protocol.geolocation import geolocation_error
from sipgateway.protocol.lmpe import identify, identify_caller, read_signalling
from sipgateway.protocol.message import Request, parse_message

MIB = 1024 * 1024
# In processor time, since the machine has others to serve; it was seconds to minutes before.
MOST_SECONDS = 0.5

HEAD = (
    "MESSAGE urn:service:sos SIP/2.0\r\n"
    "Via: SIP/2.0/TCP 192.0.2.1;branch=z9hG4bKcost\r\n"
    "From: <sip:anna@example.org>;tag=1\r\nTo: <urn:service:sos>\r\n"
    "Call-ID: cost\r\nCSeq: 1 MESSAGE\r\n"
    "Call-Info: <urn:emergency:uid:callid:cost:example.org>;purpose=EmergencyCallData.CallId\r\n"
    "Call-Info: <urn:emergency:uid:msgtype:257:example.org>;purpose=EmergencyCallData.MsgType\r\n"
)
PIDF = "application/pidf+xml"


def request_with(content_type: str, body: bytes, fields: str = "") -> Request:
    head = f"{HEAD}{fields}Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    request = parse_message(head.encode() + body)
    assert isinstance(request, Request)
    return request


def repeated(content_type: str, part: bytes, times: int) -> Request:
    one = b"--B\r\nContent-Type: " + content_type.encode() + b"\r\n\r\n" + part + b"\r\n"
    return request_with("multipart/mixed;boundary=B", one * times + b"--B--\r\n")


def document(item: bytes, size: int = MIB - 200) -> bytes:
    return b'<presence xmlns="a">' + item * (size // len(item)) + b"</presence>"


def many(item: bytes, size: int = 240_000) -> bytes:
    return b"[" + b",".join([item] * (size // (len(item) + 1))) + b"]"


ADDRESSES = document(b"<geopriv><civicAddress><a>b</a></civicAddress></geopriv>")
RINGS = document(
    b"<Polygon><exterior><LinearRing><posList>"
    + b"1 " * 200
    + b"</posList></LinearRing></exterior></Polygon>"
)
STANDING_STILL = (
    b'<presence xmlns="a"><Polygon><exterior><LinearRing><posList>'
    + b"1 " * 500_000
    + b"</posList></LinearRing></exterior></Polygon></presence>"
)
LONG_BASE = b'[{"bv":"' + b"9" * 150_000 + b'x"},' + many(b'{"n":1}', 90_000)[1:]
LONG_NAMES = b'{"' + b"k" * 100_000 + b'":' + many(b"[]", 120_000) + b"}"
FIELDS = b"<alert xmlns='a'><info>" + b"<x/>" * 250_000 + b"</info></alert>"


@pytest.mark.parametrize(
    "request_made",
    [
        pytest.param(lambda: repeated(PIDF, ADDRESSES, 15), id="addresses"),
        pytest.param(lambda: repeated(PIDF, RINGS, 15), id="rings that enclose nothing"),
        pytest.param(lambda: repeated(PIDF, STANDING_STILL, 15), id="one vertex for ever"),
        pytest.param(lambda: repeated(PIDF, document(b"<Point/>"), 15), id="points nowhere"),
        pytest.param(lambda: repeated("application/senml+json", LONG_BASE, 60), id="long numbers"),
        pytest.param(lambda: repeated("application/json", LONG_NAMES, 60), id="long names"),
        pytest.param(lambda: repeated("application/json", many(b"[]"), 60), id="empty lists"),
        pytest.param(lambda: repeated("application/cap+xml", FIELDS, 15), id="alerts"),
        pytest.param(
            lambda: repeated("text/vcard", b"FN" + b";a" * 500_000 + b":x", 15), id="cards"
        ),
        pytest.param(lambda: repeated("text/html", b"&#x10FFFF;" * 104_000, 14), id="entities"),
        pytest.param(lambda: repeated("text/html", b"<!--" * 260_000, 14), id="comments"),
    ],
)
def test_a_message_full_of_data_holds_nobody_up(request_made: Callable[[], Request]) -> None:
    request = request_made()

    def read() -> None:
        geolocation_error(request)
        interpret(
            request,
            identify(request.headers),
            identify_caller(request.headers, trusts_assertion=True),
            journal_id=1,
            received_at=datetime.now(UTC),
            trunk="",
            transport="tcp",
            peer="192.0.2.1:5060",
            numbers={},
            trusted_peer=True,
        )

    assert seconds_of(read) < MOST_SECONDS


def test_thousands_of_locations_in_a_large_body_are_not_all_looked_for() -> None:
    line = "Geolocation: " + ",".join(["<cid:abcdefgh>"] * 1000) + "\r\n"
    body = b"x" * (15 * MIB) + b"abcdefgh"
    request = request_with("application/octet-stream", body, line * 4)

    def read() -> None:
        geolocation_error(request)
        read_signalling(request.headers, identify(request.headers), request.body)

    assert seconds_of(read) < MOST_SECONDS


def test_long_header_fields_are_not_remembered() -> None:
    signalling._remembered.clear()
    for number in range(20):
        request = request_with("text/plain", b"x", f"Subject: {number}{'n' * 15_000}\r\n")
        read_signalling(request.headers, identify(request.headers))
        priority.resource_priority(f"esnet.{number}{'n' * 15_000}")

    assert sum(len(text) for key in signalling._remembered for text in key) < 15_000
    assert sum(map(len, priority._remembered)) < 15_000


def seconds_of(work: Callable[[], None]) -> float:
    begun = time.process_time()
    work()
    return time.process_time() - begun
