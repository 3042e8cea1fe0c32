"""Our record of a chat as the body of an execution request (Annex A.3, docs/transfer.md)."""

from chats.models import Transfer


def write_execution(transfer: Transfer) -> bytes:
    """Write the whole request body: CallId, MessageId, ExpiryTime and `Data`, as UTF-8 JSON.

    Called once for an attempt, in the transaction that holds the locks of chat and transfer: what
    is written is the chat of one instant. MessageId is `last_msg_id` where it is set, else the
    MsgId of our 266; ExpiryTime is `execution_expiry`, else the peer's.
    """
    raise NotImplementedError
