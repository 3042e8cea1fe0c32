"""CallIds and callers are read as the gateway reads those of the app itself."""

import pytest

from chats.services.transfers.call_ids import (
    LONGEST_CALL_ID,
    call_parts,
    caller_identity,
    stored_call_id,
)
from sipgateway.protocol.addresses import normalise_uri
from sipgateway.protocol.headers import Headers
from sipgateway.protocol.identifiers import identify

CALL_IDS = (
    "urn:emergency:uid:callid:abcdefghij:bcf.example.org",
    "urn:emergency:service:uid:callid:abcdefghij:bcf.example.org",
    "URN:Emergency:Service:UID:callid:AbCd:BCF.example.org",
    "urn:dec112:uid:callid:abc:dec112.at",
    "urn:dec112:service:uid:callid:abc:dec112.at",
    "urn:emergency:uid:callid:abc",
    "urn:emergency:uid:callid:abc:",
    "urn:emergency:uid:callid::element",
    "urn:emergency:uid:callid:",
    "urn:emergency:uid:callid:a:b:c:d",
    "urn:emergency:service:uid:callid:a:b:c:d",
    f"urn:emergency:uid:callid:{'x' * 64}:e",
    f"urn:emergency:uid:callid:{'x' * 65}:e",
    f"urn:emergency:uid:callid:abc:{'e' * 101}",
    "urn:nena:callid:abc:bcf.example.org",
    "abc@host.example.org",
    "x" * 300,
)
URIS = (
    "sip:anna@example.org", "SIP:anna@EXAMPLE.org:5060;transport=tcp", "sips:anna@example.org?a=b",
    "sip:anna:secret@example.org", "sip:%61nna%2fb@example.org", "sip:%zz@example.org",
    "sip:example.org", "sip:@example.org", "sip:", "tel:+43 (1) 234-5;phone-context=x", "tel:",
    "im:anna@Example.org", "mailto:Anna@example.org", "anna@example.org", "", ":", "1x:y",
    "sip:a@[2001:DB8::1]:5060", "sip:a@[2001:db8::1", "sip:ünï@example.org", " sip:a@b ",
    "sip:" + "a" * 500 + "@example.org",
)  # fmt: skip


@pytest.mark.parametrize("call_id", CALL_IDS)
def test_a_call_id_means_the_chat_that_the_app_means_by_it(call_id: str):
    headers = Headers([("Call-Info", f"<{call_id}>;purpose=EmergencyCallData.CallId")])
    found = identify(headers)
    assert call_parts(found.call_id) == (found.unique_part, found.element)


@pytest.mark.parametrize("uri", URIS)
def test_a_caller_is_who_the_app_says_it_is(uri: str):
    assert caller_identity(uri) == normalise_uri(uri)


def test_a_call_id_is_stored_as_it_is_and_fits_an_index():
    for call_id in CALL_IDS:
        assert stored_call_id(call_id) == call_id
    assert len(stored_call_id("é" * 5000).encode()) <= LONGEST_CALL_ID
    assert stored_call_id("é" * 5000) != stored_call_id("é" * 5001)
