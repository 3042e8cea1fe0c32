"""What does not fit together in a peer's settings: what cannot be, and what will not work.

For the admin, `manage peer` and `manage check`. Each sentence is for an administrator.
"""

import ipaddress
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from django.conf import settings

from psap.models import Peer, Psap

NOT_LISTENING = (
    "It cannot reach us: the PSAP's page has no peer certificate, so nothing listens on the port "
    "for peers."
)


@dataclass(frozen=True, slots=True)
class PeerProblem:
    """One thing that does not fit: the field where it is mended, and a sentence."""

    field: str
    text: str


def conflicts(peer: Peer, *, psap: Psap | None, others: Iterable[Peer]) -> Iterator[PeerProblem]:
    """Say what cannot be stored, since nobody could tell who calls or where to ask.

    `others` are all peers; the peer itself is passed over.
    """
    yield from _impossible(peer, psap)
    for other in others:
        if other.pk == peer.pk and peer.pk is not None:
            continue
        named = f"the peer “{other.name}”"
        theirs = set(map(_comparable, other.all_uris))
        for uri in peer.all_uris:
            if _comparable(uri) in theirs:
                yield PeerProblem("uris", f"{uri} is a URI of {named}.")
        for name in peer.certificate_names.split():
            if any(_overlap(name, another) for another in other.certificate_names.split()):
                text = f"A certificate with {name} could be that of {named} as well."
                yield PeerProblem("certificate_names", text)
        if peer.token_sha256 and peer.token_sha256 == other.token_sha256:
            yield PeerProblem("token_sha256", f"This token is that of {named}.")


def shortcomings(peer: Peer, *, psap: Psap | None, has_authorities: bool) -> Iterator[PeerProblem]:
    """Say what will not work as it stands; it may be stored, for half of it may come later.

    `has_authorities`: whether the PSAP's page names whom we believe about peers.
    """
    asks_us = bool(peer.certificate_names or peer.token_sha256)
    is_asked = bool(peer.url or peer.negotiation_url)
    if not peer.agreement or not (asks_us or is_asked):
        return  # nothing passes, or redirects alone
    yield from _of_being_asked(peer, psap, asks_us=asks_us, has_authorities=has_authorities)
    if not is_asked:
        text = "Without a URL no chat goes to it, and we cannot tell it whom an app follows."
        yield PeerProblem("url", text)
    elif not (psap and psap.peer_certificate_id) and not peer.own_token:
        text = (
            "We cannot prove to it who we are: the PSAP's page has no peer certificate, and there "
            "is no token of ours."
        )
        yield PeerProblem("own_token", text)
    yield from _of_times(peer, psap)


def shortcomings_of_all() -> list[PeerProblem]:
    """Say for every peer what will not work, with its name; reads the database."""
    psap = Psap.objects.first()
    believes = psap is not None and psap.peer_authorities.exists()
    return [
        PeerProblem(problem.field, f"The peer “{peer.name}”: {problem.text}")
        for peer in Peer.objects.all()
        for problem in shortcomings(peer, psap=psap, has_authorities=believes)
    ]


def peer_speaking_for(uri: str, peers: Iterable[Peer]) -> Peer | None:
    """Return the peer that has a SIP URI among its own, if any."""
    wanted = _comparable(uri)
    return next((peer for peer in peers if wanted in map(_comparable, peer.all_uris)), None)


def _impossible(peer: Peer, psap: Psap | None) -> Iterator[PeerProblem]:
    """What is wrong with a peer whatever the others are like."""
    if psap and _comparable(psap.public_uri) in map(_comparable, peer.all_uris):
        yield PeerProblem("uris", f"{psap.public_uri} is our own URI.")
    for name in peer.certificate_names.split():
        if _is_address(name):
            text = f"{name} is an address. Write a name that stands in its certificate."
            yield PeerProblem("certificate_names", text)
    if not peer.url and bool(peer.negotiation_url) != bool(peer.execution_url):
        lacking = "execution_url" if peer.negotiation_url else "negotiation_url"
        text = "Write this URL too, or the one that both lie below."
        yield PeerProblem(lacking, text)
    if peer.auto_accept and not peer.auto_accept_limit:
        yield PeerProblem("auto_accept_limit", "With 0 nothing would be accepted by itself.")


def _of_being_asked(
    peer: Peer, psap: Psap | None, *, asks_us: bool, has_authorities: bool
) -> Iterator[PeerProblem]:
    proxied = settings.ENVIRONMENT.peer_socket is not None
    if not asks_us:
        text = (
            "It cannot ask us: there is neither a name of its certificate nor a token. "
            "Chats go to it, and none comes from it."
        )
        yield PeerProblem("certificate_names", text)
    elif not (psap and psap.peer_certificate_id) and not proxied:
        yield PeerProblem("certificate_names", NOT_LISTENING)
    elif not has_authorities and not peer.token_sha256 and not proxied:
        text = "Its certificate cannot be verified: the PSAP's page names no authorities for peers."
        yield PeerProblem("certificate_names", text)


def _of_times(peer: Peer, psap: Psap | None) -> Iterator[PeerProblem]:
    """Times that do not meet, if the peer has chosen the same as we."""
    if peer.answer_time <= peer.offer_time:
        text = (
            f"We wait {peer.answer_time} s for its answer. If offers ring as long there as here "
            f"({peer.offer_time} s), it may accept what we have given up."
        )
        yield PeerProblem("answer_time", text)
    if peer.execution_time > peer.expiry_time:
        text = (
            f"Our executions may take {peer.execution_time} s, but what is accepted expires after "
            f"{peer.expiry_time} s, if it does so there as here."
        )
        yield PeerProblem("execution_time", text)
    if psap and peer.expiry_time <= psap.stop_patience:
        text = (
            f"What we accept expires after {peer.expiry_time} s. If it waits for the app's answer "
            f"as long as we do ({psap.stop_patience} s), it comes too late."
        )
        yield PeerProblem("expiry_time", text)


def _comparable(uri: str) -> str:
    user, at, host = uri.rpartition("@")
    scheme, colon, name = user.partition(":")
    return f"{scheme.lower()}{colon}{name}{at}{host.lower()}"


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _overlap(one: str, another: str) -> bool:
    """Whether some certificate carries a name that both cover (psap.tls.name_matching)."""
    one, another = _host_of(one), _host_of(another)
    if one == another:
        return True
    return _is_below(one, another) or _is_below(another, one)


def _is_below(name: str, wildcard: str) -> bool:
    label, _, rest = name.partition(".")
    return wildcard.startswith("*.") and bool(label) and rest == wildcard[2:]


def _host_of(name: str) -> str:
    """A name without scheme covers the SIP URIs of that name too."""
    scheme, _, rest = name.lower().partition(":")
    return rest if scheme in ("sip", "sips") and rest and "@" not in rest else name.lower()
