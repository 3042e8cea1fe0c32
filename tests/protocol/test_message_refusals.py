"""What is refused, with which status, and with what is needed to answer."""

import pytest

from sipgateway.protocol.errors import RemoteProtocolError
from sipgateway.protocol.message import make_response, parse_message
from tests.protocol.samples import BASICS, raw_message


def refusal(data: bytes) -> RemoteProtocolError:
    with pytest.raises(RemoteProtocolError) as caught:
        parse_message(data)
    return caught.value


@pytest.mark.parametrize(
    "data",
    [b"", b"\r\n\r\n", b"\x16\x03\x01\x02\x00", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"hello"],
)
def test_what_is_no_sip_is_refused_without_an_answer(data: bytes) -> None:
    error = refusal(data)
    assert error.status == 400
    assert error.request is None


@pytest.mark.parametrize("name", BASICS)
def test_a_request_that_cannot_be_answered_in_full_is_400(name: str) -> None:
    error = refusal(raw_message(b"Help", without=name))
    assert error.status == 400
    assert (error.request is not None) == (name not in ("Via", "CSeq"))


@pytest.mark.parametrize("length", ["-1", "+4", "4x", "", "0x4", "\u0664"])
def test_content_length_that_is_no_number_is_400_and_answerable(length: str) -> None:
    error = refusal(raw_message(b"Help", length=length))
    assert error.status == 400
    assert error.request is not None
    assert make_response(error.request, 400).encode().startswith(b"SIP/2.0 400 Bad Request\r\n")


def test_contradicting_content_lengths_are_400() -> None:
    assert refusal(raw_message(b"Help", extra=b"l: 5\r\n")).status == 400


def test_a_body_shorter_than_content_length_is_400() -> None:
    error = refusal(raw_message(b"Hel", length="4"))
    assert error.status == 400
    assert error.request is not None


@pytest.mark.parametrize("length", [str(2**63), "9" * 5000])
def test_an_absurd_content_length_is_413(length: str) -> None:
    error = refusal(raw_message(b"Help", length=length))
    assert error.status == 413
    assert error.request is not None


def test_another_version_of_sip_is_505() -> None:
    error = refusal(raw_message(start="MESSAGE sip:112@example.org SIP/7.0"))
    assert error.status == 505
    assert error.request is not None


def test_ten_thousand_header_lines_are_400_and_answerable() -> None:
    error = refusal(raw_message(extra=b"X: y\r\n" * 10_000))
    assert error.status == 400
    assert error.request is not None


def test_a_header_line_of_20_kib_is_413() -> None:
    assert refusal(raw_message(extra=b"X: " + b"y" * 20_000 + b"\r\n")).status == 413


def test_a_header_line_of_1_mib_is_413_and_answerable() -> None:
    error = refusal(raw_message(extra=b"X: " + b"y" * 1024 * 1024 + b"\r\n"))
    assert error.status == 413
    assert error.request is not None


def test_a_message_of_17_mib_is_413_and_answerable() -> None:
    error = refusal(raw_message(b"x" * 17 * 1024 * 1024))
    assert error.status == 413
    assert error.request is not None
