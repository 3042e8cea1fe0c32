"""Who may ask: certificate or token of a peer, by what the admin says at that moment."""

import base64
import hashlib
import socket
import ssl
from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from chats.models import BodyPart
from psap.models import Peer
from psap.peer_tokens import digest_of
from tests.support.histories import hand_over_part
from tests.support.instance import wait_until
from tests.support.peerapi import (
    TOKEN,
    Answer,
    PeerApiProcess,
    anonymous,
    change_authority,
    change_own_certificate,
    change_peer,
    negotiation,
)
from tests.support.pki import Authority, Issued
from tests.support.record import Record
from tests.support.tls import ADMITTED, Pki, show
from transfer_api.gate import STRANGERS_AT_ONCE

OTHER_TOKEN = "Qy9-somebody-elses-token-98765432109876"
ELSEWHERE = negotiation("who:asks") | {"TransferTo": "sip:other@example.org"}


def ask(api: PeerApiProcess, context: ssl.SSLContext, token: str = "") -> Answer:
    headers = {"authorization": f"Bearer {token}"} if token else {}
    return api.ask(context, "negotiation", ELSEWHERE, **headers)


@pytest.fixture
def third(record: Record) -> Iterator[int]:
    """Another peer, with a token alone."""
    made = record.run(
        Peer.objects.create,
        name="Third",
        uris="sip:psap@third.example.org",
        token_sha256=digest_of(OTHER_TOKEN),
    )
    yield made.pk
    record.run(made.delete)


def test_the_certificate_of_a_peer_lets_it_in(api: PeerApiProcess, pki: Pki):
    answer = ask(api, pki.context())
    assert (answer.status, answer.json["StatusCode"]) == (200, 406)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_both_versions_of_tls_do(api: PeerApiProcess, pki: Pki, version: ssl.TLSVersion):
    context = pki.context(minimum_version=version, maximum_version=version)
    assert ask(api, context).status == 200


def test_the_token_of_a_peer_lets_it_in_over_tls_without_a_certificate(
    api: PeerApiProcess, pki: Pki
):
    assert ask(api, anonymous(pki), TOKEN).status == 200


def test_a_certificate_that_nobody_lists_is_no_matter_beside_a_token(api: PeerApiProcess, pki: Pki):
    assert ask(api, pki.context(pki.authority.issue("x.example.org")), TOKEN).status == 200


def test_without_certificate_and_token_nobody_gets_in(api: PeerApiProcess, pki: Pki):
    answer = ask(api, anonymous(pki))
    assert answer.status == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="transfer"'
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["connection"] == "close"


@pytest.mark.parametrize(
    "authorization",
    [
        "Bearer",
        "Bearer ",
        "Bearer wrong-token-wrong-token-wrong-token",
        f"Basic {TOKEN}",
        TOKEN,
        f"Bearer {hashlib.sha256(TOKEN.encode()).hexdigest()}",
        f"Bearer {TOKEN}x",
        "Bearer \xe4\xf6\xfc",
    ],
)
def test_nothing_but_the_token_will_do(api: PeerApiProcess, pki: Pki, authorization: str):
    answer = api.ask(anonymous(pki), "negotiation", ELSEWHERE, authorization=authorization)
    assert answer.status == 401


def test_certificate_and_token_of_different_peers_are_nobodys(
    api: PeerApiProcess, pki: Pki, third: int
):
    answer = ask(api, pki.context(), OTHER_TOKEN)
    assert answer.status == 401
    assert "more than one" in answer.json["detail"]


def test_an_unlisted_name_is_refused_though_its_authority_is_believed(
    api: PeerApiProcess, pki: Pki
):
    answer = ask(api, pki.context(pki.authority.issue("stranger.example.org")))
    assert answer.status == 401
    assert "stranger.example.org" in answer.json["detail"]


def test_a_name_in_the_subject_alone_is_none(api: PeerApiProcess, pki: Pki):
    assert ask(api, pki.context(pki.authority.issue(subject=ADMITTED))).status == 401


def refuses(api: PeerApiProcess, context: ssl.SSLContext) -> bool:
    """Whether TLS itself turns somebody away."""
    try:
        ask(api, context)
    except OSError:
        return True
    return False


def test_a_certificate_of_another_authority_gets_no_tls(api: PeerApiProcess, pki: Pki):
    context = anonymous(pki)
    show(context, Authority("Another CA").issue(ADMITTED))
    assert refuses(api, context)
    own = Authority("Test CA").issue(ADMITTED)  # of the same name, by another key
    show(context, own)
    assert refuses(api, context)
    assert "no TLS" in api.log()


def test_a_revoked_certificate_gets_no_tls(api: PeerApiProcess, pki: Pki):
    assert refuses(api, pki.context(pki.revoked))


def test_an_expired_certificate_gets_no_tls(api: PeerApiProcess, pki: Pki):
    assert refuses(api, pki.context(pki.authority.issue(ADMITTED, expired=True)))


