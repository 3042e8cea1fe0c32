"""Additional data: the blocks of RFC 7852, and subscribers as vCard XML above all."""

import hashlib
import time

import pytest

from sipgateway.protocol.additional import AdditionalDataError, blocks_within, parse_additional
from sipgateway.protocol.body import split_body
from sipgateway.protocol.ecall import describe_msd
from sipgateway.protocol.xml import parse_xml
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


PROVIDER = """<pi:EmergencyCallData.ProviderInfo
    xmlns:pi="urn:ietf:params:xml:ns:EmergencyCallData:ProviderInfo">
  <pi:DataProviderReference>d4b3072df.201409182208075@example.org</pi:DataProviderReference>
  <pi:DataProviderString>Example VoIP Provider</pi:DataProviderString>
  <pi:ProviderID>urn:nena:companyid:ID123</pi:ProviderID>
  <pi:ProviderIDSeries>NENA</pi:ProviderIDSeries>
  <pi:TypeOfProvider>Client</pi:TypeOfProvider>
  <pi:ContactURI>tel:+1-201-555-0123</pi:ContactURI>
  <pi:Language>en</pi:Language><pi:Language>de</pi:Language>
  <pi:SomethingOfTomorrow>x</pi:SomethingOfTomorrow>
  <pi:DataProviderContact><vcard xmlns="urn:ietf:params:xml:ns:vcard-4.0">
    <fn><text>Hannes</text></fn><tel><uri>tel:+1-2</uri></tel></vcard></pi:DataProviderContact>
</pi:EmergencyCallData.ProviderInfo>"""
PROVIDER_FIELDS = {
    **{"name": "Example VoIP Provider", "id": "urn:nena:companyid:ID123", "idSeries": "NENA"},
    **{"type": "Client", "contact": "tel:+1-201-555-0123", "language": "en, de"},
    "reference": "d4b3072df.201409182208075@example.org",
    **{"contactName": "Hannes", "contactPhone": "+1-2"},
}
SERVICE = """<svc:EmergencyCallData.ServiceInfo
    xmlns:svc="urn:ietf:params:xml:ns:EmergencyCallData:ServiceInfo">
  <svc:ServiceEnvironment>Residence</svc:ServiceEnvironment>
  <svc:ServiceType>VOIP</svc:ServiceType><svc:ServiceType>online</svc:ServiceType>
  <svc:ServiceMobility>Unknown</svc:ServiceMobility>
</svc:EmergencyCallData.ServiceInfo>"""
DEVICE = """<dev:EmergencyCallData.DeviceInfo
    xmlns:dev="urn:ietf:params:xml:ns:EmergencyCallData:DeviceInfo">
  <dev:DeviceClassification>fixed</dev:DeviceClassification>
  <dev:DeviceMfgr>Nokia</dev:DeviceMfgr><dev:DeviceModelNr>Lumia 800</dev:DeviceModelNr>
  <dev:UniqueDeviceID TypeOfDeviceID="IMEI">35788104
  </dev:UniqueDeviceID>
</dev:EmergencyCallData.DeviceInfo>"""
COMMENT = """<com:EmergencyCallData.Comment
    xmlns:com="urn:ietf:params:xml:ns:EmergencyCallData:Comment">
  <com:Comment xml:lang="en">This is an example text.</com:Comment>
  <com:Comment xml:lang="de">Ein Beispiel.</com:Comment>
</com:EmergencyCallData.Comment>"""


@pytest.mark.parametrize(
    ("kind", "document", "fields"),
    [
        ("ProviderInfo", PROVIDER, PROVIDER_FIELDS),
        (
            "ServiceInfo",
            SERVICE,
            {"environment": "Residence", "service": "VOIP, online", "mobility": "Unknown"},
        ),
        (
            "DeviceInfo",
            DEVICE,
            {
                **{"classification": "fixed", "manufacturer": "Nokia", "model": "Lumia 800"},
                "identifier": "IMEI 35788104",
            },
        ),
        ("Comment", COMMENT, {"comment": "This is an example text.\nEin Beispiel."}),
    ],
)
def test_each_block_of_rfc_7852(kind: str, document: str, fields: dict[str, str]) -> None:
    content_type = f"application/EmergencyCallData.{kind}+xml"
    assert parse_additional(content_type, document.encode()) == [(kind, fields)]


@pytest.mark.parametrize("kind", ["ProviderInfo", "ServiceInfo", "DeviceInfo", "Comment"])
def test_a_block_without_anything_known_says_nothing_and_a_wrong_one_is_an_error(kind: str) -> None:
    content_type = f"application/EmergencyCallData.{kind}+xml"
    assert parse_additional(content_type, f"<EmergencyCallData.{kind}/>".encode()) == []
    for data in (b"", b"<x/>", b"<!DOCTYPE x><x/>"):
        with pytest.raises(AdditionalDataError):
            parse_additional(content_type, data)


def test_blocks_within_a_document_are_found() -> None:
    root = parse_xml(f"<presence>{PROVIDER}{SERVICE * 50}</presence>".encode())
    kinds = [kind for kind, _ in blocks_within(root)]
    assert kinds == ["ProviderInfo"] + ["ServiceInfo"] * 9


def test_blocks_and_values_are_counted() -> None:
    kind = "application/EmergencyCallData.Comment+xml"
    many = f"<x>{COMMENT.replace('example', 'x' * 9999) * 99}</x>"
    blocks = parse_additional(kind, many.encode())
    assert (len(blocks), len(blocks[0][1]["comment"])) == (10, 2000)
    nested = "<EmergencyCallData.Comment>" * 200 + "</EmergencyCallData.Comment>" * 200
    started = time.process_time()
    parse_additional(kind, f"<x>{nested * 49}</x>".encode())
    assert time.process_time() - started < 0.5


def test_an_msd_of_ecall_is_described_and_not_decoded() -> None:
    data = bytes.fromhex("015C0681D54970D65C3597CA0420C41464583ADE68AC52E9BB8413F149C07414FB")
    assert describe_msd(data) == {
        "formatVersion": 1,
        "size": 33,
        "sha256": hashlib.sha256(data).hexdigest(),
        "note": "Minimum Set of Data, kept as it came; its fields are not decoded.",
    }
    assert "formatVersion" not in describe_msd(b"")
