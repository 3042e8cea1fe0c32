"""Who gets in over TLS, and what becomes of those who do not."""

import asyncio
import itertools
import ssl
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from psap.certificates import CertificateProblem, identity_of, read_certificates
from psap.tls import Authority as BelievedAuthority
from psap.tls import NotAdmitted, TlsGate, TlsPolicy
from tests.support.caller import Caller
from tests.support.eventually import eventually
from tests.support.pki import Authority
from tests.support.tls import (
    ADMITTED,
    Pki,
    TlsPeer,
    listening,
    show,
)

NOW = datetime.now(UTC)
_addresses = itertools.count(1)


@pytest.fixture
async def target(gateway, pki):
    await listening(gateway.sips_port)
    return gateway.tls_target()


async def is_served(target, context) -> bool:
    """Whether a MESSAGE over such a connection is answered before the connection ends.

    Each comes from an address of its own: of one source the log has a line a second.
    """
    source = (f"127.0.1.{next(_addresses)}", 0)
    try:
        async with TlsPeer(target, context, source=source) as peer:
            asking = asyncio.create_task(peer.exchange(Caller("TLS").start()))
            ending = asyncio.create_task(peer.closed())
            await asyncio.wait([asking, ending], return_when=asyncio.FIRST_COMPLETED)
            served = asking.done() and asking.exception() is None
            asking.cancel()
            ending.cancel()
            return served
    except (ssl.SSLError, ConnectionError):
        return False


BOTH = pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])


@pytest.mark.conformance("6.1.1-9")
@BOTH
async def test_the_admitted_name_is_served(target, pki, version):
    assert await is_served(target, pki.context(maximum_version=version))


@pytest.mark.conformance("6.1.1-9")
@BOTH
@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("nobody", "peer did not return a certificate"),
        ("stranger", "unable to get local issuer certificate"),
        ("unlisted", "TLS: name not allowed, other.example.org"),
        ("nameless", "TLS: name not allowed, no name"),
        ("revoked", "certificate revoked"),
        ("expired", "certificate has expired"),
        ("short key", "key too weak"),
    ],
)
async def test_all_others_are_not_and_the_log_says_why(
    target, pki, gateway, record, version, kind, told
):
    """Red without CERT_REQUIRED, without `TlsGate.admit`, or without the lists."""
    before = record.value("SELECT count(*) FROM chats_journal")
    logged = len(gateway.log())
    context = ssl.create_default_context(cadata=pki.authority.certificate)
    context.maximum_version = version
    context.set_ciphers("DEFAULT:@SECLEVEL=0")  # it may show what it likes
    shown = {
        "nobody": lambda: None,
        "stranger": lambda: Authority("Test CA").issue(ADMITTED),
        "unlisted": lambda: pki.authority.issue("other.example.org"),
        "nameless": lambda: pki.authority.issue(subject=ADMITTED),
        "revoked": lambda: pki.revoked,
        "expired": lambda: pki.authority.issue(ADMITTED, expired=True),
        "short key": lambda: pki.authority.issue(
            ADMITTED,
            key=rsa.generate_private_key(65537, 1024),  # noqa: S505
        ),
    }[kind]()
    if shown is not None:
        show(context, shown)
    assert not await is_served(target, context)
    await eventually(lambda: told in gateway.log()[logged:], "it is told")
    assert record.value("SELECT count(*) FROM chats_journal") == before


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
async def test_older_versions_are_refused(target, pki, version):
    context = pki.context()
    context.minimum_version = version
    context.maximum_version = version
    context.set_ciphers("ALL:@SECLEVEL=0")
    assert not await is_served(target, context)


async def test_nothing_that_ends_the_handshake_leaves_before_the_name_is_known(target, pki):
    """Red when what OpenSSL has ready is sent before the peer is admitted."""
    context = pki.context(
        pki.authority.issue("other.example.org"), maximum_version=ssl.TLSVersion.TLSv1_2
    )
    with pytest.raises(ssl.SSLError, match="ACCESS_DENIED"):
        async with TlsPeer(target, context):
            pass


