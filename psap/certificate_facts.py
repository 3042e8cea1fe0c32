"""What certificate rows say about themselves, read from their PEM when they are saved."""

from datetime import UTC, datetime

from psap.certificates import read_certificates, read_chain, read_revocation_lists, require_key_of
from psap.models import Certificate, CertificateAuthority


def describe_certificate(row: Certificate) -> None:
    """Check a certificate of ours and fill in subject and expiry; raises CertificateProblem."""
    chain = read_chain(row.chain, now=datetime.now(UTC))
    require_key_of(chain[0], row.private_key)
    row.subject = chain[0].subject.rfc4514_string()
    row.not_after = min(certificate.not_valid_after_utc for certificate in chain)


def describe_authority(row: CertificateAuthority) -> None:
    """Check certificates and lists and fill in their dates; raises CertificateProblem."""
    certificates = read_certificates(row.certificates)
    lists = read_revocation_lists(row.revocation_list, certificates)
    row.not_after = min(certificate.not_valid_after_utc for certificate in certificates)
    row.next_update = min(
        (one.next_update_utc for one in lists if one.next_update_utc), default=None
    )
