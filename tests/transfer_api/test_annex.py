"""The schemas of Annex A: what each of its four bodies must have, and what it may have."""

import pytest

from transfer_api.schemas import (
    EXECUTION_REQUEST,
    EXECUTION_RESPONSE,
    NEGOTIATION_REQUEST,
    NEGOTIATION_RESPONSE,
    schema,
    validate,
)

CALL_ID = "urn:emergency:uid:callid:a56e556d871:app.example.org"
A, B = "sip:psap@a.example.org", "sip:psap@b.example.org"
BODIES = {
    NEGOTIATION_REQUEST: {"CallId": CALL_ID, "TransferFrom": A, "TransferTo": B},
    NEGOTIATION_RESPONSE: {"CallId": CALL_ID, "ExpiryTime": 60, "StatusCode": 202},
    EXECUTION_REQUEST: {"CallId": CALL_ID, "MessageId": 7, "ExpiryTime": 20},
    EXECUTION_RESPONSE: {"CallId": CALL_ID, "StatusCode": 200},
}


def places(name: str, **changed: object) -> list[str]:
    """Return where a body with some values changed violates its schema."""
    return [found.pointer for found in validate(name, {**BODIES[name], **changed})]


@pytest.mark.parametrize("name", BODIES)
def test_each_is_identified_as_the_annex_does(name: str) -> None:
    base = "https://forge.etsi.org/rep/emtel/ts-103-698/json-schema/blob/v1.1.1"
    assert schema(name)["$id"] == f"{base}/{name}.json"
    assert schema(name)["$schema"] == "http://json-schema.org/draft-07/schema#"


def check_required(name: str) -> None:
    """A body has all of its keys, and unknown ones do no harm."""
    assert places(name) == []
    assert places(name, Unknown={"of": "a later version"}) == []
    for key in BODIES[name]:
        short = {k: v for k, v in BODIES[name].items() if k != key}
        [found] = validate(name, short)
        assert (found.pointer, key in found.detail) == ("", True)
    assert validate(name, [BODIES[name]])


@pytest.mark.parametrize("wrong", [None, 1, True, ["x"], {}])
@pytest.mark.conformance("A.1-1", "6.3.2-1")
def test_a_negotiation_request_has_three_strings(wrong: object) -> None:
    check_required(NEGOTIATION_REQUEST)
    for key in BODIES[NEGOTIATION_REQUEST]:
        assert places(NEGOTIATION_REQUEST, **{key: wrong}) == [f"/{key}"]


@pytest.mark.conformance("A.1-2", "6.3.2-2")
def test_a_reason_is_a_string_and_may_be_left_out() -> None:
    assert places(NEGOTIATION_REQUEST, ReasonText="Nicht zuständig 🚑") == []
    assert places(NEGOTIATION_REQUEST, ReasonText="") == []
    assert places(NEGOTIATION_REQUEST, ReasonText=None) == ["/ReasonText"]


@pytest.mark.conformance("A.2-1")
def test_a_negotiation_response_has_call_id_expiry_and_status() -> None:
    check_required(NEGOTIATION_RESPONSE)
    assert places(NEGOTIATION_RESPONSE, CallId=1) == ["/CallId"]


@pytest.mark.parametrize("name", [NEGOTIATION_RESPONSE, EXECUTION_REQUEST])
@pytest.mark.conformance("A.2-2", "A.3-3")
def test_an_expiry_time_is_an_integer_of_ten_at_least(name: str) -> None:
    for fine in (10, 11, 3600, 2**70):
        assert places(name, ExpiryTime=fine) == []
    for wrong in (9, 0, -10, 10.5, "60", None, True):
        assert places(name, ExpiryTime=wrong) == ["/ExpiryTime"], wrong


@pytest.mark.conformance("A.2-3", "6.3.2-4")
def test_a_negotiation_is_accepted_or_not_acceptable() -> None:
    for fine in (202, 406):
        assert places(NEGOTIATION_RESPONSE, StatusCode=fine) == []
    for wrong in (200, 503, 0, "202", None, True):
        assert places(NEGOTIATION_RESPONSE, StatusCode=wrong), wrong


@pytest.mark.conformance("A.3-1", "6.3.3-1")
def test_an_execution_request_has_call_id_message_id_and_expiry() -> None:
    check_required(EXECUTION_REQUEST)
    assert places(EXECUTION_REQUEST, CallId=1) == ["/CallId"]


@pytest.mark.conformance("A.3-2")
def test_a_message_id_is_an_integer_of_one_at_least() -> None:
    for fine in (1, 2, 2**63):
        assert places(EXECUTION_REQUEST, MessageId=fine) == []
    for wrong in (0, -1, 1.5, "7", None, True):
        assert places(EXECUTION_REQUEST, MessageId=wrong) == ["/MessageId"], wrong


@pytest.mark.conformance("A.3-4")
def test_data_is_an_object_and_may_be_left_out() -> None:
    assert places(EXECUTION_REQUEST, Data={}) == []
    for wrong in (None, [], "x", 1):
        assert places(EXECUTION_REQUEST, Data=wrong) == ["/Data"]


@pytest.mark.conformance("A.4-1", "6.3.3-3")
def test_an_execution_response_has_call_id_and_status() -> None:
    check_required(EXECUTION_RESPONSE)
    assert places(EXECUTION_RESPONSE, CallId=1) == ["/CallId"]


@pytest.mark.conformance("A.4-2", "6.3.3-4")
def test_an_execution_is_done_or_not_available() -> None:
    for fine in (200, 503):
        assert places(EXECUTION_RESPONSE, StatusCode=fine) == []
    for wrong in (202, 406, 0, "200", None, True):
        assert places(EXECUTION_RESPONSE, StatusCode=wrong), wrong