def gate(pki, *names, revoked=(), fresh=True, authorities=()):
    believed = BelievedAuthority(
        "test",
        pki.authority.certificate,
        pki.authority.revocation_list(*revoked, fresh=fresh) if revoked else "",
    )
    policy = TlsPolicy(pki.ours.chain, pki.ours.private_key, (believed, *authorities), names)
    return TlsGate(policy, now=NOW)


def identity(issued):
    return identity_of(read_certificates(issued.chain)[0])


@pytest.mark.parametrize(
    ("allowed", "shown", "admitted"),
    [
        ("esrp.example.org", "esrp.example.org", True),
        ("esrp.example.org", "ESRP.Example.ORG", True),
        ("esrp.example.org", "sip:esrp.example.org", True),
        ("sip:esrp@example.org", "sip:esrp@example.org", True),
        ("urn:psap:7", "urn:psap:7", True),
        ("*.example.org", "esrp.example.org", True),
        ("*.example.org", "a.esrp.example.org", False),
        ("*.example.org", "example.org", False),
        ("*.example.org", "*.example.org", False),
        ("esrp.example.org", "*.example.org", False),
        ("example.org", "sip:esrp@example.org", False),
        ("esrp.example.org", "https://esrp.example.org", False),
        ("127.0.0.1", "127.0.0.1", False),
        ("", "esrp.example.org", False),
    ],
)
def test_names_are_matched_as_rfc_5922_says(allowed, shown, admitted):
    pki = Pki()
    peer = identity(pki.authority.issue(shown))
    if admitted:
        assert gate(pki, *allowed.split()).admit(peer) == shown.lower()
    else:
        with pytest.raises(NotAdmitted):
            gate(pki, *allowed.split()).admit(peer)


@pytest.mark.parametrize(
    ("host", "admitted"),
    [
        ("proxy.example.org", True),
        ("127.0.0.1", True),
        ("other.example.org", False),
        ("::1", False),
    ],
)
def test_whom_we_call_may_be_just_that_host(host, admitted):
    pki = Pki()
    peer = identity(pki.authority.issue("proxy.example.org", "127.0.0.1"))
    if admitted:
        assert gate(pki).admit(peer, host) == host
    else:
        with pytest.raises(NotAdmitted):
            gate(pki).admit(peer, host)


def test_a_list_that_wants_to_be_renewed_is_still_gone_by():
    """A list that was forgotten must make nobody deaf, nor let anybody in."""
    pki = Pki()
    revoked = pki.authority.issue(ADMITTED)
    stale = gate(pki, ADMITTED, revoked=[revoked], fresh=False)
    assert not stale.server.verify_flags & ssl.VERIFY_CRL_CHECK_LEAF
    assert stale.admit(identity(pki.peer)) == ADMITTED
    with pytest.raises(NotAdmitted, match="revoked"):
        stale.admit(identity(revoked))


def test_an_authority_without_a_list_does_not_turn_the_others_off():
    pki, other = Pki(), Authority("Other CA")
    revoked = pki.authority.issue(ADMITTED)
    mixed = gate(
        pki,
        ADMITTED,
        revoked=[revoked],
        authorities=[BelievedAuthority("other", other.certificate)],
    )
    assert mixed.admit(identity(other.issue(ADMITTED))) == ADMITTED
    with pytest.raises(NotAdmitted, match="revoked"):
        mixed.admit(identity(revoked))


def test_openssl_checks_fresh_lists_itself_and_the_gate_knows_how_long():
    pki = Pki()
    fresh = gate(pki, ADMITTED, revoked=[pki.authority.issue(ADMITTED)])
    assert fresh.server.verify_flags & ssl.VERIFY_CRL_CHECK_LEAF
    assert fresh.stale_at is not None
    assert timedelta(0) < fresh.stale_at - NOW < timedelta(days=8)


def test_a_policy_that_cannot_be_used_says_so():
    pki = Pki()
    policy = TlsPolicy(pki.ours.chain, pki.peer.private_key, ())
    with pytest.raises(OSError):  # ssl.SSLError
        TlsGate(policy, now=NOW)
    nonsense = BelievedAuthority("x", "nonsense")
    with pytest.raises(CertificateProblem):
        TlsGate(TlsPolicy(pki.ours.chain, pki.ours.private_key, (nonsense,)), now=NOW)
