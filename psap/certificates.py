"""X.509 as an instance needs it: reads what an administrator pasted, says in words what is wrong.

Pure functions over PEM and DER (RFC 5280); no database, no files.
"""

from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA256

SMALLEST_RSA_KEY = 2048
SMALLEST_CURVE = 224
_LIST_HEADER = "-----BEGIN X509 CRL-----"
_LIST_FOOTER = "-----END X509 CRL-----"


class CertificateProblem(ValueError):
    """What is wrong with it, in a sentence for an administrator."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a certificate says that somebody is: alternative names in lower case."""

    subject: str
    dns_names: tuple[str, ...]
    uris: tuple[str, ...]
    addresses: tuple[str, ...]
    fingerprint: str
    issuer: x509.Name
    serial_number: int
    not_after: datetime
    has_strong_key: bool

    @property
    def names(self) -> tuple[str, ...]:
        """All alternative names, as a person reads them."""
        return (*self.dns_names, *self.uris, *self.addresses)


def read_identity(der: bytes) -> Identity:
    """Read a certificate as a peer showed it; raises CertificateProblem."""
    try:
        return identity_of(x509.load_der_x509_certificate(der))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise CertificateProblem(f"The certificate cannot be read: {error}") from error


def identity_of(certificate: x509.Certificate) -> Identity:
    """Say whom a certificate names."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        names = x509.SubjectAlternativeName([])
    return Identity(
        subject=certificate.subject.rfc4514_string(),
        dns_names=tuple(name.lower() for name in names.get_values_for_type(x509.DNSName)),
        uris=tuple(
            uri.lower() for uri in names.get_values_for_type(x509.UniformResourceIdentifier)
        ),
        addresses=tuple(map(str, names.get_values_for_type(x509.IPAddress))),
        fingerprint=certificate.fingerprint(SHA256()).hex(),
        issuer=certificate.issuer,
        serial_number=certificate.serial_number,
        not_after=certificate.not_valid_after_utc,
        has_strong_key=_is_strong(certificate.public_key()),
    )


def read_certificates(pem: str) -> list[x509.Certificate]:
    """Read one or more certificates; raises CertificateProblem."""
    try:
        return x509.load_pem_x509_certificates(pem.encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise CertificateProblem(
            "No certificate can be read. Paste it as PEM, from “-----BEGIN CERTIFICATE-----” "
            "to “-----END CERTIFICATE-----”."
        ) from error


def is_issued_by(der: bytes, authorities: list[x509.Certificate]) -> bool:
    """Whether one of these has issued a certificate itself, or is that certificate (RFC 5280 6).

    Raises CertificateProblem where it cannot be read. Dates and names are another matter.
    """
    try:
        shown = x509.load_der_x509_certificate(der)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise CertificateProblem(f"The certificate cannot be read: {error}") from error
    return any(shown == one or _has_issued(one, shown) for one in authorities)


def read_chain(pem: str, *, now: datetime) -> list[x509.Certificate]:
    """Read a certificate of ours with those of its issuers; raises CertificateProblem."""
    chain = read_certificates(pem)
    for certificate, issuer in zip(chain, chain[1:], strict=False):
        if certificate.issuer != issuer.subject:
            raise CertificateProblem(
                f"“{issuer.subject.rfc4514_string()}” did not issue what stands before it. "
                "Paste our certificate first, then its issuer's, and so on."
            )
    for certificate in chain:
        _require_in_force(certificate, now)
    if not _is_strong(chain[0].public_key()):
        raise CertificateProblem(
            "The certificate's key is too weak. Use RSA of 2048 bits or more, or EC."
        )
    return chain


def require_key_of(certificate: x509.Certificate, pem: str) -> None:
    """Accept the private key of a certificate; raises CertificateProblem."""
    try:
        key = serialization.load_pem_private_key(pem.encode(), password=None)
    except TypeError as error:
        raise CertificateProblem("The key has a passphrase. Take it off first.") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise CertificateProblem(
            "No private key can be read. Paste it as PEM, from “-----BEGIN PRIVATE KEY-----” "
            "to “-----END PRIVATE KEY-----”."
        ) from error
    if _public_bytes(key.public_key()) != _public_bytes(certificate.public_key()):
        raise CertificateProblem("The key does not belong to the certificate.")


def read_revocation_lists(
    pem: str, authorities: list[x509.Certificate]
) -> list[x509.CertificateRevocationList]:
    """Read revocation lists and check who signed them; raises CertificateProblem."""
    lists = [_read_list(block) for block in _list_blocks(pem)]
    if pem.strip() and not lists:
        raise CertificateProblem(f"No revocation list can be read. Paste it from “{_LIST_HEADER}”.")
    for one in lists:
        issuers = [ca for ca in authorities if ca.subject == one.issuer]
        if not any(_has_signed(issuer, one) for issuer in issuers):
            raise CertificateProblem(
                f"The list of “{one.issuer.rfc4514_string()}” is signed by none of the authorities."
            )
    return lists


def _has_issued(issuer: x509.Certificate, shown: x509.Certificate) -> bool:
    try:
        shown.verify_directly_issued_by(issuer)
    except (TypeError, ValueError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _list_blocks(pem: str) -> list[str]:
    ends = [part.partition(_LIST_FOOTER) for part in pem.split(_LIST_HEADER)[1:]]
    return [f"{_LIST_HEADER}{body}{footer}\n" for body, footer, _ in ends]


def _read_list(block: str) -> x509.CertificateRevocationList:
    try:
        return x509.load_pem_x509_crl(block.encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise CertificateProblem(f"A revocation list cannot be read: {error}") from error


def _has_signed(issuer: x509.Certificate, one: x509.CertificateRevocationList) -> bool:
    try:
        return one.is_signature_valid(issuer.public_key())  # type: ignore[arg-type]
    except (TypeError, ValueError, UnsupportedAlgorithm):
        return False


def _require_in_force(certificate: x509.Certificate, now: datetime) -> None:
    subject = certificate.subject.rfc4514_string()
    if certificate.not_valid_after_utc <= now:
        ended = certificate.not_valid_after_utc.date().isoformat()
        raise CertificateProblem(f"“{subject}” expired on {ended}.")
    if certificate.not_valid_before_utc > now:
        begins = certificate.not_valid_before_utc.date().isoformat()
        raise CertificateProblem(f"“{subject}” is valid from {begins} on.")


def _is_strong(key: object) -> bool:
    if isinstance(key, rsa.RSAPublicKey):
        return key.key_size >= SMALLEST_RSA_KEY
    if isinstance(key, ec.EllipticCurvePublicKey):
        return key.curve.key_size >= SMALLEST_CURVE
    return isinstance(key, ed25519.Ed25519PublicKey | ed448.Ed448PublicKey)


def _public_bytes(key: object) -> bytes:
    written: bytes = key.public_bytes(  # type: ignore[attr-defined]
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return written
