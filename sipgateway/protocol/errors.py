"""What can go wrong in the protocol core: our own misuse, or what the other side sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sipgateway.protocol.message import Request


class SipError(Exception):
    """Anything the protocol core refuses."""


class LocalProtocolError(SipError):
    """We tried what the protocol or the state of a machine does not allow."""


class RemoteProtocolError(SipError):
    """The other side sent what cannot be taken as SIP.

    `status` and `reason` are those of the answer it deserves; `request` is what could be read of
    a request, present only when it has the Via and CSeq that a client matches an answer by.
    """

    def __init__(self, status: int, reason: str, request: Request | None = None) -> None:
        super().__init__(status, reason)
        self.status = status
        self.reason = reason
        self.request = request

    def __str__(self) -> str:
        return f"{self.status} {self.reason}"
