"""A certificate authority for trying out TLS: its certificates as files, and in an instance.

The authority's own key is thrown away: whoever gets hold of the files can pretend to be the two
ends that they are for, and no more. Never for service.
"""

import ipaddress
import os
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from django.db import transaction

from psap.certificate_facts import describe_authority, describe_certificate
from psap.models import Certificate, CertificateAuthority, Psap, Trunk, TrunkTransport

VALID = timedelta(days=3650)
CLIENT_NAME = "client.example.org"
TRUNK = "sips"
ROW = "development"
FILES = (
    "ca.pem",
    "psap.pem",
    "psap.key",
    "client.pem",
    "client.key",
    "revoked.pem",
    "revoked.key",
    "crl.pem",
)


class TrunkInTheWay(Exception):
    """Another trunk has PSAP_SIPS_PORT, or the name that ours would have."""


@dataclass(frozen=True, slots=True)
class _Authority:
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate


def own_names(host: str, public_uri: str) -> list[str]:
    """Return what our certificate may name besides localhost: machine, address, SIP domain."""
    names = [socket.gethostname()]
    written = public_uri.rpartition("@")[2]
    bracketed, end, _ = written.partition("]")
    domain = bracketed + end if end else written.partition(";")[0].partition(":")[0]
    if host not in ("", "0.0.0.0", "::"):  # noqa: S104  (compared with, not bound to)
        names.append(host)
    names += [domain.strip("[]"), f"sip:{domain}"]
    return [name for name in names if name.isascii() and name.strip()]


def write_dev_certificates(directory: Path, *, names: Iterable[str], now: datetime) -> bool:
    """Write all files of `FILES`, unless all are there; returns whether it did.

    `names` are host names and addresses of ours, and SIP URIs.
    """
    if all((directory / name).exists() for name in FILES):
        return False
    directory.mkdir(parents=True, exist_ok=True)
    authority = _new_authority(now)
    files = {"ca.pem": _pem(authority.certificate)}
    ours = ["localhost", "127.0.0.1", "::1", *names]
    files["psap.pem"], files["psap.key"], _ = _issue(authority, "psap", ours, now)
    files["client.pem"], files["client.key"], _ = _issue(authority, "client", [CLIENT_NAME], now)
    # Revoked, and admitted by its name: the list alone keeps it out.
    files["revoked.pem"], files["revoked.key"], revoked = _issue(
        authority, "revoked client", [CLIENT_NAME], now
    )
    files["crl.pem"] = _revocation_list(authority, revoked, now)
    for name in FILES:
        _write(directory / name, files[name])
    return True


@transaction.atomic
def install_dev_certificates(directory: Path) -> Trunk:
    """Load the files into this instance: a TLS trunk that admits the client, and the peers' port.

    Raises TrunkInTheWay rather than change a trunk that is not its own. Where peers are shown
    another certificate, that stays so.
    """
    text = {name: (directory / name).read_text() for name in FILES}
    in_the_way = Trunk.objects.filter(transport=TrunkTransport.TLS, port=None).exclude(name=TRUNK)
    if in_the_way.exists() or Trunk.objects.filter(name=TRUNK, transport="plain").exists():
        raise TrunkInTheWay
    certificate = Certificate.objects.filter(name=ROW).first() or Certificate(name=ROW)
    certificate.chain, certificate.private_key = text["psap.pem"], text["psap.key"]
    describe_certificate(certificate)
    certificate.save()
    authority = CertificateAuthority.objects.filter(name=ROW).first()
    authority = authority or CertificateAuthority(name=ROW)
    authority.certificates, authority.revocation_list = text["ca.pem"], text["crl.pem"]
    describe_authority(authority)
    authority.save()
    trunk, _ = Trunk.objects.get_or_create(
        name=TRUNK, defaults={"transport": TrunkTransport.TLS, "allowed_names": CLIENT_NAME}
    )
    trunk.certificate = certificate
    if CLIENT_NAME not in trunk.allowed_names.split():
        trunk.allowed_names = f"{trunk.allowed_names} {CLIENT_NAME}".strip()
    trunk.save(update_fields=["certificate", "allowed_names"])
    trunk.authorities.add(authority)
    _show_to_peers(certificate, authority)
    return trunk


def _show_to_peers(certificate: Certificate, authority: CertificateAuthority) -> None:
    """Have the interface for peers show the certificate and believe the authority."""
    psap = Psap.objects.first()
    if psap is None or psap.peer_certificate_id not in (None, certificate.pk):
        return
    psap.peer_certificate = certificate
    psap.save(update_fields=["peer_certificate"])
    psap.peer_authorities.add(authority)


def _new_authority(now: datetime) -> _Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name(f"Leitstand development CA, {now:%Y-%m-%d}")
    usage = dict.fromkeys(_USAGES, False) | {"key_cert_sign": True, "crl_sign": True}
    certificate = (
        _builder(name, name, key, now)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.KeyUsage(**usage), critical=True)
        .sign(key, hashes.SHA256())
    )
    return _Authority(key, certificate)


def _issue(
    authority: _Authority, common_name: str, names: Iterable[str], now: datetime
) -> tuple[str, str, int]:
    """Issue for both sides of TLS, since either end may call: PEM, key and serial number."""
    key = ec.generate_private_key(ec.SECP256R1())
    purposes = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    alternatives = [_alternative(name) for name in dict.fromkeys(names)]
    certificate = (
        _builder(_name(common_name), authority.certificate.subject, key, now)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .sign(authority.key, hashes.SHA256())
    )
    return _pem(certificate), _key_pem(key), certificate.serial_number


def _revocation_list(authority: _Authority, serial_number: int, now: datetime) -> str:
    revoked = x509.RevokedCertificateBuilder(serial_number, now - timedelta(minutes=1)).build()
    written = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(authority.certificate.subject)
        .last_update(now - timedelta(hours=1))
        .next_update(now + VALID)
        .add_revoked_certificate(revoked)
        .sign(authority.key, hashes.SHA256())
    )
    return written.public_bytes(serialization.Encoding.PEM).decode()


_USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + VALID)
    )


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        make: Callable[[str], x509.GeneralName] = (
            x509.UniformResourceIdentifier if ":" in name else x509.DNSName
        )
        return make(name)


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _key_pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


def _write(path: Path, text: str) -> None:
    """Write anew, never through a link or into a file that others may read."""
    path.unlink(missing_ok=True)
    mode = 0o600 if path.suffix == ".key" else 0o644
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as file:
        file.write(text)
