"""Arriving: an execution is committed with the chat's whole history (clause 6.3.3).

One transaction writes the chat, what its record was elsewhere, and our start|transfer/265.
"""

from datetime import datetime

from chats.services.transfers.history import HandedChat
from psap.models import Peer

OK, SERVICE_UNAVAILABLE = 200, 503


class ExecutionRefused(Exception):
    """Base of all refusals; nothing was written."""

    detail = "The execution was refused."

    def __init__(self, detail: str | None = None) -> None:
        self.detail = detail or type(self).detail
        super().__init__(self.detail)


class NoNegotiation(ExecutionRefused):
    """No negotiation of this peer for this CallId was accepted: 403."""

    detail = "No negotiation of yours for this CallId has been accepted."


class NegotiationOver(ExecutionRefused):
    """The negotiation has expired or its attempt has ended: 503."""

    detail = "The negotiation has expired."


class NoAppUri(ExecutionRefused):
    """There is nowhere to send the start|transfer/265 to: 503."""

    detail = "Without Data.AppUri we cannot write to the app."


class OtherBody(ExecutionRefused):
    """The negotiation has been executed with another body: 503."""

    detail = "This negotiation has been executed with another body."


def receive_execution(
    *,
    peer: Peer,
    call_id: str,
    last_msg_id: int,
    expiry: int,
    body_sha256: bytes,
    chat: HandedChat | None,
    now: datetime,
) -> int:
    """Take a chat over as far as we can: commit it, and ask the app to follow; the transfer's id.

    `expiry` in seconds. A repeat with the same body gets the same id. Raises NoNegotiation,
    NegotiationOver, NoAppUri, OtherBody.
    """
    raise NotImplementedError


def outcome_of(transfer_id: int) -> int | None:
    """The StatusCode of an execution: 200, 503, or None while the app has not followed yet."""
    raise NotImplementedError
