"""Where a peer is asked, what we show it, and whom we believe about it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from urllib.parse import urljoin

from psap.https.trust import Trust, trust_of
from psap.https.urls import Target, UrlRefused, read_url
from psap.models import Peer, Psap

NEGOTIATION = "transfer/v1/negotiation"
EXECUTION = "transfer/v1/execution"
CUSTODY = "transfer/v1/custody"
WITHDRAWAL = "transfer/v1/withdrawal"


class NotThere(Exception):
    """A URL of the peer is not one that we ask; says why in words."""


@dataclass(frozen=True, slots=True)
class Counterpart:
    """A peer as far as we ask it; `token` is the one that we show, URLs are empty where none is."""

    peer_id: int
    name: str
    agreement: bool
    url: str
    negotiation_url: str
    execution_url: str
    trust: Trust
    token: str = field(repr=False)

    @property
    def base(self) -> str:
        """The URL that relative ones of its are below."""
        return self.url or (urljoin(self.execution_url, "../../") if self.execution_url else "")

    @property
    def custody_url(self) -> str:
        """Where it is told whom the app follows."""
        return self.base + CUSTODY if self.base else ""

    @property
    def withdrawal_url(self) -> str:
        """Where it is told that a transfer is called off."""
        return self.base + WITHDRAWAL if self.base else ""

    def attachment(self, reference: str) -> Target:
        """Read the URL of an attachment; raises NotThere unless it is where we ask the peer.

        Nobody else gets to see our certificate and token.
        """
        try:
            target = read_url(urljoin(self.base, reference))
            places = {read_url(url).place for url in self._urls()}
        except (UrlRefused, ValueError) as error:
            raise NotThere(str(error)) from error
        if target.place not in places:
            raise NotThere("the attachment is not at the peer's own place")
        return target

    def _urls(self) -> list[str]:
        return [url for url in (self.url, self.negotiation_url, self.execution_url) if url]


def load_counterparts(peer_ids: Collection[int]) -> Mapping[int, Counterpart]:
    """Read how peers are asked, by id."""
    psap = Psap.objects.select_related("peer_certificate").first()
    ours = psap.peer_certificate if psap else None
    believed = list(psap.peer_authorities.all()) if psap else []
    peers = Peer.objects.filter(pk__in=peer_ids).prefetch_related("authorities")
    return {
        peer.pk: _counterpart(peer, trust_of(list(peer.authorities.all()) or believed, ours))
        for peer in peers
    }


def _counterpart(peer: Peer, trust: Trust) -> Counterpart:
    url = peer.url if not peer.url or peer.url.endswith("/") else peer.url + "/"
    return Counterpart(
        peer_id=peer.pk,
        name=peer.name,
        agreement=peer.agreement,
        url=url,
        negotiation_url=peer.negotiation_url or (url + NEGOTIATION if url else ""),
        execution_url=peer.execution_url or (url + EXECUTION if url else ""),
        trust=trust,
        token=peer.own_token,
    )