def test_a_key_that_is_too_weak_gets_no_tls_or_no_answer(api: PeerApiProcess, pki: Pki):
    key = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505
    context = pki.context(pki.authority.issue(ADMITTED), maximum_version=ssl.TLSVersion.TLSv1_2)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    show(context, pki.authority.issue(ADMITTED, key=key))  # type: ignore[arg-type]
    assert refuses(api, context)


def test_a_peer_is_refused_at_its_next_request_once_it_was_disabled(
    api: PeerApiProcess, pki: Pki, record: Record, neighbour: int
):
    with api.connect(pki.context()) as peer, api.connect(anonymous(pki)) as by_token:
        token = {"authorization": f"Bearer {TOKEN}"}
        assert peer.post("negotiation", ELSEWHERE).status == 200
        assert by_token.post("negotiation", ELSEWHERE, **token).status == 200
        change_peer(record, neighbour, agreement=False)
        try:
            assert peer.post("negotiation", ELSEWHERE).status == 401
            assert by_token.post("negotiation", ELSEWHERE, **token).status == 401
        finally:
            change_peer(record, neighbour, agreement=True)
    assert ask(api, pki.context()).status == 200


def test_names_and_tokens_change_with_the_next_request_too(
    api: PeerApiProcess, pki: Pki, record: Record, neighbour: int
):
    context = pki.context(pki.authority.issue("renamed.example.org"))
    with api.connect(pki.context()) as before, api.connect(context) as after:
        change_peer(record, neighbour, certificate_names="*.example.net\n*.Example.ORG\n")
        try:
            assert after.post("negotiation", ELSEWHERE).status == 200
            change_peer(record, neighbour, certificate_names="renamed.example.org")
            assert after.post("negotiation", ELSEWHERE).status == 200
            assert before.post("negotiation", ELSEWHERE).status == 401
            change_peer(record, neighbour, token_sha256=digest_of(OTHER_TOKEN))
            assert ask(api, anonymous(pki), TOKEN).status == 401
            assert ask(api, anonymous(pki), OTHER_TOKEN).status == 200
        finally:
            change_peer(
                record, neighbour, certificate_names=ADMITTED, token_sha256=digest_of(TOKEN)
            )


def test_a_certificate_revoked_meanwhile_is_refused_on_a_connection_that_is_open(
    api: PeerApiProcess, pki: Pki, record: Record
):
    with api.connect(pki.context()) as peer:
        assert peer.post("negotiation", ELSEWHERE).status == 200
        revocation_list = pki.authority.revocation_list(pki.revoked, pki.peer)
        change_authority(record, pki.authority.certificate, revocation_list)
        try:
            wait_until(lambda: refuses(api, pki.context()), 5, "new connections get no TLS")
            answer = peer.post("negotiation", ELSEWHERE)
        finally:
            revocation_list = pki.authority.revocation_list(pki.revoked)
            change_authority(record, pki.authority.certificate, revocation_list)
            wait_until(lambda: not refuses(api, pki.context()), 5, "the peer is back")
    assert answer.status == 401
    assert "revoked" in answer.json["detail"]


def test_a_list_that_is_old_still_counts(api: PeerApiProcess, pki: Pki, record: Record):
    """OpenSSL would refuse everybody; we say 401 to whom it names."""
    old = pki.authority.revocation_list(pki.revoked, fresh=False)
    change_authority(record, pki.authority.certificate, old)
    try:
        wait_until(lambda: not refuses(api, pki.context(pki.revoked)), 5, "the old list is read")
        assert ask(api, pki.context(pki.revoked)).status == 401
        assert ask(api, pki.context()).status == 200
    finally:
        fresh = pki.authority.revocation_list(pki.revoked)
        change_authority(record, pki.authority.certificate, fresh)
        wait_until(lambda: refuses(api, pki.context(pki.revoked)), 5, "the fresh list is read")


def hand_over(record: Record, content: bytes, peer: int, **values: object) -> str:
    return record.run(lambda: hand_over_part(content, Peer.objects.get(pk=peer), **values))


def fetch(api: PeerApiProcess, context: ssl.SSLContext, sha256: str, **headers: str) -> Answer:
    with api.connect(context) as connection:
        return connection.ask("GET", f"/transfer/v1/attachments/{sha256}", **headers)


def test_an_attachment_is_given_whole_to_whom_its_chat_was_handed_to_and_to_nobody_else(
    api: PeerApiProcess, pki: Pki, record: Record, neighbour: int, third: int
):
    content = b"a picture" * 50_000
    sha256 = hand_over(record, content, neighbour)
    for headers in ({}, {"range": "bytes=0-3"}):
        given = fetch(api, pki.context(), sha256, **headers)
        assert (given.status, given.body) == (200, content)
        assert given.headers["content-type"] == "application/octet-stream"
        assert given.headers["content-length"] == str(len(content))
    other = fetch(api, anonymous(pki), sha256, authorization=f"Bearer {OTHER_TOKEN}")
    assert (other.status, other.headers["content-type"]) == (404, "application/problem+json")
    assert fetch(api, anonymous(pki), sha256).status == 401
    with api.connect(pki.context()) as connection:
        head = connection.ask("HEAD", f"/transfer/v1/attachments/{sha256}")
    assert (head.status, head.headers["content-length"], head.body) == (200, str(len(content)), b"")


