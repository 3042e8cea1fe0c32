"""DEC112's dialect: its types are bits, its answers use its own URNs."""

import pytest

from sipgateway.protocol.dec112 import asks_for_test
from sipgateway.protocol.headers import Headers
from sipgateway.protocol.lmpe import (
    call_info,
    identify,
    is_test,
    is_test_service,
    read_signalling,
)
from sipgateway.protocol.outgoing import call_info as outgoing_call_info

CALL_ID = "urn:dec112:uid:callid:HikuhzM8Md65cFdpRreTJIcXUCgNvc:service.dec112.at"

TYPE = "purpose=dec112-MsgType"


def headers(bits: int) -> Headers:
    return Headers(
        [
            ("Call-Info", f"<{CALL_ID}>; purpose=dec112-CallId"),
            ("Call-Info", "<urn:dec112:uid:msgid:3:service.dec112.at>; purpose=dec112-MsgId"),
            ("Call-Info", f"<urn:dec112:uid:msgtype:{bits}:service.dec112.at>; {TYPE}"),
        ]
    )


@pytest.mark.parametrize(
    ("bits", "msg_type"),
    [
        (1, 257),
        (1 | 4 | 8 | 16, 257),
        (2, 259),
        (2 | 16, 259),
        (2 | 4 | 16, 259),
        (2 | 4, 260),
        (3, 258),
        (3 | 16, 258),
        (2 | 16 | 32, 259),
    ],
)
def test_its_types_are_read_as_what_they_mean(bits: int, msg_type: int) -> None:
    found = identify(headers(bits))
    assert (found.msg_type, found.msg_id, found.flags) == (msg_type, 3, ())
    assert found.unique_part == "HikuhzM8Md65cFdpRreTJIcXUCgNvc"


def test_a_type_of_the_standard_in_its_urn_is_taken_as_it_is() -> None:
    assert identify(headers(259)).msg_type == 259


def test_no_type_counts_as_in_chat_and_is_noted() -> None:
    assert identify(headers(4)).flags == ("version-missing",)


def test_the_bits_of_a_standard_urn_stay_a_missing_version() -> None:
    standard = Headers(
        [("Call-Info", "<urn:emergency:uid:msgtype:2:x>;purpose=EmergencyCallData.MsgType")]
    )
    assert "version-missing" in identify(standard).flags


@pytest.mark.parametrize(
    ("msg_type", "bits"), [(257, 17), (259, 18), (258, 19), (260, 2), (274, 2)]
)
def test_it_is_answered_in_kind(msg_type: int, bits: int) -> None:
    assert outgoing_call_info(CALL_ID, msg_id=7, msg_type=msg_type) == [
        ("Call-Info", f"<{CALL_ID}>; purpose=dec112-CallId"),
        ("Call-Info", "<urn:dec112:uid:msgid:7:service.dec112.at>; purpose=dec112-MsgId"),
        ("Call-Info", f"<urn:dec112:uid:msgtype:{bits}:service.dec112.at>; purpose=dec112-MsgType"),
    ]


def test_what_we_answer_reads_as_what_we_meant() -> None:
    for msg_type in (257, 258, 259):
        answer = Headers(call_info(CALL_ID, msg_id=2, msg_type=msg_type))
        assert (identify(answer).msg_type, identify(answer).call_id) == (msg_type, CALL_ID)


@pytest.mark.parametrize(("value", "asks"), [("True", True), ("true", True), ("False", False)])
def test_a_test_and_silence_have_headers_of_their_own(value: str, asks: bool) -> None:
    assert asks_for_test(Headers([("X-Dec112-Test", value)])) is asks
    headers = Headers([("X-DEC112-Silent", value)])
    assert read_signalling(headers, identify(headers)).silent is asks


@pytest.mark.conformance("6.1.2.10-4", "6.1.2.10-8")
@pytest.mark.parametrize(
    ("urn", "tests"),
    [
        ("urn:service:sos.test", True),
        ("urn:service:sos.fire.test", True),
        ("urn:service:test.sos", True),
        ("urn:service:test.sos.fire", True),
        ("URN:service:SOS.Test", True),
        ("urn:service:sos", False),
        ("urn:service:sos.testing", False),
        ("urn:service:counseling.test", False),
        ("sip:112@example.org", False),
    ],
)
def test_services_that_are_tests(urn: str, tests: bool) -> None:
    assert is_test_service(urn) is tests
    assert is_test(urn, Headers()) is tests
