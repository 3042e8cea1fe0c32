"""What does not fit together in a peer's settings: what cannot be, and what will not work.

For the admin, `manage peer` and `manage check`. Each sentence is for an administrator.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from psap.models import Peer, Psap


@dataclass(frozen=True, slots=True)
class PeerProblem:
    """One thing that does not fit: the field where it is mended, and a sentence."""

    field: str
    text: str


def conflicts(peer: Peer, *, psap: Psap | None, others: Iterable[Peer]) -> Iterator[PeerProblem]:
    """Say what cannot be stored, since nobody could tell who calls or where to ask.

    `others` are all peers; the peer itself is passed over.
    """
    yield from ()


def shortcomings(peer: Peer, *, psap: Psap | None, has_authorities: bool) -> Iterator[PeerProblem]:
    """Say what will not work as it stands; it may be stored, for half of it may come later.

    `has_authorities`: whether it has authorities of its own.
    """
    yield from ()
