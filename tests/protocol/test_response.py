"""Answers of ours."""

from sipgateway.protocol.message import Response, make_response, parse_message, reason_phrase
from sipgateway.protocol.via import parse_via
from tests.protocol.samples import START, capture, raw_message, request


def test_an_answer_carries_what_the_client_matches_it_by() -> None:
    asked = request(capture(START))
    answer = parse_message(make_response(asked, 200, to_tag="mine").encode())
    assert isinstance(answer, Response)
    assert (answer.status, answer.reason, answer.body) == (200, "OK", b"")
    for name in ("Via", "From", "Call-ID", "CSeq"):
        assert answer.headers.get_all(name) == asked.headers.get_all(name)
    assert answer.headers.get("To") == "<sip:112@example.org>;tag=mine"
    assert answer.headers.get("Content-Length") == "0"


def test_a_to_tag_that_is_there_stays() -> None:
    asked = request(raw_message(to="<sip:112@example.org>;tag=theirs"))
    assert make_response(asked, 200, to_tag="mine").headers.get("To") == (
        "<sip:112@example.org>;tag=theirs"
    )


def test_a_derived_to_tag_is_the_same_for_a_repeated_request() -> None:
    first, again = (make_response(request(raw_message(b"a")), 200) for _ in range(2))
    other = make_response(request(raw_message(b"a", call_id="c2")), 200)
    assert first.headers.get("To") == again.headers.get("To") != other.headers.get("To")


def test_an_empty_to_tag_leaves_the_tag_off() -> None:
    answer = make_response(request(raw_message()), 100, to_tag="")
    assert answer.headers.get("To") == "<sip:112@example.org>"


def test_header_bytes_that_are_no_utf8_are_echoed_as_they_came() -> None:
    data = raw_message().replace(b'"Erika"', b'"J\xfcrgen \x00"')
    assert b'From: "J\xfcrgen \x00" <sip:erika@example.org>;tag=f1\r\n' in (
        make_response(request(data), 200).encode()
    )


def test_further_headers_and_a_body_go_along() -> None:
    answer = make_response(request(raw_message()), 405, headers=[("Allow", "MESSAGE")], body=b"no")
    assert b"Allow: MESSAGE\r\nContent-Length: 2\r\n\r\nno" in answer.encode()


def test_the_source_is_stamped_where_it_differs_from_sent_by() -> None:
    answer = make_response(request(raw_message()), 200, source=("192.0.2.7", 1234))
    assert answer.headers.get("Via") == (
        "SIP/2.0/UDP app.example.org:5060;branch=z9hG4bKabc123;received=192.0.2.7"
    )


def test_rport_is_filled_in_where_it_was_asked_for() -> None:
    asked = request(raw_message(via="SIP/2.0/UDP 192.0.2.7;rport;branch=z9hG4bKx, SIP/2.0/TCP b"))
    answer = make_response(asked, 200, source=("192.0.2.7", 1234))
    assert answer.headers.get("Via") == (
        "SIP/2.0/UDP 192.0.2.7;rport=1234;branch=z9hG4bKx;received=192.0.2.7, SIP/2.0/TCP b"
    )


def test_a_sent_by_that_is_the_source_stays_untouched() -> None:
    asked = request(raw_message(via="SIP/2.0/UDP 192.0.2.7:5062;branch=z9hG4bKx"))
    answer = make_response(asked, 200, source=("192.0.2.7", 1234))
    assert answer.headers.get("Via") == "SIP/2.0/UDP 192.0.2.7:5062;branch=z9hG4bKx"


def test_reason_phrases_are_known_or_those_of_the_class() -> None:
    assert reason_phrase(503) == "Service Unavailable"
    assert reason_phrase(299) == "OK"
    assert reason_phrase(999) == "Unknown"


def test_odd_spellings_of_via_are_read() -> None:
    via = parse_via('SIP / 2.0 / udp  App.Example.org : 5060 ; x="a;branch=no"; Branch = z9hG4bKq')
    assert (via.transport, via.sent_by, via.branch) == ("UDP", "app.example.org:5060", "z9hG4bKq")
    assert parse_via("").branch == ""
