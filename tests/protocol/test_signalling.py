"""What the header fields of Tables 1 and 2 say of a call."""

import pytest

from sipgateway.protocol.headers import Headers
from sipgateway.protocol.identifiers import identify
from sipgateway.protocol.priority import esnet_level, resource_priority
from sipgateway.protocol.signalling import SignalledReference, Signalling, read_signalling

START_REDIRECT = (
    "Call-Info",
    "<urn:emergency:uid:msgtype:273:a.example>;purpose=EmergencyCallData.MsgType",
)


def read(*fields: tuple[str, str], body: bytes = b"", target: str = "") -> Signalling:
    headers = Headers(fields)
    return read_signalling(headers, identify(headers), body, target)


def test_a_message_that_says_nothing_beside_says_nothing() -> None:
    assert read(("From", "<sip:a@x>;tag=1"), ("Content-Type", "text/plain")) == Signalling({})


@pytest.mark.conformance("6.1.2.4-1")
def test_plain_fields_are_kept_as_they_came() -> None:
    said = read(
        ("P-Access-Network-Info", "3GPP-E-UTRAN-FDD;utran-cell-id-3gpp=234151D0FCE11"),
        ("Accept-Contact", "*;+sip.message, *;text"),
        ("s", "Help"),
        ("Organization", "Example"),
        ("Geolocation-Routing", "yes"),
        ("Priority", "emergency"),
        ("Accept-Language", "de-AT, en;q=0.5"),
        ("Content-Language", "en"),
    ).said
    assert said == {
        "accessNetwork": "3GPP-E-UTRAN-FDD;utran-cell-id-3gpp=234151D0FCE11",
        "acceptContact": ["*;+sip.message", "*;text"],
        "subject": "Help",
        "organization": "Example",
        "geolocationRouting": "yes",
        "priority": "emergency",
        "languages": ["de-AT", "en"],
    }


@pytest.mark.conformance("6.1.2.6-1")
def test_a_retargeted_call_says_by_which_way_it_came() -> None:
    said = read(
        ("History-Info", "<sip:112@a?Reason=SIP%3Bcause%3D302>;index=1"),
        ("History-Info", "<sip:psap@b>;index=1.1"),
    ).said
    assert said["cameVia"] == [
        {"uri": "sip:112@a", "index": "1", "cause": 302, "reason": ""},
        {"uri": "sip:psap@b", "index": "1.1", "cause": None, "reason": ""},
    ]


def test_the_lone_entry_that_some_apps_always_add_is_no_retargeting() -> None:
    assert read(("History-Info", "<sip:112@a>;index=1")).said == {}


@pytest.mark.conformance("6.2.7-6")
def test_a_redirected_app_names_the_psap_that_it_comes_from() -> None:
    history = ("History-Info", "<sip:112@bcf>;index=1,<sip:psap-a@example.org>;index=1.1")
    assert read(START_REDIRECT, history).came_from == "sip:psap-a@example.org"
    assert read(history).came_from == ""
    assert read(START_REDIRECT).came_from == ""


@pytest.mark.conformance("6.2.7-6")
def test_where_a_proxy_sent_it_on_to_is_not_where_it_comes_from() -> None:
    """RFC 4244: each proxy adds its target at the end, and of the last one that is us."""
    history = ("History-Info", "<sip:psap-a@example.org>;index=1,<sip:psap-b@x>;index=1.1")
    from_a = read(START_REDIRECT, history, target="sip:psap-b@X;transport=tls").came_from
    assert from_a == "sip:psap-a@example.org"
    alone = ("History-Info", "<sip:psap-b@x>;index=1")
    assert read(START_REDIRECT, alone, target="sip:psap-b@x").came_from == ""


@pytest.mark.conformance("6.1.2.11-1")
def test_call_info_names_incident_source_and_did() -> None:
    said = read(
        ("Call-Info", "<urn:emergency:uid:incidentid:1:x>;purpose=emergency-IncidentId"),
        ("Call-Info", "<sip:a8f3@bcf.example>;purpose=emergency-source"),
        ("Call-Info", "<did:example:123456789abcdefghi>; purpose=EmergencyCallData.DID"),
        ("Call-Info", "<https://example.org/a.png>;purpose=icon"),
    ).said
    assert said == {
        "incident": "urn:emergency:uid:incidentid:1:x",
        "source": "sip:a8f3@bcf.example",
        "did": "did:example:123456789abcdefghi",
        "callInfo": ["<https://example.org/a.png>;purpose=icon"],
    }


@pytest.mark.conformance("6.1.2.7-1")
def test_additional_data_and_location_by_reference_are_to_be_fetched() -> None:
    found = read(
        ("Call-Info", "<https://data.example/1>;purpose=EmergencyCallData.subscriberinfo"),
        ("Call-Info", "<cid:here@x>;purpose=EmergencyCallData.ProviderInfo"),
        ("Geolocation", "<https://lis.example/loc/7>, <cid:loc@x>"),
        body=b"--b\r\nContent-ID: <loc@x>\r\n\r\n",
    )
    assert found.references == (
        SignalledReference("additional-data", "SubscriberInfo", "https://data.example/1"),
        SignalledReference("location", "", "https://lis.example/loc/7"),
    )
    assert found.flags == ()


def test_a_location_that_is_not_there_or_of_no_use_is_flagged() -> None:
    found = read(("Geolocation", "<cid:gone@x>, <sip:lis@x>"), body=b"Hello")
    assert found.flags == ("geolocation-part-missing", "geolocation-unusable")
    assert found.references == ()


def test_dec112_says_language_device_and_silence() -> None:
    found = read(
        ("Call-Info", "<urn:dec112:uid:language:de:service.dec112.at>; purpose=dec112-Lang"),
        (
            "Call-Info",
            "<urn:dec112:uid:deviceid:12-4:service.dec112.at>; purpose=dec112-DeviceId",
        ),
        ("X-Dec112-Silent", "True"),
    )
    assert (found.language, found.silent, found.said) == ("de", True, {"deviceId": "12-4"})


@pytest.mark.conformance("6.1.2.5-1")
@pytest.mark.parametrize(
    ("value", "priority"),
    [
        ("esnet.1", "esnet.1"),
        ("esnet . 1", "esnet.1"),
        ("ESNET.2, esnet.0", "esnet.2"),
        ("wps.3, esnet.0", "esnet.0"),
        ("wps.3", "wps.3"),
        ("", ""),
        ("\x00" * 9, ""),
    ],
)
def test_the_highest_priority_of_the_emergency_namespace_counts(value: str, priority: str) -> None:
    assert resource_priority(value) == priority


def test_a_level_is_one_digit_up_to_seven() -> None:
    levels = [esnet_level(text) for text in ("esnet.0", "esnet.7", "esnet.8", "esnet.12", "wps.1")]
    assert levels == [0, 7, None, None, None]


def test_what_is_kept_is_bounded_and_storable() -> None:
    found = read(
        ("Subject", "x" * 5000),
        ("Organization", "a\0b"),
        ("Accept-Contact", ",".join("*" * 1 for _ in range(500))),
        *[("Call-Info", f"<https://x/{n}>;purpose=EmergencyCallData.X{n}") for n in range(500)],
    )
    assert len(found.said["subject"]) == 300
    assert "\0" not in found.said["organization"]
    assert len(found.said["acceptContact"]) == 10
    assert len(found.references) == 10
