"""Requests and responses from bytes: what is accepted, and as what."""

import pytest

from sipgateway.protocol.errors import RemoteProtocolError
from sipgateway.protocol.message import Response, parse_message
from tests.protocol.samples import ALL_CAPTURES, capture, raw_message, request


@pytest.mark.parametrize("name", ALL_CAPTURES)
def test_captured_messages_parse_and_are_given_back_byte_for_byte(name: str) -> None:
    data = capture(name)
    parsed = request(data)
    assert parsed.method == "MESSAGE"
    assert parsed.encode() == data
    assert len(parsed.body) == int(parsed.headers.get("Content-Length") or -1)


def test_headers_are_found_in_any_case_and_kept_in_order() -> None:
    headers = request(capture(ALL_CAPTURES[0])).headers
    assert headers.get("call-ID") == "kgetoscnse5sjlmlj1ie"
    assert len(headers.get_all("VIA")) == 2
    assert [name for name, _ in headers][:3] == ["Via", "Via", "Max-Forwards"]
    assert headers.get("Subject") is None
    assert headers.get_all("Subject") == []
    assert "call-info" in headers


def test_folded_lines_become_one_value() -> None:
    headers = request(raw_message(extra=b"Subject: fire\r\n  in\r\n\tthe kitchen\r\n")).headers
    assert headers.get("Subject") == "fire in the kitchen"


def test_a_value_that_starts_on_the_next_line_is_read() -> None:
    headers = request(raw_message(extra=b"Subject:\r\n fire\r\nUser-Agent: x\r\n")).headers
    assert (headers.get("Subject"), headers.get("User-Agent")) == ("fire", "x")


def test_compact_forms_stand_for_their_long_names() -> None:
    data = (
        b"MESSAGE sip:112@example.org SIP/2.0\r\nv: SIP/2.0/UDP a;branch=z9hG4bK1\r\n"
        b"f: <sip:a@example.org>;tag=1\r\nT: <sip:112@example.org>\r\ni: c1\r\n"
        b"CSeq: 1 MESSAGE\r\nc: text/plain\r\nl: 4\r\n\r\nHelp"
    )
    parsed = request(data)
    assert parsed.headers.get("Content-Type") == "text/plain"
    assert parsed.headers.get("To") == "<sip:112@example.org>"
    assert dict(parsed.headers)["Call-ID"] == "c1"
    assert parsed.body == b"Help"


def test_a_service_urn_is_a_request_uri() -> None:
    parsed = request(raw_message(start="MESSAGE urn:service:sos.fire SIP/2.0"))
    assert parsed.uri == "urn:service:sos.fire"


@pytest.mark.parametrize(
    "start",
    [
        "MESSAGE  sip:112@example.org  SIP/2.0",
        "MESSAGE sip:112@example.org SIP/2.0 ",
        "MESSAGE sip:112@example.org sip/2.0",
    ],
)
def test_blanks_and_case_in_the_request_line_are_forgiven(start: str) -> None:
    assert request(raw_message(start=start)).uri == "sip:112@example.org"


def test_line_ends_before_a_message_are_skipped() -> None:
    assert request(b"\r\n\r\n\r\n" + raw_message(b"Help")).body == b"Help"


def test_lines_may_end_in_a_bare_line_feed() -> None:
    head = raw_message(length="6").replace(b"\r\n", b"\n")
    assert request(head + b"a\r\n\r\nb").body == b"a\r\n\r\nb"


def test_a_stray_line_feed_in_a_value_cannot_write_a_line_of_our_answer() -> None:
    parsed = request(raw_message(extra=b"Subject: x\nVia: SIP/2.0/UDP evil\rTo: evil\r\n"))
    assert parsed.headers.get_all("Via")[1:] == ["SIP/2.0/UDP evil"]
    assert all("\n" not in value and "\r" not in value for _, value in parsed.headers)


def test_invalid_utf8_and_nul_in_headers_are_replaced() -> None:
    parsed = request(raw_message(extra=b"Subject: f\xfcr\x00\xed\xa0\x80\r\n"))
    subject = parsed.headers.get("Subject")
    assert subject is not None
    assert subject.startswith("f\ufffdr\ufffd")
    subject.encode()


def test_a_line_without_colon_is_no_header_and_costs_nothing() -> None:
    parsed = request(raw_message(b"Help", extra=b"what is this\r\n"))
    assert parsed.body == b"Help"


def test_body_without_content_length_is_the_rest_of_the_datagram() -> None:
    assert request(raw_message(b"Help\r\n", length=None)).body == b"Help\r\n"


def test_bytes_beyond_content_length_are_cut_off() -> None:
    assert request(raw_message(b"Help me", length="4")).body == b"Help"


def test_equal_content_lengths_agree() -> None:
    assert request(raw_message(b"Help", extra=b"l: 4\r\n")).body == b"Help"


def test_lists_are_split_outside_quotes_and_brackets() -> None:
    parsed = request(raw_message(call_info='<a,b>;x="c,\\"d", <e>;y=f,,'))
    assert parsed.headers.split("Call-Info") == ['<a,b>;x="c,\\"d"', "<e>;y=f"]


def test_responses_parse() -> None:
    parsed = parse_message(
        b"SIP/2.0 202 Accepted for later\r\nVia: SIP/2.0/UDP a;branch=z9hG4bKx\r\n"
        b"CSeq: 1 MESSAGE\r\nl: 0\r\n\r\n"
    )
    assert isinstance(parsed, Response)
    assert (parsed.status, parsed.reason) == (202, "Accepted for later")


@pytest.mark.parametrize(
    "start", ["SIP/2.0 2000 OK", "SIP/2.0 abc OK", "SIP/2.0 007 OK", "SIP/2.0"]
)
def test_a_response_without_a_sane_status_is_refused(start: str) -> None:
    with pytest.raises(RemoteProtocolError):
        parse_message(f"{start}\r\nVia: SIP/2.0/UDP a\r\nCSeq: 1 MESSAGE\r\n\r\n".encode())
