"""Who asks: a verified certificate's names or a bearer token lead to one of our peers."""

import base64
import binascii
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from psap.certificates import (
    CertificateProblem,
    Identity,
    is_issued_by,
    read_certificates,
    read_identity,
)
from psap.models import Peer
from psap.peer_tokens import digest_of
from psap.tls import Authority, Vetting, name_matching
from transfer_api.problems import unknown_caller

Headers = Iterable[tuple[bytes, bytes]]
PROXIED = "leitstand.proxied"  # in a scope's extensions: a TLS proxy of ours has passed it on
_LONGEST_CERTIFICATE = 16_384
_NOT_VOUCHED_FOR = "None of the authorities that we believe about you has issued your certificate."


@dataclass(frozen=True, slots=True)
class Shown:
    """What somebody shows: a certificate that TLS has verified, a token, both or neither."""

    identity: Identity | None = None
    token: str = field(default="", repr=False)
    certificate: bytes = b""  # DER, whose identity it is


def read_shown(extensions: Mapping[str, Any], headers: Headers) -> Shown:
    """Read what stands in a request's scope (ASGI's TLS extension); raises Problem 401."""
    if PROXIED in extensions:
        der = _certificate_of_proxy(headers)
    else:
        chain = extensions.get("tls", {}).get("client_cert_chain")
        der = ssl.PEM_cert_to_DER_cert(chain[0]) if chain else None
    try:
        return Shown(read_identity(der) if der else None, _token(headers), der or b"")
    except CertificateProblem as error:
        raise unknown_caller(str(error)) from error


def find_peer(shown: Shown) -> Peer:
    """Return whom we have an agreement with and who has shown this; raises Problem 401.

    Asks the database each time, so that a change in the admin holds from the next request on.
    Raises NotAdmitted for a certificate that an authority of the peer's own has revoked.
    """
    peers = list(Peer.objects.order_by("pk"))
    named = list(_by_certificate(shown.identity, peers))
    found = {peer for peer in named if _is_vouched_for(peer, shown)}
    found |= set(_by_token(shown.token, peers))
    if not found:
        raise unknown_caller(_NOT_VOUCHED_FOR if named else _why_nobody(shown))
    if len(found) > 1:
        raise unknown_caller("What you show belongs to more than one of our peers.")
    (peer,) = found
    if not peer.agreement:
        raise unknown_caller("There is no agreement with you at the moment.")
    return peer


def _token(headers: Headers) -> str:
    """Return the bearer token (RFC 6750 2.1)."""
    values = [value for name, value in headers if name == b"authorization"]
    if len(values) > 1:
        raise unknown_caller("There is more than one Authorization.")
    scheme, _, token = values[0].decode("latin-1").partition(" ") if values else ("", "", "")
    return token.strip() if scheme.lower() == "bearer" else ""


def _certificate_of_proxy(headers: Headers) -> bytes | None:
    """Return the certificate that a TLS proxy has verified, DER (RFC 9440 2.2); None for none.

    Only a proxy may be asked so: the header proves nothing by itself. Raises Problem 401.
    """
    values = [value for name, value in headers if name == b"client-cert"]
    if not values:
        return None
    value = values[0].strip()
    if len(values) > 1 or len(value) > _LONGEST_CERTIFICATE or value[:1] + value[-1:] != b"::":
        raise unknown_caller("The proxy's Client-Cert header is none.")
    try:
        return base64.b64decode(value[1:-1], validate=True)
    except binascii.Error as error:
        raise unknown_caller("The proxy's Client-Cert header is none.") from error


def _by_certificate(identity: Identity | None, peers: list[Peer]) -> Iterable[Peer]:
    if identity is None:
        return
    for peer in peers:
        allowed = peer.certificate_names.lower().split()
        if any(name_matching(identity, name) for name in allowed):
            yield peer


def _is_vouched_for(peer: Peer, shown: Shown) -> bool:
    """Whether a certificate with a peer's name is one of its own authorities', if it has any.

    Whoever else is believed on the PSAP's page could make itself out to be that peer.
    """
    own = [Authority(a.name, a.certificates, a.revocation_list) for a in peer.authorities.all()]
    if shown.identity is None or not own:
        return True
    believed = [one for authority in own for one in read_certificates(authority.certificates)]
    if not is_issued_by(shown.certificate, believed):
        return False
    Vetting(tuple(own)).vet(shown.identity)
    return True


def _by_token(token: str, peers: list[Peer]) -> Iterable[Peer]:
    if not token:
        return
    digest = digest_of(token)
    yield from (peer for peer in peers if peer.token_sha256 and peer.token_sha256 == digest)


def _why_nobody(shown: Shown) -> str:
    if shown.token and shown.identity:
        return "We know neither your token nor a name of your certificate."
    if shown.token:
        return "We do not know this token."
    if shown.identity:
        names = " ".join(shown.identity.names)[:200] or "none"
        return f"We know none of the names of your certificate ({names})."
    return "Show a certificate or a token."
