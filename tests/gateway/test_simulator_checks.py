"""Each thing that a PSAP can do wrong towards an app has its name."""

import pytest

from sipgateway.simulator.checks import Conversation
from sipgateway.simulator.message import parse_message

CALL_ID = "urn:emergency:uid:callid:0ZWkMCW8YZ0cAhMrI1mdGvB7I1aiBF:dec112.at"
UID = "urn:emergency:service:uid"


def message(msg_type=257, msg_id=1, *, replace=("", ""), add="", body="Was ist passiert?"):
    msg_id_line = f"Call-Info: <{UID}:msgid:{msg_id}:psap>;purpose=EmergencyCallData.MsgId\r\n"
    text = (
        "MESSAGE sip:caller@example.org SIP/2.0\r\n"
        "Via: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK1\r\n"
        "Max-Forwards: 70\r\n"
        "From: <sip:psap@example.org>;tag=1\r\n"
        "To: <sip:caller@example.org>\r\n"
        "Call-ID: 1\r\n"
        "CSeq: 1 MESSAGE\r\n"
        "Reply-To: sip:psap@example.org\r\n"
        f"Call-Info: <{CALL_ID}>;purpose=EmergencyCallData.CallId\r\n"
        f"{msg_id_line if msg_id else ''}"
        f"Call-Info: <{UID}:msgtype:{msg_type}:psap>;purpose=EmergencyCallData.MsgType\r\n"
        f"{add}"
        "Content-Type: text/plain;charset=utf-8\r\n\r\n"
    )
    return parse_message(text.replace(*replace).encode() + body.encode())


def names(failures):
    return [failure.name.value for failure in failures]


def test_greeting_texts_heartbeats_and_stop_in_order_are_fine():
    chat = Conversation(CALL_ID)

    assert chat.message_received(message(257, 1), 0.0) == []
    assert chat.message_received(message(260, None, body=""), 15.0) == []
    assert chat.message_received(message(259, 2), 16.0) == []
    assert chat.message_received(message(260, None, body=""), 30.0) == []
    assert chat.message_received(message(258, 3), 40.0) == []
    assert chat.silence_checked(41.0) == []


@pytest.mark.parametrize(
    ("received", "name"),
    [
        (message(259), "first-not-257"),
        (message(replace=("Reply-To: sip:psap@example.org\r\n", "")), "reply-to-missing"),
        (message(replace=("sip:psap@example.org\r", "<sip:psap@x>\r")), "reply-to-name-addr"),
        (message(replace=(CALL_ID, CALL_ID.lower())), "call-id-changed"),
        (message(replace=("EmergencyCallData.CallId", "x")), "call-id-missing"),
        (message(msg_id=None), "msg-id-missing"),
        (message(msg_id=2), "msg-id-order"),
        (message(add="P-Asserted-Identity: <sip:psap@x>\r\n"), "p-asserted-identity-present"),
        (
            message(
                replace=("purpose=EmergencyCallData.CallId", 'purpose="EmergencyCallData.CallId"')
            ),
            "purpose-quoted",
        ),
        (message(add="Contact: <sip:psap@x>\r\n"), "message-malformed"),
        (message(replace=("Max-Forwards: 70\r\n", "")), "message-malformed"),
        (message(replace=("branch=z9hG4bK1", "branch=1")), "message-malformed"),
        (message(replace=("text/plain", "text/html")), "text-unreadable"),
        (message(replace=("utf-8", "iso-8859-1")), "text-unreadable"),
    ],
)
def test_each_mistake_of_the_first_message_is_named(received, name):
    assert names(Conversation(CALL_ID).message_received(received, 0.0)) == [name]


def test_unknown_message_type_is_named():
    chat = Conversation(CALL_ID)
    chat.message_received(message(), 0.0)

    assert names(chat.message_received(message(262, 2), 1.0)) == ["message-type-invalid"]


def test_a_gap_and_a_repeat_of_msg_ids_are_named_once_each():
    chat = Conversation(CALL_ID)
    chat.message_received(message(), 0.0)

    assert names(chat.message_received(message(259, 3), 1.0)) == ["msg-id-order"]
    assert names(chat.message_received(message(259, 3), 1.0)) == ["msg-id-order"]
    assert names(chat.message_received(message(259, 4), 1.0)) == []


def test_stop_for_a_transfer_repeats_the_last_msg_id():
    chat = Conversation(CALL_ID)
    chat.message_received(message(), 0.0)

    assert chat.message_received(message(266, 1), 1.0) == []


def test_heartbeats_more_than_twenty_seconds_apart_are_late():
    chat = Conversation(CALL_ID)
    chat.message_received(message(), 100.0)

    assert names(chat.message_received(message(260, None, body=""), 122.0)) == ["heartbeat-late"]
    assert chat.silence_checked(142.0) == []
    assert names(chat.silence_checked(144.0)) == ["heartbeat-late"]


@pytest.mark.parametrize(
    ("response", "name"),
    [
        (b"SIP/2.0 503 Service Unavailable\r\nTo: <sip:a>;tag=1\r\n\r\n", "request-refused"),
        (b"SIP/2.0 200 OK\r\nTo: <sip:a>\r\n\r\n", "response-malformed"),
        (b"SIP/2.0 200 OK\r\nTo: <sip:a>;tag=1\r\nm: <sip:b>\r\n\r\n", "response-malformed"),
        (b"SIP/2.0 200 OK\r\nTo: <sip:a>;tag=1\r\n\r\nbody", "response-malformed"),
    ],
)
def test_each_mistake_of_a_response_is_named(response, name):
    assert names(Conversation(CALL_ID).response_received(parse_message(response))) == [name]


def test_202_is_a_success():
    response = parse_message(b"SIP/2.0 202 Accepted\r\nTo: <sip:a>;tag=1\r\n\r\n")

    assert Conversation(CALL_ID).response_received(response) == []
