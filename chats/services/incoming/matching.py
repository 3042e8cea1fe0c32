"""Which chat does a message belong to?

(unique part, element identifier) of the same caller, else the unique part of the same caller.
The same unique part from somebody else is a chat of its own, linked to the first: it must never
change where our answers go.
"""

from collections.abc import Iterable
from typing import Protocol, TypeVar

from chats.services.incoming.records import IncomingMessage


class Candidate(Protocol):
    """A chat as far as matching looks at it."""

    @property
    def id(self) -> int: ...
    @property
    def element(self) -> str: ...
    @property
    def identities(self) -> frozenset[str]: ...


AnyCandidate = TypeVar("AnyCandidate", bound=Candidate)


def matching_chat(
    message: IncomingMessage, candidates: Iterable[AnyCandidate]
) -> AnyCandidate | None:
    """Pick the message's chat among those with its unique part; None when it is none of them."""
    second_best = None
    for chat in candidates:
        if message.identities.isdisjoint(chat.identities):
            continue
        if chat.element == message.element:
            return chat
        second_best = second_best or chat
    return second_best
