"""Who writes, what was called, and which request is the same again."""

import pytest

from sipgateway.protocol.addresses import normalise_uri, parse_address
from sipgateway.protocol.headers import Headers
from sipgateway.protocol.lmpe import Caller, called_service, identify_caller, request_key
from tests.protocol.samples import START, capture, raw_message, request

NUMBERS = {"112": "urn:service:sos", "133": "urn:service:sos.police"}


def caller(*, trusts_assertion: bool = False, **headers: str) -> Caller:
    items = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return identify_caller(Headers(items), trusts_assertion=trusts_assertion)


def test_the_caller_of_a_capture() -> None:
    found = identify_caller(request(capture(START)).headers, trusts_assertion=True)
    assert (found.uri, found.tag) == ("sip:caller2@example.org", "r2jetibsh2")
    assert found.display_name == "0043664123456"
    assert found.asserted_uri == "sip:caller2@example.org"
    assert found.user_agent == "ng112-js/2.0.0-dev.47 JsSIP/3.13.8"


@pytest.mark.parametrize(
    ("uri", "plain"),
    [
        ("sip:Erika@Example.ORG:5060;transport=tcp?Subject=x", "sip:Erika@example.org"),
        ("SIPS:erika:secret@example.org", "sips:erika@example.org"),
        ("sip:%65rika%40x@example.org", "sip:erika%40x@example.org"),
        ("sip:example.org;lr", "sip:example.org"),
        ("sip:a@[2001:DB8::1]:5060", "sip:a@[2001:db8::1]"),
        ("tel:+43 (1) 234-56;phone-context=x", "tel:+4312345 6".replace(" ", "")),
        ("urn:service:sos", "urn:service:sos"),
        ("erika", ""),
        ("", ""),
        ("sip:", ""),
    ],
)
def test_uris_are_normalised(uri: str, plain: str) -> None:
    assert normalise_uri(uri) == plain


@pytest.mark.parametrize(
    ("value", "name", "uri", "tag"),
    [
        ('"A \\"B\\" <c>" <sip:a@x>;tag=1', 'A "B" <c>', "sip:a@x", "1"),
        ("Erika M <sip:a@x> ; x=1 ; TAG = 1", "Erika M", "sip:a@x", "1"),
        ("sip:a@x;tag=1", "", "sip:a@x", "1"),
        ("<sip:a@x;tag=no>", "", "sip:a@x;tag=no", ""),
        ('<sip:a@x>;x=";tag=no";tag=1', "", "sip:a@x", "1"),
        ('"unclosed <sip:a@x>;tag=1', "unclosed", "sip:a@x", "1"),
        ("", "", "", ""),
        (">;<", "", "", ""),
    ],
)
def test_addresses_are_taken_apart(value: str, name: str, uri: str, tag: str) -> None:
    found = parse_address(value)
    assert (found.uri, found.tag) == (uri, tag)
    if uri:
        assert found.display_name == name


def test_an_unreadable_from_is_kept_as_it_came_but_bounded() -> None:
    assert caller(**{"From": "no uri at all"}).uri == "no uri at all"
    assert len(caller(**{"From": "x" * 5000}).uri) == 400
    assert caller().uri == ""


def test_an_assertion_counts_only_from_a_trusted_peer() -> None:
    headers = {"From": "<sip:a@x>", "P_Asserted_Identity": "<tel:+431>, <sip:real@x>"}
    assert caller(**headers).asserted_uri == ""
    assert caller(**headers).target == "sip:a@x"
    assert caller(trusts_assertion=True, **headers).asserted_uri == "sip:real@x"
    assert caller(trusts_assertion=True, **headers).target == "sip:real@x"


def test_the_target_keeps_port_and_parameters() -> None:
    found = caller(**{"From": "<sip:a@x:5070;transport=tcp>;tag=1"})
    assert (found.uri, found.target) == ("sip:a@x", "sip:a@x:5070;transport=tcp")


@pytest.mark.parametrize(
    ("headers", "language"),
    [
        ({"Accept_Language": "de;q=0.5, tr , *;q=0.9"}, "tr"),
        ({"Accept_Language": "uk;q=x"}, "uk"),
        ({"Accept_Language": "*"}, ""),
        ({"Content_Language": "ar, en"}, "ar"),
        ({"Accept_Language": "x" * 100}, "x" * 35),
    ],
)
def test_the_preferred_language(headers: dict[str, str], language: str) -> None:
    assert caller(**headers).language == language


@pytest.mark.parametrize(
    ("uri", "to", "service"),
    [
        ("urn:service:sos.fire", "<sip:133@x>", "urn:service:sos.fire"),
        ("URN:Service:SOS.Test", "", "urn:service:sos.test"),
        ("urn:service:test.sos", "", "urn:service:test.sos"),
        ("sip:133@example.org;user=phone", "", "urn:service:sos.police"),
        ("sip:133;phone-context=+43@example.org", "", "urn:service:sos.police"),
        ("<sip:133@example.org>", "", "urn:service:sos.police"),
        ("tel:133;phone-context=+43", "", "urn:service:sos.police"),
        ("sip:psap@example.org", "<sip:133@x>", "urn:service:sos.police"),
        ("sip:psap@example.org", "<urn:service:sos.ambulance>", "urn:service:sos.ambulance"),
        ("sip:psap@example.org", "<sip:psap@example.org>", "urn:service:sos"),
        ("", "", "urn:service:sos"),
    ],
)
def test_the_called_service(uri: str, to: str, service: str) -> None:
    assert called_service(uri, Headers([("To", to)]), NUMBERS) == service


def test_the_called_service_from_the_first_history_entry() -> None:
    history = "<sip:psap@x?Reason=SIP%3Bcause%3D302>;index=1.1, <sip:133@x>;index=1"
    headers = Headers([("To", "<sip:psap@x>"), ("History-Info", history)])
    assert called_service("sip:psap@x", headers, NUMBERS) == "urn:service:sos.police"


def test_the_request_key_is_that_of_a_retransmission_only() -> None:
    def key(body: bytes = b"Help", **changed: str) -> bytes:
        return request_key(request(raw_message(body, **changed)))

    assert len(key()) == 16
    assert key() == key(via="SIP/2.0/TCP elsewhere;branch=z9hG4bKother", to="<sip:x@y>")
    others = [
        key(b"Help!"),
        key(cseq="2 MESSAGE"),
        key(call_id="c2"),
        key(**{"from": "<sip:erika@example.org>;tag=f2"}),
    ]
    assert len({key(), *others}) == 5
