"""Requests on their way on to another PSAP, as a proxy sends them (RFC 3261 16.6)."""

import pytest

from sipgateway.protocol.errors import LocalProtocolError
from sipgateway.protocol.message import parse_message
from sipgateway.protocol.onward import onward_message
from tests.protocol.samples import ALL_CAPTURES, capture, raw_message, request

TARGET = "sip:psap-b@b.example.org;transport=tcp"
OURS = "SIP/2.0/TCP [2001:db8::5]:5060;branch=z9hG4bKours;rport"


def sent_on(data: bytes, **changed: object) -> bytes:
    given = {
        "target": TARGET,
        "branch": "z9hG4bKours",
        "via_transport": "tcp",
        "via_host": "2001:db8::5",
        "via_port": 5060,
        "trusted": True,
    }
    return onward_message(request(data), **(given | changed))


def onward(data: bytes, **changed: object):
    return request(sent_on(data, **changed))


@pytest.mark.parametrize("name", ALL_CAPTURES)
def test_what_real_clients_send_goes_on_as_it_came(name: str) -> None:
    came, went = request(capture(name)), onward(capture(name))
    assert (went.uri, went.body) == (TARGET, came.body)
    changed = {"Via", "Max-Forwards", "History-Info", "Content-Length", "Route"}
    assert [h for h in went.headers if h[0] not in changed] == [
        h for h in came.headers if h[0] not in changed
    ]
    assert went.headers.get_all("via") == [OURS, *came.headers.get_all("via")]
    assert went.headers.get_all("history-info")[:-1] == came.headers.get_all("history-info")


def test_equal_arguments_give_equal_bytes() -> None:
    data = raw_message(b"Hilfe")
    assert sent_on(data) == sent_on(data)


@pytest.mark.parametrize(
    ("hops", "left"), [("70", "69"), ("1", "0"), ("", "69"), ("lots", "69"), ("999999", "254")]
)
def test_a_hop_is_taken_off(hops: str, left: str) -> None:
    extra = f"Max-Forwards: {hops}\r\n".encode() if hops else b""
    went = onward(raw_message(b"Hilfe", extra=extra))
    assert went.headers.get_all("max-forwards") == [left]


def test_without_a_hop_left_nothing_goes_on() -> None:
    with pytest.raises(LocalProtocolError):
        sent_on(raw_message(b"Hilfe", extra=b"Max-Forwards: 0\r\n"))


@pytest.mark.parametrize("target", ["", "sip:a b", "sip:a\r\nEvil: 1", "<sip:a>"])
def test_what_cannot_stand_in_a_request_line_is_no_target(target: str) -> None:
    with pytest.raises(LocalProtocolError):
        sent_on(raw_message(b"Hilfe"), target=target)


@pytest.mark.conformance("6.1.2.6-3")
@pytest.mark.parametrize(
    ("history", "index"),
    [
        (b"", "1"),
        (b"History-Info: <sip:a@x>;index=1\r\n", "1.1"),
        (b"History-Info: <sip:a@x>;index=1, <sip:b@x>;index=1.2\r\n", "1.2.1"),
    ],
)
def test_history_says_who_was_to_get_it_and_why_it_goes_on(history: bytes, index: str) -> None:
    went = onward(raw_message(b"Hilfe", extra=history))
    assert went.headers.split("history-info")[-1] == (
        f"<sip:112@example.org?Reason=SIP%3Bcause%3D302>;index={index}"
    )


@pytest.mark.parametrize("trusted", [True, False])
def test_an_assertion_goes_on_only_from_those_we_trust(trusted: bool) -> None:
    data = raw_message(b"Hilfe", extra=b"P-Asserted-Identity: <sip:anna@provider.example>\r\n")
    assert ("p-asserted-identity" in onward(data, trusted=trusted).headers) is trusted


def test_bytes_that_are_no_text_go_on_as_they_came() -> None:
    data = raw_message(b"\xff\xfe\x00", extra=b"Subject: \xff\xfe caf\xe9\r\n")
    went = sent_on(data)
    assert b"Subject: \xff\xfe caf\xe9\r\n" in went
    assert went.endswith(b"\r\n\r\n\xff\xfe\x00")


def test_neither_route_nor_record_route_goes_on_or_is_added() -> None:
    went = onward(raw_message(b"Hilfe", extra=b"Route: <sip:us.example.org;lr>\r\n"))
    assert "route" not in went.headers and "record-route" not in went.headers


def test_the_length_is_that_of_the_body() -> None:
    went = parse_message(sent_on(raw_message(b"Hilfe", length=None)))
    assert went.headers.get_all("content-length") == ["5"]