def test_what_was_not_handed_over_or_is_erased_is_no_attachment(
    api: PeerApiProcess, pki: Pki, record: Record, neighbour: int
):
    unsent = hand_over(record, b"kept here", neighbour, executed_at=None, state="stalling")
    erased = hand_over(record, b"erased since", neighbour)
    digest = bytes.fromhex(erased)
    record.run(lambda: BodyPart.objects.filter(sha256=digest).update(content=None))
    for sha256 in (unsent, erased, "0" * 64, "0" * 63, "x"):
        assert fetch(api, pki.context(), sha256).status == 404, sha256


def test_what_is_kept_of_a_cut_part_goes_by_its_own_digest(
    api: PeerApiProcess, pki: Pki, record: Record, neighbour: int
):
    kept = hand_over(record, b"the beginning", neighbour)
    whole = hashlib.sha256(b"the beginning, and the rest").hexdigest()
    cut = {"sha256": bytes.fromhex(whole), "flag": "truncated"}
    record.run(lambda: BodyPart.objects.filter(sha256=bytes.fromhex(kept)).update(**cut))
    assert fetch(api, pki.context(), kept).body == b"the beginning"
    assert fetch(api, pki.context(), whole).status == 404


def client_cert(issued: Issued) -> str:
    """Write a certificate as a proxy does (RFC 9440)."""
    return f":{base64.b64encode(ssl.PEM_cert_to_DER_cert(issued.chain)).decode()}:"


def test_behind_a_proxy_its_word_about_the_certificate_counts(api: PeerApiProcess, pki: Pki):
    with api.through_proxy() as proxy:
        answer = proxy.post("negotiation", ELSEWHERE, client_cert=client_cert(pki.peer))
        assert answer.status == 200
        answer = proxy.post("negotiation", ELSEWHERE, authorization=f"Bearer {TOKEN}")
        assert answer.status == 200
        answer = proxy.post("negotiation", ELSEWHERE)
        assert answer.status == 401


def test_behind_a_proxy_strangers_are_counted_by_the_address_that_it_sets(api: PeerApiProcess):
    statuses = []
    for number in range(int(STRANGERS_AT_ONCE) + 10):
        said = {"x_real_ip": "192.0.2.66", "x_forwarded_for": f"198.51.100.{number}"}
        with api.through_proxy() as proxy:
            statuses.append(proxy.ask("GET", "/transfer/v1/x", **said).status)
    assert (statuses[0], statuses[-1]) == (401, 429)
    with api.through_proxy() as proxy:
        assert proxy.ask("GET", "/transfer/v1/x", x_real_ip="192.0.2.67").status == 401


@pytest.mark.parametrize("value", ["", ":", "::", "x", ":AAAA:", ":%%:", ":" + "A" * 20_000 + ":"])
def test_what_is_no_certificate_of_a_proxy_gets_401(api: PeerApiProcess, value: str):
    with api.through_proxy() as proxy:
        assert proxy.post("negotiation", ELSEWHERE, client_cert=value).status == 401


def test_a_proxy_that_passes_on_what_we_know_to_be_revoked_is_not_believed(
    api: PeerApiProcess, pki: Pki
):
    with api.through_proxy() as proxy:
        answer = proxy.post("negotiation", ELSEWHERE, client_cert=client_cert(pki.revoked))
        assert answer.status == 401


def test_where_a_proxy_alone_has_a_port_our_lists_count_as_well(
    api: PeerApiProcess, pki: Pki, record: Record
):
    def is_closed() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", api.port)) != 0

    change_own_certificate(record, None)
    try:
        wait_until(is_closed, 5, "the port is closed")
        with api.through_proxy() as proxy:
            answer = proxy.post("negotiation", ELSEWHERE, client_cert=client_cert(pki.revoked))
            assert (answer.status, "revoked" in answer.json["detail"]) == (401, True)
        with api.through_proxy() as proxy:
            answer = proxy.post("negotiation", ELSEWHERE, client_cert=client_cert(pki.peer))
            assert answer.status == 200
    finally:
        change_own_certificate(record, pki.ours)
        api.wait_for_port()


def test_over_tls_nobody_can_claim_a_certificate(api: PeerApiProcess, pki: Pki):
    claimed = client_cert(pki.peer)
    answer = api.ask(anonymous(pki), "negotiation", ELSEWHERE, client_cert=claimed)
    assert answer.status == 401


def test_each_request_has_its_line_in_the_log_and_cannot_break_it(api: PeerApiProcess, pki: Pki):
    with api.connect(pki.context()) as peer:
        peer.ask("GET", "/transfer/v1/a%0A2026-01-01%20INFO%20faked%1b%5b31m%E2%80%AE")
    lines = api.log().splitlines()
    assert any("Neighbour: POST /transfer/v1/negotiation 200, " in line for line in lines)
    (line,) = [line for line in lines if "faked" in line]
    assert r"Neighbour: GET /transfer/v1/a\n2026-01-01 INFO faked\x1b[31m\u202e 404, " in line
    assert "who:asks" not in api.log()
    assert TOKEN not in api.log()
