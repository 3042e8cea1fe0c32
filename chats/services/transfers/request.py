"""Asking for a transfer: a call-taker offers a chat to another PSAP (clauses 6.2.6, 6.3.2)."""

from datetime import datetime

from chats.models import Transfer
from psap.models import User


def request_transfer(
    *,
    chat_id: int,
    call_taker: User | None,
    peer_id: int,
    reason: str,
    text: str,
    override: bool,
    at_once: bool,
    now: datetime,
) -> Transfer:
    """Offer an open chat to a peer; the worker asks it, and the chat stays ours meanwhile.

    `call_taker` None is the operator (`manage transfer`), who needs not to have the chat. `text` is
    what the 266 will say, the PSAP's own when empty. `override` transfers an app that is known to
    end its session instead, and is recorded. `at_once` hands over as soon as the peer accepts.
    Raises ChatUnknown, NotYourChat, TransferUnderWay, SessionNotOpen, PeerUnknown, NoAgreement,
    NoTransfers, ClientEndsSession, TextTooLong, ChatBusy.
    """
    raise NotImplementedError
