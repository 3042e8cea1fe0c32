"""What the peer interface goes by, read from the admin's rows each second."""

from dataclasses import dataclass

from psap.models import Psap
from psap.tls import Authority, TlsPolicy

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Configuration:
    """Certificates (without one no port is open) and the largest body in bytes."""

    policy: TlsPolicy = TlsPolicy(demands=False)
    largest_body: int = 20 * MIB


def load_configuration() -> Configuration:
    """Read the PSAP's row."""
    psap = Psap.objects.select_related("peer_certificate").first()
    if psap is None:
        return Configuration()
    certificate = psap.peer_certificate
    policy = TlsPolicy(
        chain=certificate.chain if certificate else "",
        private_key=certificate.private_key if certificate else "",
        authorities=tuple(
            Authority(one.name, one.certificates, one.revocation_list)
            for one in psap.peer_authorities.order_by("pk")
        ),
        demands=False,
    )
    return Configuration(policy, psap.largest_transfer * MIB)
