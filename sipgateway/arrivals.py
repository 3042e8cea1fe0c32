"""A MESSAGE on its way from the wire to the journal."""

from dataclasses import dataclass
from datetime import datetime

from sipgateway.flows import Flow
from sipgateway.protocol.lmpe import Caller, Identifiers
from sipgateway.protocol.message import Request
from sipgateway.protocol.transaction import ServerTransaction


@dataclass(slots=True)
class Arrival:
    """One new MESSAGE, read as far as the journal and the matching of chats need it."""

    request: Request
    identifiers: Identifiers
    caller: Caller
    flow: Flow
    transaction: ServerTransaction
    received_at: datetime
    trunk: str
    key: bytes
    trusted_peer: bool

    @property
    def size(self) -> int:
        """Bytes that it keeps in memory, roughly."""
        return len(self.request.raw) + 2048
