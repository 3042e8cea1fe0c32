"""What happens in pjsua2, as the rest of the registrar is told."""

from dataclasses import dataclass

from sipgateway.registrar.lifecycle import Answer
from sipgateway.registrar.packets import DroppedPacket

Key = tuple[int, int]  # account id, number of the registrar


@dataclass(frozen=True, slots=True)
class Answered:
    """A registrar's final answer to a REGISTER of ours."""

    key: Key
    answer: Answer


@dataclass(frozen=True, slots=True)
class Received:
    """A MESSAGE that pjsua2 has taken and acknowledged."""

    account_id: int
    peer: str
    raw: bytes


@dataclass(frozen=True, slots=True)
class ConnectionClosed:
    """Some connection of pjsua2's was closed."""


Event = Answered | Received | ConnectionClosed | DroppedPacket
