"""From a request to the record: bounded in what goes to every screen, and never an end to it."""

import pytest

from sipgateway import interpret as interpreting
from sipgateway.interpret import LONGEST_TEXT, MOST_FIXES, interpret
from tests.support.arrivals import NOW, arrival
from tests.support.caller import Caller

POINT = (
    b'<p xmlns="urn:ietf:params:xml:ns:pidf" xmlns:gml="http://www.opengis.net/gml">'
    + b"<gml:Point><gml:pos>48.2 16.37</gml:pos></gml:Point>" * 20
    + b"</p>"
)


def understood(data: bytes):
    one = arrival(data)
    return interpret(
        one.request, one.identifiers, one.caller, journal_id=1, received_at=NOW, trunk="",
        transport="udp", peer=one.flow.peer, numbers={}, trusted_peer=False,
    )  # fmt: skip


def test_a_text_of_a_megabyte_is_cut_for_the_screens_and_kept_whole_as_a_part():
    """Red when it is not: each console got it with every event of its message."""
    text = "ä" * 200_000
    message = understood(Caller().say(text))
    assert (message.text, "truncated" in message.flags) == (text[:LONGEST_TEXT], True)
    assert message.parts[0].content == text.encode()


def test_many_documents_with_many_positions_are_some_positions():
    part = b"--B\r\nContent-Type: application/pidf+xml\r\n\r\n" + POINT + b"\r\n"
    message = understood(
        Caller().message(259, part * 5 + b"--B--", content_type="multipart/mixed; boundary=B")
    )
    assert (len(message.parts), len(message.fixes)) == (5, MOST_FIXES)


def test_a_fault_of_ours_leaves_the_text(monkeypatch: pytest.MonkeyPatch):
    """Red when it raises: the projector ended of it, and again at each start, for ever."""

    def fail(*_):
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(interpreting, "split_body", fail)
    message = understood(Caller().say(b"Hilfe\0"))
    assert (message.text, message.flags[-1]) == ("Hilfe\u2400", "not-understood")
