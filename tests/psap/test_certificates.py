"""Certificates in the admin: what it takes, what it refuses in which words, what stays inside."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from django.test import Client

from psap.demo import seed_demo
from psap.models import Certificate, CertificateAuthority, PeerCertificate, Trunk, User
from tests.support.pki import Authority

pytestmark = pytest.mark.django_db
CERTIFICATE = "/admin/psap/certificate/add/"
AUTHORITY = "/admin/psap/certificateauthority/add/"
TRUNK = "/admin/psap/trunk/add/"


@pytest.fixture
def admin(tmp_path: Path) -> Client:
    seed_demo(
        public_uri="sip:psap@127.0.0.1:5060",
        outbound_proxy="",
        credentials_path=tmp_path / "credentials.json",
    )
    client = Client()
    client.force_login(User.objects.get(username="admin"))
    return client


@pytest.fixture(scope="module")
def ca() -> Authority:
    return Authority("Test CA")


def _errors(client: Client, path: str, values: dict[str, object]) -> str:
    answer = client.post(path, values)
    assert answer.status_code == 200, "it was taken"
    return str(answer.context["adminform"].form.errors)


def _given(issued, **changed: str) -> dict[str, str]:
    values = {"name": "ours", "chain": issued.chain, "private_key": issued.private_key}
    return values | changed


def test_a_certificate_is_taken_with_its_key_and_says_what_it_is(admin: Client, ca: Authority):
    issued = ca.issue("psap.example.org")
    assert admin.post(CERTIFICATE, _given(issued)).status_code == 302
    row = Certificate.objects.get()
    assert row.subject == "CN=psap.example.org"
    assert timedelta(days=29) < row.not_after - datetime.now(UTC) < timedelta(days=31)


def test_the_private_key_never_comes_out_again(admin: Client, ca: Authority):
    issued = ca.issue("psap.example.org")
    admin.post(CERTIFICATE, _given(issued))
    row = Certificate.objects.get()
    page = f"/admin/psap/certificate/{row.pk}/change/"
    secret = issued.private_key.splitlines()[1]
    assert secret not in admin.get(page).content.decode()
    refused = admin.post(page, _given(issued, name=""))  # shown again with its errors
    assert refused.status_code == 200
    assert secret not in refused.content.decode()


def test_an_empty_key_keeps_the_one_that_is_stored(admin: Client, ca: Authority):
    issued = ca.issue("psap.example.org")
    admin.post(CERTIFICATE, _given(issued))
    page = f"/admin/psap/certificate/{Certificate.objects.get().pk}/change/"
    renamed = _given(issued, name="renamed", private_key="")
    assert admin.post(page, renamed).status_code == 302
    assert Certificate.objects.get().private_key == issued.private_key
    assert Certificate.objects.get().name == "renamed"
    other = ca.issue("psap.example.org")
    assert "does not belong to the certificate" in _errors(
        admin, page, _given(other, private_key="")
    )


def _encrypted(ca: Authority):
    key = ec.generate_private_key(ec.SECP256R1())
    issued = ca.issue("psap.example.org", key=key)
    text = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    ).decode()
    return _given(issued, private_key=text)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda ca: _given(ca.issue("a"), chain="nonsense"), "No certificate can be read"),
        (lambda ca: _given(ca.issue("a"), private_key="nonsense"), "No private key can be read"),
        (lambda ca: _given(ca.issue("a"), private_key=""), "Paste the private key"),
        (
            lambda ca: _given(ca.issue("a"), private_key=ca.issue("a").private_key),
            "does not belong to the certificate",
        ),
        (lambda ca: _given(ca.issue("a", expired=True)), "expired on"),
        (
            lambda ca: _given(ca.issue("a", key=rsa.generate_private_key(65537, 1024))),  # noqa: S505
            "too weak",
        ),
        (
            lambda ca: _given(ca.issue("a"), chain=ca.issue("a").chain + ca.issue("b").chain),
            "did not issue what stands before it",
        ),
        (_encrypted, "has a passphrase"),
    ],
)
def test_what_could_not_serve_is_refused_in_words(admin: Client, ca: Authority, make, message):
    assert message in _errors(admin, CERTIFICATE, make(ca))
    assert not Certificate.objects.exists()


def test_an_authority_is_taken_with_its_list_and_says_when_it_ends(admin: Client, ca: Authority):
    values = {
        "name": "ours",
        "certificates": ca.certificate,
        "revocation_list": ca.revocation_list(ca.issue("a")),
    }
    assert admin.post(AUTHORITY, values).status_code == 302
    row = CertificateAuthority.objects.get()
    assert row.not_after is not None
    assert timedelta(days=6) < row.next_update - datetime.now(UTC) < timedelta(days=8)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"certificates": "nonsense"}, "No certificate can be read"),
        ({"revocation_list": "nonsense"}, "No revocation list can be read"),
        (
            {"revocation_list": "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----"},
            "A revocation list cannot be read",
        ),
        ({"revocation_list": Authority("Test CA").revocation_list()}, "signed by none"),
    ],
)
def test_an_authority_that_makes_no_sense_is_refused(
    admin: Client, ca: Authority, changed, message
):
    values = {"name": "ours", "certificates": ca.certificate, "revocation_list": ""} | changed
    assert message in _errors(admin, AUTHORITY, values)


def test_what_peers_have_shown_is_read_only(admin: Client):
    now = datetime.now(UTC)
    row = PeerCertificate.objects.create(
        trunk="t", fingerprint="0" * 64, names="esrp.example.org", not_after=now, seen_at=now
    )
    assert "esrp.example.org" in admin.get("/admin/psap/peercertificate/").content.decode()
    assert admin.get("/admin/psap/peercertificate/add/").status_code == 403
    page = f"/admin/psap/peercertificate/{row.pk}/"
    assert admin.post(f"{page}delete/", {"post": "yes"}).status_code == 403


def _trunk(**changed: object) -> dict[str, object]:
    return {
        "name": "north",
        "enabled": "on",
        "transport": "tls",
        "tls_version": "1.3",
        "allowed_names": "esrp.example.org",
        **changed,
    }


def test_a_tls_trunk_is_made_in_the_admin(admin: Client, ca: Authority, settings):
    admin.post(CERTIFICATE, _given(ca.issue("psap.example.org")))
    admin.post(AUTHORITY, {"name": "ours", "certificates": ca.certificate})
    chosen = {
        "certificate": Certificate.objects.get().pk,
        "authorities": [CertificateAuthority.objects.get().pk],
    }
    good = _trunk(**chosen, outbound_proxy="sips:esrp.example.org", fallback="tcp")
    assert admin.post(TRUNK, good).status_code == 302
    made = Trunk.objects.get(name="north")
    assert list(made.authorities.all()) == [CertificateAuthority.objects.get()]
    same = _trunk(**chosen) | {"name": "south"}
    assert "belongs to the trunk “north”" in _errors(admin, TRUNK, same)
    port = settings.ENVIRONMENT.sip_port
    assert "belongs to the trunk “default”" in _errors(admin, TRUNK, same | {"port": port})
    web = settings.ENVIRONMENT.http_port
    assert "serves the web" in _errors(admin, TRUNK, same | {"port": web})
    clear = same | {"port": 5071, "outbound_proxy": "sip:p;transport=udp"}
    assert "sends over TLS" in _errors(admin, TRUNK, clear)


def test_a_tls_trunk_without_certificates_is_refused(admin: Client):
    errors = _errors(admin, TRUNK, _trunk())
    assert "TLS needs a certificate of ours" in errors
    assert "at least one authority" in errors
    assert "is no name of a certificate" in _errors(admin, TRUNK, _trunk(allowed_names="*"))
    plain = _trunk(transport="plain", port=5070, outbound_proxy="sips:p")
    assert "choose what we show" in _errors(admin, TRUNK, plain)
