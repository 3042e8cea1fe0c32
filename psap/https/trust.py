"""What both sides of an errand's TLS connection must prove: theirs checked, ours shown."""

import ssl
from collections.abc import Iterable
from dataclasses import dataclass, field

from cryptography import x509

from psap.certificates import CertificateProblem, read_certificates, read_revocation_lists
from psap.lent_files import lent_as_file
from psap.models import Certificate, CertificateAuthority


class TrustBroken(Exception):
    """Our own certificates cannot be used; an administrator has to look."""


class CertificateRevoked(Exception):
    """The other side's certificate is on its issuer's revocation list."""


@dataclass(frozen=True, slots=True)
class Trust:
    """Whom we believe (the system's authorities when none is named), and who we say we are.

    `authorities` are pairs of PEM: certificates and revocation lists. `chain` and `private_key`
    are PEM, empty when we show nothing.
    """

    authorities: tuple[tuple[str, str], ...] = ()
    chain: str = ""
    private_key: str = field(default="", repr=False)

    def context(self) -> ssl.SSLContext:
        """Make a client's context that checks chain and name; raises TrustBroken."""
        try:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            if self.authorities:
                context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
                for certificates, _ in self.authorities:
                    context.load_verify_locations(cadata=certificates)
            else:
                context.load_default_certs()
            if self.chain:
                with lent_as_file(f"{self.chain}\n{self.private_key}") as path:
                    context.load_cert_chain(path)
        except (ssl.SSLError, OSError, ValueError) as error:
            raise TrustBroken(f"our certificates cannot be used: {error}") from error
        return context

    def check_not_revoked(self, der: bytes) -> None:
        """Compare what a server showed with the lists; raises CertificateRevoked, TrustBroken.

        A list that is old still counts for what it says.
        """
        lists = [pair for pair in self.authorities if pair[1].strip()]
        if not lists:
            return
        shown = x509.load_der_x509_certificate(der)
        try:
            for certificates, revoked in lists:
                for one in read_revocation_lists(revoked, read_certificates(certificates)):
                    serial = one.get_revoked_certificate_by_serial_number(shown.serial_number)
                    if one.issuer == shown.issuer and serial is not None:
                        raise CertificateRevoked
        except CertificateProblem as error:
            raise TrustBroken(str(error)) from error


def trust_of(authorities: Iterable[CertificateAuthority], certificate: Certificate | None) -> Trust:
    """Make the trust that an administrator configured."""
    return Trust(
        tuple((one.certificates, one.revocation_list) for one in authorities),
        certificate.chain if certificate else "",
        certificate.private_key if certificate else "",
    )
