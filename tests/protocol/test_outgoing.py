"""The messages we send, as apps in the field take them."""

import pytest

from sipgateway.protocol.errors import LocalProtocolError
from sipgateway.protocol.lmpe import call_info, identify, new_message
from tests.protocol.samples import request

CALL_ID = "urn:emergency:uid:callid:a56e556d871:dec112.at"


def message(**changed: object) -> bytes:
    arguments: dict[str, object] = {
        "uri": "sip:erika@example.org",
        "from_uri": "sip:psap@example.org",
        "from_tag": "t1",
        "reply_to": "sip:psap@example.org",
        "call_id": "out1",
        "cseq": 3,
        "branch": "z9hG4bKout",
        "via_transport": "tcp",
        "via_host": "192.0.2.1",
        "via_port": 5060,
        "call_info": call_info(CALL_ID, msg_id=1, msg_type=257),
        "text": "Grüß Gott 🚑",
    }
    return new_message(**{**arguments, **changed})  # type: ignore[arg-type]


def test_our_message_reads_as_what_we_meant() -> None:
    sent = request(message())
    assert sent.uri == "sip:erika@example.org"
    assert sent.body.decode() == "Grüß Gott 🚑"
    found = identify(sent.headers)
    assert (found.call_id, found.msg_id, found.msg_type, found.flags) == (CALL_ID, 1, 257, ())
    assert dict(sent.headers) == {
        "Via": "SIP/2.0/TCP 192.0.2.1:5060;branch=z9hG4bKout;rport",
        "Max-Forwards": "70",
        "From": "<sip:psap@example.org>;tag=t1",
        "To": "<sip:erika@example.org>",
        "Call-ID": "out1",
        "CSeq": "3 MESSAGE",
        "Reply-To": "sip:psap@example.org",
        "Call-Info": sent.headers.get_all("Call-Info")[-1],
        "Resource-Priority": "esnet.1",
        "User-Agent": "Leitstand",
        "Content-Type": "text/plain;charset=utf-8",
        "Content-Length": str(len(sent.body)),
    }


def test_equal_arguments_give_equal_bytes() -> None:
    assert message() == message()


def test_call_info_as_apps_match_it() -> None:
    assert call_info(CALL_ID, msg_id=4, msg_type=259) == [
        ("Call-Info", f"<{CALL_ID}>;purpose=EmergencyCallData.CallId"),
        (
            "Call-Info",
            "<urn:emergency:service:uid:msgid:4:dec112.at>;purpose=EmergencyCallData.MsgId",
        ),
        (
            "Call-Info",
            "<urn:emergency:service:uid:msgtype:259:dec112.at>;purpose=EmergencyCallData.MsgType",
        ),
    ]


def test_a_heartbeat_has_no_message_identifier() -> None:
    values = [value for _, value in call_info(CALL_ID, msg_id=None, msg_type=260)]
    assert len(values) == 2
    assert not any("msgid" in value for value in values)


def test_no_text_is_no_body_and_no_content_type() -> None:
    sent = request(message(text=None))
    assert sent.body == b""
    assert sent.headers.get("Content-Type") is None
    assert sent.headers.get("Content-Length") == "0"


def test_reply_to_gets_brackets_only_where_it_must() -> None:
    sent = request(message(reply_to="sip:psap@example.org;transport=tcp"))
    assert sent.headers.get("Reply-To") == "<sip:psap@example.org;transport=tcp>"


def test_ipv6_hosts_are_bracketed_in_via() -> None:
    sent = request(message(via_host="2001:db8::1"))
    assert (sent.headers.get("Via") or "").startswith("SIP/2.0/TCP [2001:db8::1]:5060;")


@pytest.mark.parametrize(
    "changed",
    [{"uri": "sip:a@x\r\nEvil: 1"}, {"call_id": "a\r\nb"}, {"headers": [("X", "a\nb")]}],
)
def test_nothing_can_add_a_line(changed: dict[str, object]) -> None:
    with pytest.raises(LocalProtocolError):
        message(**changed)


def test_a_lone_surrogate_in_our_text_is_replaced() -> None:
    assert request(message(text="a\ud800b")).body == b"a?b"
