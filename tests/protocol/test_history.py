"""History-Info in the forms of RFC 4244 and RFC 7044, with its Reasons."""

import pytest

from sipgateway.protocol.history import Retarget, parse_history


@pytest.mark.conformance("6.1.2.6-1", "6.1.2.6-2", "6.1.2.6-4")
def test_the_form_of_rfc_4244() -> None:
    value = (
        '<sip:112@esrp.example?Reason=SIP%3Bcause%3D302%3Btext%3D"Moved">;index=1,'
        " <sip:psap-a@example.org?Reason=SIP%3Bcause%3D408>;index=1.1,<sip:psap-b@x>;index=1.2"
    )
    assert parse_history(value) == [
        Retarget("sip:112@esrp.example", "1", 302, "Moved"),
        Retarget("sip:psap-a@example.org", "1.1", 408, ""),
        Retarget("sip:psap-b@x", "1.2", None, ""),
    ]


@pytest.mark.conformance("6.1.2.6-4")
def test_the_form_of_rfc_7044() -> None:
    value = (
        "<urn:service:sos>;index=1,"
        " <sip:esrp@example.org;cause=404?Privacy=history>;index=1.1;mp=1,"
        "<sip:psap@example.org>;index=1.1.1;rc=1.1"
    )
    assert [(entry.uri, entry.index, entry.cause) for entry in parse_history(value)] == [
        ("urn:service:sos", "1", None),
        ("sip:esrp@example.org;cause=404", "1.1", 404),
        ("sip:psap@example.org", "1.1.1", None),
    ]


@pytest.mark.parametrize("value", ["", "<>", ",,,", ";index=1", "<sip:a@x?Reason=%>", "<" * 1000])
def test_what_is_no_history_gives_none_or_only_uris(value: str) -> None:
    assert all(entry.cause is None for entry in parse_history(value))


def test_a_history_is_read_to_twenty_entries() -> None:
    assert len(parse_history(",".join(f"<sip:{n}@x>;index={n}" for n in range(1000)))) == 20
