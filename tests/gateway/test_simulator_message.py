"""The simulator's own SIP parser, framing and identifiers."""

import ast
import sys
from pathlib import Path

import pytest

from sipgateway import simulator
from sipgateway.simulator import lmpe
from sipgateway.simulator.message import (
    SipSyntaxError,
    encode_request,
    encode_response,
    parameter,
    parse_message,
    split_list,
)
from sipgateway.simulator.persona import make_persona
from sipgateway.simulator.transport import Stream, Target, parse_target

MESSAGE = (
    b"MESSAGE urn:service:sos SIP/2.0\r\n"
    b"v: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK1, SIP/2.0/TCP b;branch=z9hG4bK2\r\n"
    b'f: "M\xc3\xbcller; <x>" <sip:a@b>;tag=7\r\n'
    b"t: <urn:service:sos>\r\n"
    b"i: 1\r\n"
    b"CSeq: 1\r\n MESSAGE\r\n"
    b"l: 5\r\n\r\nHilfe und mehr"
)


def test_compact_folded_and_listed_headers_are_read_and_a_longer_body_is_cut():
    message = parse_message(MESSAGE)

    assert (message.method, message.uri) == ("MESSAGE", "urn:service:sos")
    assert message.branch == "z9hG4bK1"
    assert message.values("via")[1] == "SIP/2.0/TCP b;branch=z9hG4bK2"
    assert parameter(message.header("from"), "tag") == "7"
    assert message.header("cseq") == "1 MESSAGE"
    assert message.body == b"Hilfe"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"MESSAGE sip:a SIP/2.0\r\nl: 5\r\n\r\nHi",
        b"MESSAGE sip:a SIP/2.0\r\nl: -1\r\n\r\n",
        b"MESSAGE sip:a SIP/3.0\r\nl: 0\r\n\r\n",
        b"MESSAGE sip:a SIP/2.0\r\nno header line\r\n\r\n",
        b"MESSAGE sip:a SIP/2.0\r\nx: \xff\r\n\r\n",
    ],
)
def test_what_is_no_sip_message_is_refused(data):
    with pytest.raises(SipSyntaxError):
        parse_message(data)


def test_lists_are_split_outside_quotes_and_brackets_only():
    assert split_list('"a, \\", b" <sip:c,d>;x=1 , <sip:e>') == [
        '"a, \\", b" <sip:c,d>;x=1',
        "<sip:e>",
    ]


def test_response_copies_what_belongs_to_the_transaction_and_adds_a_to_tag():
    response = parse_message(encode_response(parse_message(MESSAGE), 200, "us"))

    assert (response.status, response.reason) == (200, "OK")
    assert response.header("cseq") == "1 MESSAGE"
    assert parameter(response.header("to"), "tag") == "us"
    assert response.branch == "z9hG4bK1"


def test_stream_is_cut_into_the_same_messages_whatever_the_segments():
    first = encode_request("MESSAGE", "sip:a@b", [("Via", "x")], b"eins")
    second = encode_request("OPTIONS", "sip:a@b", [], b"")
    stream, bytewise = Stream(), Stream()

    assert stream.feed(b"\r\n\r\n" + first + second + second[:9]) == [first, second]
    found = [m for byte in first + b"\r\n" + second for m in bytewise.feed(bytes([byte]))]
    assert found == [first, second]


def test_stream_without_content_length_is_given_up():
    with pytest.raises(SipSyntaxError):
        Stream().feed(b"MESSAGE sip:a SIP/2.0\r\n\r\n")


def test_identifiers_are_read_from_one_line_or_several():
    lines = lmpe.call_info("urn:emergency:uid:callid:abc:x", 7, lmpe.IN_CHAT, "x")
    joined = [("Call-Info", ",".join(value for _, value in lines))]

    for headers in (lines, joined):
        message = parse_message(encode_request("MESSAGE", "sip:a", headers, b""))
        assert lmpe.identify(message) == lmpe.Identifiers(
            "urn:emergency:uid:callid:abc:x", 7, 259, quoted=False
        )


def test_target_is_host_and_port():
    assert parse_target("udp", "[::1]:5060") == Target("udp", "::1", 5060)
    for text in ("localhost", "localhost:", "localhost:99999", "::1:5060", ":5060"):
        with pytest.raises(ValueError, match="target"):
            parse_target("udp", text)


def test_same_seed_gives_the_same_callers_and_all_languages():
    people = [make_persona(5, number) for number in range(12)]
    again = [make_persona(5, number) for number in range(12)]

    assert [p.texts for p in people] == [p.texts for p in again]
    assert [p.walk.step() for p in people] == [p.walk.step() for p in again]
    assert {p.language for p in people} == {"de", "en", "fr", "tr", "ar", "uk"}
    assert len({p.uri for p in people}) == 12


def test_simulator_imports_nothing_of_ours_and_no_library_but_rich():
    allowed = {*sys.stdlib_module_names, "rich"}
    for path in Path(simulator.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [str(node.module)]
            for name in names:
                own = name.startswith("sipgateway.simulator")
                assert own or name.partition(".")[0] in allowed, f"{path.name}: {name}"
