"""Whose word counts about a peer's certificate: its own authorities' alone, where it has any."""

import base64
import ssl

import pytest

from psap.certificate_facts import describe_authority
from psap.models import CertificateAuthority, Peer
from psap.tls import NotAdmitted
from tests.support.leaving import make_peer
from tests.support.pki import Authority, Issued
from transfer_api.callers import PROXIED, find_peer, read_shown
from transfer_api.problems import Problem

pytestmark = [pytest.mark.django_db, pytest.mark.parametrize("proxied", [False, True])]
NAME, OTHER = "psap.b.example", "psap.c.example"


def asks(issued: Issued, proxied: bool) -> Peer:
    """Who asks, by a certificate that TLS, ours or a proxy's, has verified."""
    if not proxied:
        return find_peer(read_shown({"tls": {"client_cert_chain": [issued.chain]}}, []))
    der = base64.b64encode(ssl.PEM_cert_to_DER_cert(issued.chain))
    return find_peer(read_shown({PROXIED: {}}, [(b"client-cert", b":" + der + b":")]))


def listed(authority: Authority, name: str, revocation_list: str = "") -> CertificateAuthority:
    row = CertificateAuthority(
        name=name, certificates=authority.certificate, revocation_list=revocation_list
    )
    describe_authority(row)
    row.save()
    return row


def test_an_authority_of_another_peer_does_not_vouch_for_one_that_has_its_own(proxied: bool):
    """Red when any authority of the PSAP's page may issue the name of any peer."""
    own, others = Authority("Own"), Authority("Others")
    namesake = Authority("Own")  # of the same name, by another key
    peer = make_peer(certificate_names=NAME)
    peer.authorities.add(listed(own, "own"))
    other = make_peer(name="C", uris="sip:c@c.example", certificate_names=OTHER)
    assert asks(own.issue(NAME), proxied) == peer
    for authority in (others, namesake):
        with pytest.raises(Problem, match="None of the authorities") as refused:
            asks(authority.issue(NAME), proxied)
        assert refused.value.status == 401
        assert asks(authority.issue(OTHER), proxied) == other  # believes the PSAP's page


def test_its_own_authority_says_for_nobody_else_who_it_is(proxied: bool):
    own = Authority("Own")
    make_peer(certificate_names=NAME).authorities.add(listed(own, "own"))
    with pytest.raises(Problem, match="none of the names"):
        asks(own.issue("psap.stranger.example"), proxied)


def test_what_its_own_authority_has_revoked_is_refused(proxied: bool):
    own = Authority("Own")
    revoked = own.issue(NAME)
    peer = make_peer(certificate_names=NAME)
    peer.authorities.add(listed(own, "own", own.revocation_list(revoked)))
    assert asks(own.issue(NAME), proxied) == peer
    with pytest.raises(NotAdmitted, match="revoked"):
        asks(revoked, proxied)
