"""A certificate authority for tests: real certificates, real revocation lists, EC keys.

authority = Authority("Test CA")
server = authority.issue("lis.example.org", "127.0.0.1")
server.chain, server.private_key   # PEM
authority.certificate              # PEM
authority.revocation_list(server)  # PEM
"""

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate with its key, as PEM."""

    chain: str
    private_key: str
    serial_number: int

    @property
    def combined(self) -> str:
        return f"{self.chain}\n{self.private_key}"


class Authority:
    """Signs whatever it is asked to."""

    def __init__(self, name: str = "Test CA") -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _subject(name)
        extensions = [
            (x509.BasicConstraints(ca=True, path_length=None), True),
            (_usage(key_cert_sign=True, crl_sign=True), True),
        ]
        self._certificate = self._sign(self._name, self._key.public_key(), extensions)
        self.certificate = _pem(self._certificate)

    def issue(
        self,
        *names: str,
        subject: str = "",
        expired: bool = False,
        key: ec.EllipticCurvePrivateKey | None = None,
    ) -> Issued:
        """Issue a certificate for names, addresses or URIs (`sip:…`), for both sides of TLS."""
        key = key or ec.generate_private_key(ec.SECP256R1())
        extensions: list[tuple[x509.ExtensionType, bool]] = [
            (x509.BasicConstraints(ca=False, path_length=None), True),
            (_usage(digital_signature=True), True),
        ]
        if names:
            extensions.append((x509.SubjectAlternativeName([_name(n) for n in names]), False))
        certificate = self._sign(
            _subject(subject or (names[0] if names else "nobody")),
            key.public_key(),
            extensions,
            ends=timedelta(days=-1) if expired else timedelta(days=30),
        )
        return Issued(_pem(certificate), _key_pem(key), certificate.serial_number)

    def revocation_list(self, *revoked: Issued, fresh: bool = True) -> str:
        """List certificates as revoked; not `fresh`: it wanted to be renewed yesterday."""
        now = datetime.now(UTC)
        until = now + timedelta(days=7 if fresh else -1)
        builder = x509.CertificateRevocationListBuilder(
            issuer_name=self._name, last_update=now - timedelta(days=8), next_update=until
        )
        for one in revoked:
            entry = x509.RevokedCertificateBuilder(one.serial_number, now - timedelta(days=2))
            builder = builder.add_revoked_certificate(entry.build())
        signed = builder.sign(self._key, hashes.SHA256())
        return signed.public_bytes(serialization.Encoding.PEM).decode()

    def _sign(
        self,
        subject: x509.Name,
        public_key: ec.EllipticCurvePublicKey,
        extensions: list[tuple[x509.ExtensionType, bool]],
        ends: timedelta = timedelta(days=30),
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        builder = x509.CertificateBuilder(
            issuer_name=self._name,
            subject_name=subject,
            public_key=public_key,
            serial_number=x509.random_serial_number(),
            not_valid_before=now - timedelta(days=10),
            not_valid_after=now + ends,
        )
        identifier = x509.SubjectKeyIdentifier.from_public_key(public_key)
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        for extension, critical in [*extensions, (identifier, False), (issuer, False)]:
            builder = builder.add_extension(extension, critical)
        return builder.sign(self._key, hashes.SHA256())


def _subject(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])


def _name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.UniformResourceIdentifier(name) if ":" in name else x509.DNSName(name)


def _usage(**allowed: bool) -> x509.KeyUsage:
    names = (
        "digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
        "key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
    )  # fmt: skip
    return x509.KeyUsage(**{name: allowed.get(name, False) for name in names})


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _key_pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()
