"""What the admin takes as SIP URI, network, service and number."""

from collections.abc import Callable

import pytest
from django.core.exceptions import ValidationError

from psap.validation import (
    validate_certificate_names,
    validate_networks,
    validate_number,
    validate_public_uri,
    validate_service_urn,
    validate_sip_uri,
)


@pytest.mark.parametrize(
    ("validate", "value"),
    [
        (validate_sip_uri, "sip:proxy.example.org"),
        (validate_sip_uri, "sip:proxy.example.org:5060;transport=tcp"),
        (validate_sip_uri, "sips:[2001:db8::1]:5061;lr"),
        (validate_sip_uri, "sip:+43;phone-context=at@192.0.2.1"),
        (validate_public_uri, "sip:psap@127.0.0.1:5060"),
        (validate_networks, "127.0.0.0/8 ::1/128\n2001:db8::/32 192.0.2.7"),
        (validate_networks, ""),
        (validate_service_urn, "urn:service:sos"),
        (validate_service_urn, "urn:service:sos.animal-control"),
        (validate_certificate_names, "esrp.example.org *.bcf.example.org\nsip:example.org"),
        (validate_certificate_names, ""),
        (validate_number, "112"),
        (validate_number, "+43316112"),
    ],
)
def test_it_takes(validate: Callable[[str], None], value: str):
    validate(value)


@pytest.mark.parametrize(
    ("validate", "value", "message"),
    [
        (validate_sip_uri, "proxy.example.org", "is no SIP URI"),
        (validate_sip_uri, "sip:", "is no SIP URI"),
        (validate_sip_uri, "sip:a b@host", "is no SIP URI"),
        (validate_sip_uri, "sip:host\r\nVia: x", "is no SIP URI"),
        (validate_sip_uri, "sip:host:70000", "is no port number"),
        (validate_sip_uri, "sip:[::zz]:5060", "is no SIP URI"),
        (validate_sip_uri, "sip:[1:2]:5060", "is no IPv6 address"),
        (validate_sip_uri, "sip:host;transport=sctp", "Use udp, tcp or tls"),
        (validate_sip_uri, "sip:host;;lr", "is no SIP URI parameter"),
        (validate_certificate_names, "esrp.example.org *", "“*” is no name"),
        (validate_certificate_names, "*.*.example.org", "is no name"),
        (validate_certificate_names, "esrp..example.org", "is no name"),
        (validate_public_uri, "sip:127.0.0.1", "with a user"),
        (validate_public_uri, "sip:psap@host;transport=tcp", "without parameters"),
        (validate_networks, "10.0.0.0/8 nonsense", "“nonsense” is no network"),
        (validate_networks, "10.0.0.1/8", "has host bits set"),
        (validate_service_urn, "sos.police", "is no service URN"),
        (validate_service_urn, "urn:service:sos..police", "is no service URN"),
        (validate_number, "one-one-two", "is no number"),
    ],
)
def test_it_refuses_and_says_why(validate: Callable[[str], None], value: str, message: str):
    with pytest.raises(ValidationError) as refused:
        validate(value)
    assert message in refused.value.messages[0]
