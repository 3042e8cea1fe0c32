"""Trying a peer out without offering it a chat: its URL, certificate, our token, its schemas.

The negotiation is for a CallId that whoever implements this interface declines at once
(docs/transfer.md): nobody is bothered, and all that stands between two PSAPs is gone through.
"""

import secrets
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.utils import timezone

from chats.services.transfers.offers import CHECK_CALL_ID
from psap.certificates import CertificateProblem, read_identity
from psap.https.addresses import NameUnknown, Reach, find_addresses
from psap.https.exchange import Answer, ExchangeFailed
from psap.https.trust import CertificateRevoked, TrustBroken
from psap.https.urls import Target, UrlRefused, read_url
from psap.models import Peer, Psap
from transfer_api.calling.answers import Agreed, Refused, judge_negotiation
from transfer_api.calling.asking import post, written
from transfer_api.calling.counterparts import Counterpart, load_counterparts

PATIENCE = 10.0
UNAUTHORISED, FORBIDDEN = 401, 403


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was tried: its name, whether it is well, and what was seen."""

    name: str
    is_well: bool
    seen: str


def check_peer(peer: Peer) -> Iterator[Step]:
    """Try a peer out step by step; ends at the first that is not well."""
    for step in _steps(peer):
        yield step
        if not step.is_well:
            return


def _steps(peer: Peer) -> Iterator[Step]:
    counterpart = load_counterparts([peer.pk])[peer.pk]
    yield Step("agreement", peer.agreement, "on" if peer.agreement else "off: it is not asked")
    if not counterpart.negotiation_url:
        yield Step("URL", False, "none: it can be redirected to, not transferred")
        return
    try:
        target = read_url(counterpart.negotiation_url)
        addresses = find_addresses(target.host, reach=Reach.ANYWHERE, patience=PATIENCE)
    except (UrlRefused, NameUnknown) as error:
        yield Step("URL", False, f"{counterpart.negotiation_url}: {error}")
        return
    yield Step("URL", True, f"{counterpart.negotiation_url} at {', '.join(addresses)}")
    yield _certificate(counterpart, target)
    yield from _negotiation(peer, counterpart)


def _certificate(counterpart: Counterpart, target: Target) -> Step:
    """Shake hands, and say what the peer shows."""
    try:
        context = counterpart.trust.context()
        with (
            socket.create_connection((target.host, target.port), timeout=PATIENCE) as plain,
            context.wrap_socket(plain, server_hostname=target.host) as secure,
        ):
            der = secure.getpeercert(True) or b""
            counterpart.trust.check_not_revoked(der)
            identity = read_identity(der)
            version = secure.version()
    except CertificateRevoked:
        return Step("certificate", False, "it is revoked")
    except ssl.SSLCertVerificationError as error:
        return Step("certificate", False, f"it is not believed: {error.verify_message}")
    except (TrustBroken, CertificateProblem) as error:
        return Step("certificate", False, str(error))
    except OSError as error:
        cause = error.strerror or str(error) or "it ended"
        return Step("certificate", False, f"no connection to port {target.port}: {cause}")
    names = ", ".join(identity.names) or identity.subject
    return Step("certificate", True, f"{names}, until {identity.not_after:%Y-%m-%d}, {version}")


def _negotiation(peer: Peer, counterpart: Counterpart) -> Iterator[Step]:
    psap = Psap.objects.first() or Psap()
    call_id = f"{CHECK_CALL_ID}{secrets.token_hex(6)}"
    body: dict[str, Any] = {
        "CallId": call_id,
        "TransferFrom": psap.public_uri,
        "TransferTo": peer.uri,
        "ReasonText": "Checking the connection; there is no chat.",
    }
    until = timezone.now() + timedelta(seconds=PATIENCE)
    shown = [
        *(["our certificate"] if counterpart.trust.chain else []),
        *(["our token"] if counterpart.token else []),
    ]
    try:
        answer = post(counterpart, counterpart.negotiation_url, written(body), until=until)
    except ExchangeFailed as error:
        words = f"with {' and '.join(shown) or 'nothing shown'}: {error.cause}"
        yield Step("identity", False, words)
        return
    told = judge_negotiation(answer, call_id)
    if answer.status in (UNAUTHORISED, FORBIDDEN):
        yield Step("identity", False, _cause(told))
        return
    yield Step("identity", True, f"it knows us by {' and '.join(shown) or 'nothing that we show'}")
    yield _schemas(answer, told)


def _schemas(answer: Answer, told: object) -> Step:
    if isinstance(told, Refused):
        words = f": {told.cause}" if told.cause else ""
        return Step("schemas", True, f"it has declined, as it must{words}")
    if isinstance(told, Agreed):
        return Step("schemas", False, "it has accepted a CallId that it has to decline")
    return Step("schemas", False, _cause(told))


def _cause(told: object) -> str:
    return str(getattr(told, "cause", "")) or "it has declined for no reason"
