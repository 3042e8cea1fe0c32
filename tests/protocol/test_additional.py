"""Subscriber data as vCard XML."""

import pytest

from sipgateway.protocol.additional import AdditionalDataError, parse_additional
from sipgateway.protocol.body import split_body
from tests.protocol.samples import START, capture, request

REGISTERED = "application/EmergencyCallData.SubscriberInfo+xml"


def card(inner: str) -> bytes:
    return (
        '<s:EmergencyCallData.SubscriberInfo xmlns:s="urn:x" '
        'xmlns="urn:ietf:params:xml:ns:vcard-4.0"><s:SubscriberData><vcards><vcard>'
        f"{inner}</vcard></vcards></s:SubscriberData></s:EmergencyCallData.SubscriberInfo>"
    ).encode()


def test_the_captured_subscriber() -> None:
    start = request(capture(START))
    part = split_body(start.headers, start.body)[1]
    assert parse_additional(part.content_type, part.data) == [
        (
            "SubscriberInfo",
            {
                "name": "Erika Mustermann",
                "phone": "0123456789",
                "email": "d@example.com",
                "address": "Example street 13",
                "gender": "F",
                "birthday": "1990-02-01",
            },
        )
    ]


def test_a_full_vcard_with_parameters_and_uris() -> None:
    inner = (
        "<n><surname>Muster</surname><given>Max</given></n>"
        "<tel><parameters><type><text>cell</text></type></parameters><uri>tel:+431</uri></tel>"
        "<tel><uri>tel:+432</uri></tel><bday><date>19850412</date></bday>"
        "<adr><street>Ring 1</street><locality>Wien</locality><code>1010</code>"
        "<country>AT</country></adr><lang><language-tag>tr</language-tag></lang>"
        "<note><text>deaf</text></note>"
    )
    assert parse_additional(REGISTERED, card(inner)) == [
        (
            "SubscriberInfo",
            {
                "name": "Max Muster",
                "phone": "+431",
                "birthday": "19850412",
                "address": "Ring 1, 1010, Wien, AT",
                "language": "tr",
                "note": "deaf",
            },
        )
    ]


def test_only_what_is_there_is_told() -> None:
    assert parse_additional(REGISTERED, card("<fn><text> </text></fn>")) == []
    assert parse_additional(REGISTERED, card("<fn>plain</fn>")) == [
        ("SubscriberInfo", {"name": "plain"})
    ]


def test_values_are_bounded() -> None:
    ((_, data),) = parse_additional(REGISTERED, card(f"<fn><text>{'x' * 9999}</text></fn>"))
    assert len(data["name"]) == 500


@pytest.mark.parametrize("data", [b"", b"<x/>", b"<x>", b"<!DOCTYPE x><x/>"])
def test_a_block_that_cannot_be_read_is_an_error(data: bytes) -> None:
    with pytest.raises(AdditionalDataError):
        parse_additional(REGISTERED, data)


def test_other_content_types_are_none_of_its_business() -> None:
    assert parse_additional("image/png", b"\x89PNG") == []
