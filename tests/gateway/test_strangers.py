"""What somebody whom nobody vouches for cannot spoil for others."""

import ssl
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from chats.services.incoming.records import ChatState
from psap.certificates import read_identity
from psap.https.addresses import Reach, may_reach
from psap.tls import Authority, NotAdmitted, TlsGate, TlsPolicy
from sipgateway.configuration import Configuration
from sipgateway.interpret import interpret
from sipgateway.outgoing import Outgoing
from sipgateway.passing_back import PassingBack
from sipgateway.precedence import place_of
from sipgateway.presence import Presence
from sipgateway.testcalls import TakenTests
from tests.support.arrivals import arrival
from tests.support.caller import Caller
from tests.support.tls import ADMITTED, Pki, show

ANNA = "sip:+43664@example.org"
TEST = "urn:service:sos.test"
NOW = datetime.now(UTC)


def test_a_written_from_does_not_use_up_the_test_of_an_asserted_caller():
    tests = TakenTests(lambda: 0.0)
    stranger = arrival(Caller(uri=ANNA).start(uri=TEST))
    asserted = (("P-Asserted-Identity", f"<{ANNA}>"),)
    anna = arrival(Caller().start(uri=TEST, headers=asserted), trusted=True)
    assert not tests.refuses(stranger, Configuration())
    assert not tests.refuses(anna, Configuration())
    assert tests.refuses(arrival(Caller(uri=ANNA).start(uri=TEST)), Configuration())


def test_only_who_is_trusted_says_how_urgent_a_call_is():
    """Red when every mark counts: whoever writes `esnet.2` would overtake all others."""
    marked = Caller().start(headers=(("Resource-Priority", "esnet.2"),))
    unmarked = place_of(arrival(Caller().start(), trusted=True), Presence()).rank
    assert place_of(arrival(marked), Presence()).rank == unmarked
    assert place_of(arrival(marked, trusted=True), Presence()).rank < unmarked


def test_a_source_id_that_no_bcf_gave_is_not_reported_as_one():
    """Red when it is taken from anybody: a report would strike whom the caller has named."""
    data = Caller().start(headers=(("Call-Info", "<sip:b@bcf>;purpose=emergency-source"),))
    said = [
        interpret(
            one.request, one.identifiers, one.caller, journal_id=1, received_at=NOW, trunk="",
            transport="tcp", peer="", numbers={}, trusted_peer=one.trusted_peer,
        ).signalling
        for one in (arrival(data), arrival(data, trusted=True))
    ]  # fmt: skip
    assert said == [{"claimedSource": "sip:b@bcf"}, {"source": "sip:b@bcf"}]


def chat(uri: str, session: str) -> ChatState:
    return ChatState(
        id=1, call_id="c", unique_part="part", element="e", service="", session=session,
        ended_by=None, liveness="alive", owner_id=None, disposition=None, caller_uri=uri,
        asserted_uri="", target_uri=uri, display_name="", language="", user_agent="",
        standalone=False, recovered=False, linked_to_id=None, opened_at=NOW, ringing_since=None,
        ended_at=None, closed_at=None, last_sign_of_life=NOW, last_caller_text=None, trunk="",
        transport="tcp", peer="192.0.2.1:5060", local_tag="", last_in_msg_id=None, next_msg_id=1,
        next_cseq=1, head_seq=0, head_hash=b"",
    )  # fmt: skip


def test_a_stranger_with_its_call_identifier_does_not_cut_an_app_off():
    """Red when any chat of that identifier counts as the app being back."""
    passing = PassingBack(Outgoing.__new__(Outgoing), lambda: pytest.fail("nothing is sent"))
    app = Caller(uri=ANNA, unique_part="part")
    from_the_new_psap = arrival(
        app.say("B is here", uri=ANNA, from_uri="sip:b@b.example"), trusted=True
    )
    passing.learn([chat(ANNA, "redirected")])
    passing.learn([replace(chat("sip:mallory@example.org", "open"), id=2)])
    assert passing.concerns(from_the_new_psap)
    passing.learn([chat(ANNA, "open")])
    assert not passing.concerns(from_the_new_psap)


@pytest.mark.parametrize("address", ["fec0::1", "feff::1", "fec0::1%eth0"])
def test_site_local_addresses_are_inside(address: str):
    assert not may_reach(address, Reach.PUBLIC)
    assert may_reach(address, Reach.PRIVATE_TOO)


def test_a_resumed_session_is_judged_like_a_new_one(monkeypatch):
    """Red without the look at its date: OpenSSL does not check a certificate twice."""
    pki = Pki()
    believed = Authority("test", pki.authority.certificate)
    policy = TlsPolicy(pki.ours.chain, pki.ours.private_key, (believed,), (ADMITTED,))
    gate = TlsGate(policy, now=NOW)
    context = ssl.create_default_context(cadata=pki.authority.certificate)
    context.check_hostname = False
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    show(context, pki.authority.issue(ADMITTED))
    app, first = shaken_hands(context, gate.server)
    _, second = shaken_hands(context, gate.server, app.session)
    assert second.session_reused
    peer = read_identity(second.getpeercert(True) or b"")
    assert gate.admit(peer) == ADMITTED
    with pytest.raises(NotAdmitted, match="expired"):
        gate.admit(replace(peer, not_after=NOW - timedelta(seconds=1)))
    with pytest.raises(NotAdmitted, match="name"):
        TlsGate(replace(policy, allowed_names=()), now=NOW).admit(peer)
    del first


def shaken_hands(
    client: ssl.SSLContext, server: ssl.SSLContext, session: ssl.SSLSession | None = None
) -> tuple[ssl.SSLObject, ssl.SSLObject]:
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    app = client.wrap_bio(down, up, session=session)
    ours = server.wrap_bio(up, down, server_side=True)
    for _ in range(4):
        for side in (app, ours):
            with suppress(ssl.SSLWantReadError):
                side.do_handshake()
    return app, ours
