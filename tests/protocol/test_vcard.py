"""Who somebody is, out of vCards of all kinds."""

import time

import pytest

from sipgateway.protocol.additional import AdditionalDataError, parse_additional

CARD_4 = """BEGIN:VCARD\r
VERSION:4.0\r
FN;LANGUAGE=de:Erika Muster\r
 mann\r
N:Mustermann;Erika;;Dr.;\r
ORG:Feuerwehr;Wache 3\r
item1.TEL;VALUE=uri;TYPE="voice,home":tel:+43-1-555\r
TEL:+43-2-555\r
EMAIL:erika@example.com\r
ADR;TYPE=home:;;Ring 1\\, Top 3;Wien;;1010;AT\r
GENDER:F\r
BDAY:19900201\r
LANG:de\r
NOTE:hört schlecht\\nbitte schreiben\r
PHOTO:data:image/png;base64,AAAA\r
END:VCARD\r
"""
SHOWN = {
    **{"name": "Erika Mustermann", "organization": "Feuerwehr, Wache 3", "phone": "+43-1-555"},
    **{"email": "erika@example.com", "address": "Ring 1, Top 3, 1010, Wien, AT", "gender": "F"},
    **{"birthday": "19900201", "language": "de", "note": "hört schlecht\nbitte schreiben"},
}


@pytest.mark.parametrize("content_type", ["text/vcard", "text/x-vcard", "text/directory"])
def test_a_vcard_as_text(content_type: str) -> None:
    assert parse_additional(content_type, CARD_4.encode()) == [("VCard", SHOWN)]


def test_a_vcard_of_old_phones() -> None:
    card = (
        "BEGIN:VCARD\nVERSION:2.1\nN;CHARSET=ISO-8859-1;ENCODING=QUOTED-PRINTABLE:M=FCller;Max\n"
        "TEL;CELL:0664 1\nEND:VCARD\n"
    )
    assert parse_additional("text/x-vcard", card.encode()) == [
        ("VCard", {"name": "Max Müller", "phone": "0664 1"})
    ]


def test_a_vcard_as_xml_with_and_without_its_wrapper() -> None:
    card = "<vcard><fn><text>Max</text></fn></vcard>"
    space = 'xmlns="urn:ietf:params:xml:ns:vcard-4.0"'
    for document in (
        f"<vcards {space}>{card}</vcards>",
        card.replace("<vcard>", f"<vcard {space}>"),
    ):
        assert parse_additional("application/vcard+xml", document.encode()) == [
            ("VCard", {"name": "Max"})
        ]


def test_cards_are_counted_and_one_without_an_end_is_read() -> None:
    cards = "BEGIN:VCARD\nFN:x\nEND:VCARD\n" * 50
    assert len(parse_additional("text/vcard", cards.encode())) == 10
    assert parse_additional("text/vcard", b"BEGIN:VCARD\nFN:x") == [("VCard", {"name": "x"})]


@pytest.mark.parametrize("data", [b"", b"hello", b"FN", b"\xff\xfe", b"END:VCARD\n" * 9999])
def test_a_text_that_is_no_vcard_is_an_error(data: bytes) -> None:
    with pytest.raises(AdditionalDataError):
        parse_additional("text/vcard", data)


def test_a_card_of_a_megabyte_takes_no_time() -> None:
    started = time.process_time()
    parse_additional("text/vcard", b"FN:x\nNOTE:" + b"\\" * 1_000_000)
    parse_additional("text/vcard", b"FN:x\nADR:" + b";" * 1_000_000)
    parse_additional("text/vcard", b"FN:x\n" + b"N:a\n " * 200_000)
    assert time.process_time() - started < 1.0
