"""LMPE identifiers out of Call-Info, as the field writes them."""

import pytest

from sipgateway.protocol.headers import Headers
from sipgateway.protocol.lmpe import Identifiers, MessageType, identify
from tests.protocol.samples import ALL_CAPTURES, START, capture, request

CALL = "<urn:emergency:uid:callid:a56e556d871:dec112.at>;purpose=EmergencyCallData.CallId"
MSG = "<urn:emergency:service:uid:msgid:7:dec112.at>;purpose=EmergencyCallData.MsgId"
TYPE = "<urn:emergency:service:uid:msgtype:259:dec112.at>;purpose=EmergencyCallData.MsgType"


def read(*values: str) -> Identifiers:
    return identify(Headers([("Call-Info", value) for value in values]))


def with_type(text: str) -> Identifiers:
    return read(CALL, MSG, TYPE.replace("259", text))


def with_msg_id(text: str) -> Identifiers:
    return read(CALL, MSG.replace(":7:", f":{text}:"), TYPE)


def test_a_captured_start_is_read() -> None:
    assert identify(request(capture(START)).headers) == Identifiers(
        call_id="urn:emergency:uid:callid:0ZWkMCW8YZ0cAhMrI1mdGvB7I1aiBF:dec112.at",
        unique_part="0ZWkMCW8YZ0cAhMrI1mdGvB7I1aiBF",
        element="dec112.at",
        msg_id=1,
        msg_type=MessageType.START,
        flags=(),
    )


def test_all_captures_belong_to_one_chat() -> None:
    found = [identify(request(capture(name)).headers) for name in ALL_CAPTURES]
    assert len({(each.unique_part, each.element) for each in found}) == 1
    assert [each.msg_type for each in found] == [257, 259, 260, 260, 258]
    assert [each.msg_id for each in found] == [1, 2, 3, 4, 5]


@pytest.mark.conformance("6.1.2.7-4")
@pytest.mark.parametrize(
    "value",
    [
        CALL,
        CALL.replace(":uid:", ":service:uid:"),
        CALL.replace(";", " ; "),
        CALL.replace("purpose=", "PURPOSE = "),
        CALL.replace("EmergencyCallData.CallId", '"EmergencyCallData.CallId"'),
        CALL.replace("EmergencyCallData", "emergencychatdata"),
        CALL.replace("urn:emergency:uid", "URN:Emergency:UID"),
        CALL.replace(";purpose", ";x=1;purpose"),
        CALL.replace("<", "< ").replace(">", " >"),
        CALL.partition(";")[0],
        "<https://example.org/a>;purpose=icon, " + CALL,
        CALL.replace("emergency:uid", "dec112:uid").replace("EmergencyCallData.", "dec112-"),
    ],
)
def test_spellings_of_the_call_identifier(value: str) -> None:
    found = read(value, MSG, TYPE)
    assert (found.unique_part, found.element, found.flags) == ("a56e556d871", "dec112.at", ())
    assert found.call_id == value[value.lower().index("urn:") :].partition(">")[0].strip()


def test_all_three_in_one_line() -> None:
    found = read(f"{CALL},{MSG} , {TYPE}")
    assert (found.unique_part, found.msg_id, found.msg_type) == ("a56e556d871", 7, 259)


def test_chat_data_purpose_of_the_text_is_accepted() -> None:
    assert read(CALL, MSG.replace("CallData", "ChatData"), TYPE).msg_id == 7


def test_the_first_of_each_kind_counts() -> None:
    found = read(CALL, CALL.replace("a56", "b77"), MSG, MSG.replace(":7:", ":8:"), TYPE)
    assert (found.unique_part, found.msg_id) == ("a56e556d871", 7)


def test_identifiers_of_others_are_left_alone() -> None:
    found = read(CALL.replace("EmergencyCallData.CallId", "emergency-CallId"))
    assert found.call_id == ""


def test_a_message_without_call_info_stands_alone() -> None:
    assert read() == Identifiers(
        "", "", "", None, 259, ("call-id-missing", "msg-id-missing", "msg-type-missing")
    )


def test_an_element_may_contain_colons_or_be_missing() -> None:
    assert read(CALL.replace("dec112.at", "dec112.at:5060")).element == "dec112.at:5060"
    assert read(CALL.replace(":dec112.at", "")).element == ""


@pytest.mark.parametrize("text", [str(2**63), "abc", "-1", "", "1.5", "\u0661", "9" * 5000, "1_0"])
def test_a_message_id_that_is_no_63_bit_number_is_flagged(text: str) -> None:
    found = with_msg_id(text)
    assert found.msg_id is None
    assert found.flags == ("msg-id-invalid",)


@pytest.mark.parametrize(("text", "number"), [("0", 0), ("007", 7), (str(2**63 - 1), 2**63 - 1)])
def test_message_ids_up_to_63_bits_are_taken(text: str, number: int) -> None:
    assert with_msg_id(text).msg_id == number


@pytest.mark.parametrize("text", ["start", "-257", "65536", "", "9" * 5000])
def test_a_type_that_is_no_16_bit_number_counts_as_in_chat(text: str) -> None:
    found = with_type(text)
    assert found.msg_type == MessageType.IN_CHAT
    assert found.flags == ("msg-type-invalid",)


def test_a_type_without_version_gets_version_1() -> None:
    found = with_type("1")
    assert found.msg_type == MessageType.START
    assert found.flags == ("version-missing",)


@pytest.mark.conformance("A.5-1")
def test_a_type_is_the_version_and_its_bits() -> None:
    """The table of Annex A.5: transfer and redirect go with start or stop."""
    start, stop, in_chat, heartbeat, transfer, redirect, inactive = 1, 2, 3, 4, 8, 16, 128
    kinds = [start, stop, in_chat, heartbeat, transfer | start, transfer | stop]
    kinds += [redirect | start, redirect | stop, inactive | heartbeat]
    assert [256 | kind for kind in kinds] == list(MessageType)
    for msg_type in MessageType:
        found = with_type(str(int(msg_type)))
        assert (found.msg_type, found.flags) == (msg_type, ())


@pytest.mark.conformance("6.1.2.7-12", "A.5-2")
@pytest.mark.parametrize("number", [256, 261, 512 + 3, 65535])
def test_an_unknown_type_is_kept_and_flagged(number: int) -> None:
    found = with_type(str(number))
    assert found.msg_type == number
    assert found.flags == ("message-type-unknown",)


@pytest.mark.conformance("6.1.2.7-6")
def test_a_unique_part_of_64_characters_is_taken_and_a_longer_one_cut() -> None:
    assert read(CALL.replace("a56e556d871", "a" * 64), MSG, TYPE).flags == ()
    first = read(CALL.replace("a56e556d871", "a" * 65 + "1"), MSG, TYPE)
    other = read(CALL.replace("a56e556d871", "a" * 65 + "2"), MSG, TYPE)
    assert first.flags == ("call-id-invalid",)
    assert len(first.unique_part) == 64
    assert first.unique_part != other.unique_part


@pytest.mark.parametrize("urn", ["urn:emergency:uid:callid::dec112.at", "urn:x-other:1", "abc"])
def test_a_call_identifier_of_no_known_form_still_names_a_chat(urn: str) -> None:
    found = read(f"<{urn}>;purpose=EmergencyCallData.CallId", MSG, TYPE)
    assert found.call_id == urn
    assert found.unique_part
    assert ":" not in found.unique_part
    assert found.flags == ("call-id-invalid",)
