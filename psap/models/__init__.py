"""Configuration of the one PSAP that an instance serves, and who works there."""

from psap.models.certificates import Certificate, CertificateAuthority, PeerCertificate
from psap.models.configuration import Psap, ReportFormat, ServiceNumber
from psap.models.peers import LimitedClient, LocationServer, Peer
from psap.models.people import (
    ADMINISTRATOR,
    CALL_TAKER,
    ROLES,
    SUPERVISOR,
    LoginFailure,
    User,
)
from psap.models.service_process import ServiceProcess
from psap.models.trunk import (
    Fallback,
    RegistrarLimit,
    Registration,
    RegistrationState,
    SipAccount,
    TlsVersion,
    Trunk,
    TrunkTransport,
)

__all__ = [
    "ADMINISTRATOR",
    "CALL_TAKER",
    "ROLES",
    "SUPERVISOR",
    "Certificate",
    "CertificateAuthority",
    "Fallback",
    "LimitedClient",
    "LocationServer",
    "LoginFailure",
    "Peer",
    "PeerCertificate",
    "Psap",
    "RegistrarLimit",
    "Registration",
    "RegistrationState",
    "ReportFormat",
    "ServiceNumber",
    "ServiceProcess",
    "SipAccount",
    "TlsVersion",
    "Trunk",
    "TrunkTransport",
    "User",
]
