"""`devca`: certificates for trying out TLS, as files and in the instance."""

import io
import stat
from pathlib import Path

import pytest
from cryptography import x509
from django.core.management import CommandError, call_command

from psap.certificates import identity_of, read_certificates, read_chain, require_key_of
from psap.demo import seed_demo
from psap.devca import CLIENT_NAME, FILES, own_names
from psap.models import Certificate, CertificateAuthority, Psap, Trunk

pytestmark = pytest.mark.django_db


def run(directory: Path, *arguments: str) -> str:
    output = io.StringIO()
    call_command("devca", str(directory), *arguments, stdout=output)
    return output.getvalue()


def test_it_writes_exactly_what_it_says_with_keys_for_the_owner_alone(tmp_path: Path):
    run(tmp_path / "ca")
    assert sorted(path.name for path in (tmp_path / "ca").iterdir()) == sorted(FILES)
    for path in (tmp_path / "ca").iterdir():
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o600 if path.suffix == ".key" else 0o644), path.name


def test_the_certificates_are_of_one_authority_and_the_list_revokes_one(tmp_path: Path):
    run(tmp_path)
    text = {name: (tmp_path / name).read_text() for name in FILES}
    [authority] = read_certificates(text["ca.pem"])
    revoked = x509.load_pem_x509_crl(text["crl.pem"].encode())
    assert revoked.is_signature_valid(authority.public_key())
    now = (
        authority.not_valid_before_utc
        + (authority.not_valid_after_utc - authority.not_valid_before_utc) / 2
    )
    for name in ("psap", "client", "revoked"):
        [certificate] = read_chain(text[f"{name}.pem"], now=now)
        certificate.verify_directly_issued_by(authority)
        require_key_of(certificate, text[f"{name}.key"])
        listed = revoked.get_revoked_certificate_by_serial_number(certificate.serial_number)
        assert (listed is not None) == (name == "revoked")
    ours = identity_of(read_certificates(text["psap.pem"])[0])
    assert {"localhost", "127.0.0.1", "::1"} <= set(ours.names)
    for name in ("client", "revoked"):
        assert identity_of(read_certificates(text[f"{name}.pem"])[0]).names == (CLIENT_NAME,)


def test_what_is_complete_stays_and_what_is_not_is_made_anew(tmp_path: Path):
    run(tmp_path)
    before = {name: (tmp_path / name).read_bytes() for name in FILES}
    assert "left as it is" in run(tmp_path)
    assert {name: (tmp_path / name).read_bytes() for name in FILES} == before
    (tmp_path / "crl.pem").unlink()
    assert "written" in run(tmp_path)
    assert (tmp_path / "ca.pem").read_bytes() != before["ca.pem"]


def test_it_installs_itself_once_and_again(tmp_path: Path):
    run(tmp_path, "--install")
    run(tmp_path, "--install")
    trunk = Trunk.objects.get()
    assert (trunk.name, trunk.transport, trunk.allowed_names) == ("sips", "tls", CLIENT_NAME)
    assert trunk.certificate == Certificate.objects.get()
    assert list(trunk.authorities.all()) == [CertificateAuthority.objects.get()]
    assert Certificate.objects.get().not_after is not None
    assert CertificateAuthority.objects.get().next_update is not None


def test_it_changes_no_trunk_that_is_not_its_own(tmp_path: Path):
    Trunk.objects.create(name="in service", transport="tls", allowed_names="esrp.example.org")
    with pytest.raises(CommandError, match="another trunk has PSAP_SIPS_PORT"):
        run(tmp_path, "--install")
    assert Trunk.objects.get().certificate is None
    assert not Certificate.objects.exists()


def test_it_is_shown_to_peers_unless_something_else_is(tmp_path: Path):
    """Two instances that install the same files are believed by each other."""
    psap = Psap.objects.create(pk=1, name="Demo", public_uri="sip:psap@127.0.0.1")
    assert "peers are shown “psap.pem”" in run(tmp_path, "--install")
    psap.refresh_from_db()
    assert psap.peer_certificate == Certificate.objects.get()
    assert list(psap.peer_authorities.all()) == [CertificateAuthority.objects.get()]
    psap.peer_certificate = Certificate.objects.create(name="ESInet", chain="-", private_key="-")
    psap.save()
    psap.peer_authorities.clear()
    assert "left as it is" in run(tmp_path, "--install").splitlines()[-1]
    psap.refresh_from_db()
    assert psap.peer_certificate.name == "ESInet" and not psap.peer_authorities.exists()


def test_the_demo_comes_with_tls(tmp_path: Path):
    values = {
        "public_uri": "sip:psap@127.0.0.1:5060",
        "outbound_proxy": "",
        "credentials_path": tmp_path / "credentials.json",
        "certificates": tmp_path / "devca",
        "host": "127.0.0.1",
    }
    seed_demo(**values)
    assert {trunk.name for trunk in Trunk.objects.all()} == {"default", "sips"}
    psap = Psap.objects.get()
    assert psap.peer_certificate is not None and psap.peer_authorities.count() == 1
    Trunk.objects.get(name="sips").delete()
    seed_demo(**values)  # what was deleted stays so
    assert {trunk.name for trunk in Trunk.objects.all()} == {"default"}


@pytest.mark.parametrize(
    ("host", "uri", "named", "unnamed"),
    [
        ("192.0.2.7", "sip:psap@psap.at:5060", {"192.0.2.7", "psap.at", "sip:psap.at"}, set()),
        ("::", "sip:psap@[2001:db8::1]:5060", {"2001:db8::1"}, {"::", ""}),
        ("0.0.0.0", "sip:psap@host;transport=tcp", {"host"}, {"0.0.0.0"}),  # noqa: S104
    ],
)
def test_ours_names_the_host_and_the_sip_domain(host, uri, named, unnamed):
    names = set(own_names(host, uri))
    assert named <= names
    assert not unnamed & names
