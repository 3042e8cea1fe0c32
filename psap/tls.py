"""TLS as a trunk's policy wants it: contexts of OpenSSL, and who of those it lets in is admitted.

TLS 1.2 and 1.3 with certificates on both sides (TS 103 698 6.1.1, RFC 8446, RFC 5922).
"""

import ssl
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import ip_address

from cryptography import x509

from psap.certificates import Identity, read_certificates, read_revocation_lists
from psap.lent_files import lent_as_file

VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
# Forward secrecy and authenticated encryption only; level 2 wants RSA keys of 2048 bits (RFC 9325).
CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20:@SECLEVEL=2"


@dataclass(frozen=True, slots=True)
class Authority:
    """Certificates that are believed, and what their issuers have revoked; both PEM."""

    name: str
    certificates: str
    revocation_list: str = ""


@dataclass(frozen=True, slots=True)
class TlsPolicy:
    """What we show (PEM) and whom we admit; without a certificate nobody gets in or out.

    `demands` is False where a server also takes clients without certificate: they show a token.
    """

    chain: str = ""
    private_key: str = field(default="", repr=False)
    authorities: tuple[Authority, ...] = ()
    allowed_names: tuple[str, ...] = ()
    oldest_version: str = "1.2"
    demands: bool = True


class NotAdmitted(Exception):
    """This peer is none of those that the trunk admits: a reason to count, a detail to log."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason)
        self.detail = detail


class Vetting:
    """What every certificate is looked at for, whoever has verified it: us, or a proxy of ours.

    Raises ValueError where revocation lists cannot be read.
    """

    def __init__(self, authorities: tuple[Authority, ...]) -> None:
        self._revoked = [entry for one in authorities for entry in _lists_of(one)]

    def vet(self, peer: Identity) -> None:
        """Look at everything but the name; raises NotAdmitted."""
        if not peer.has_strong_key:
            raise NotAdmitted("TLS: key too weak", peer.subject)
        if peer.not_after <= datetime.now(UTC):
            raise NotAdmitted("TLS: certificate has expired", peer.subject)
        for one in self._revoked:
            if one.issuer == peer.issuer and _is_on(one, peer.serial_number):
                raise NotAdmitted("TLS: certificate revoked", peer.subject)


class TlsGate(Vetting):
    """One policy made ready: raises ValueError where its certificates cannot be used.

    A revocation list that wants to be renewed is still gone by, and an alarm says so: a list
    forgotten by somebody must not make a PSAP deaf. Where all lists are fresh OpenSSL checks them
    too, so that the peer is told why.
    """

    def __init__(self, policy: TlsPolicy, *, now: datetime) -> None:
        super().__init__(policy.authorities)
        self.policy = policy
        self.stale_at = _first_update(self._revoked, now)
        checks_lists = _covers_all(self._revoked, policy.authorities, now)
        self.server = _context(ssl.PROTOCOL_TLS_SERVER, policy, checks_lists=checks_lists)
        self.client = _context(ssl.PROTOCOL_TLS_CLIENT, policy, checks_lists=checks_lists)

    def admit(self, peer: Identity, host: str = "") -> str:
        """Return the name by which a peer is admitted; raises NotAdmitted.

        A peer that we called may also be just the host that we called, name or address.
        """
        self.vet(peer)
        if host and (name := _name_for_host(peer, host)):
            return name
        for allowed in self.policy.allowed_names:
            if name := name_matching(peer, allowed):
                return name
        raise NotAdmitted(
            "TLS: name not allowed", f"{' '.join(peer.names) or 'no name'} ({peer.subject})"
        )


def _lists_of(authority: Authority) -> list[x509.CertificateRevocationList]:
    return read_revocation_lists(
        authority.revocation_list, read_certificates(authority.certificates)
    )


def _is_on(one: x509.CertificateRevocationList, serial_number: int) -> bool:
    return one.get_revoked_certificate_by_serial_number(serial_number) is not None


def _first_update(lists: list[x509.CertificateRevocationList], now: datetime) -> datetime | None:
    """When the first list ceases to be fresh, and the gate wants to be made anew."""
    updates = [one.next_update_utc for one in lists if one.next_update_utc]
    return min((at for at in updates if at > now), default=None)


def _covers_all(
    lists: list[x509.CertificateRevocationList], authorities: tuple[Authority, ...], now: datetime
) -> bool:
    """Whether there is a fresh list of every issuer: OpenSSL refuses all peers of any other."""
    fresh = {one.issuer for one in lists if one.next_update_utc and one.next_update_utc > now}
    issuers = {ca.subject for one in authorities for ca in read_certificates(one.certificates)}
    return bool(issuers) and issuers <= fresh


def _context(side: int, policy: TlsPolicy, *, checks_lists: bool) -> ssl.SSLContext:
    context = ssl.SSLContext(side)
    context.check_hostname = False  # `admit` checks names, also those that ssl does not know
    context.verify_mode = ssl.CERT_REQUIRED
    if side == ssl.PROTOCOL_TLS_SERVER and not policy.demands:
        context.verify_mode = ssl.CERT_OPTIONAL
    context.minimum_version = VERSIONS[policy.oldest_version]
    context.set_ciphers(CIPHERS)
    # No tickets. A session of TLS 1.2 may still be resumed by its id, without OpenSSL looking at
    # the certificate again: `admit` goes by date, lists and names every time, and a policy that
    # has changed makes a context without sessions.
    context.options |= ssl.OP_NO_TICKET | ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    if side == ssl.PROTOCOL_TLS_SERVER:
        context.num_tickets = 0
    with lent_as_file(policy.chain + "\n" + policy.private_key) as path:
        context.load_cert_chain(path)
    for authority in policy.authorities:
        context.load_verify_locations(cadata=authority.certificates)
        if checks_lists:
            with lent_as_file(authority.revocation_list) as path:
                context.load_verify_locations(path)
    if checks_lists:
        context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
    return context


def _name_for_host(peer: Identity, host: str) -> str:
    """Return the name of a peer that is the host which we called (RFC 5922 7.2)."""
    try:
        written = str(ip_address(host))
    except ValueError:
        return name_matching(peer, host.lower().rstrip("."))
    return written if written in peer.addresses else ""


def name_matching(peer: Identity, allowed: str) -> str:
    """Return the peer's name that an allowed name covers, "" for none.

    `*.example.org` covers one label. A name without scheme also covers `sip:name` and `sips:name`;
    wildcards in certificates are none for SIP (RFC 5922 7.2).
    """
    if ":" in allowed:
        return allowed if allowed in peer.uris else ""
    for name in peer.dns_names:
        if _covers(allowed, name):
            return name
    for uri in peer.uris:
        scheme, _, domain = uri.partition(":")
        if scheme in ("sip", "sips") and _covers(allowed, domain):
            return uri
    return ""


def _covers(allowed: str, name: str) -> bool:
    if "*" in name:
        return False
    if allowed.startswith("*."):
        label, _, rest = name.partition(".")
        return bool(label) and rest == allowed[2:]
    return name == allowed
