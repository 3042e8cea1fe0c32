"""Custody notices that come late: an app that goes on writing to us has not been taken back."""

from datetime import datetime, timedelta

from chats.models import Chat, Session, Transfer, TransferSide, TransferState

# A transferor takes a chat back when its execution has expired, which ours has after 300 s at most.
AT_ONCE = timedelta(minutes=5)
# An app that is there shows itself every 20 s (clause 6.2.5) to the one whom it follows.
QUIET = timedelta(seconds=25)
ASK_AGAIN_AFTER = timedelta(seconds=30)


def is_still_heard(chat: Chat, transfer: Transfer, now: datetime) -> bool:
    """Whether the app of a chat that we took over contradicts a transferor that claims it back.

    Any MsgId can be claimed, so a peer could take the chats that it has ever given to us out of our
    call-takers' hands. What has been here for a while goes when the app no longer writes to us.
    """
    if transfer.side != TransferSide.IN or transfer.state != TransferState.DONE:
        return False
    if chat.session != Session.OPEN:  # it is not with us any more
        return False
    if transfer.executed_at is None or now <= transfer.executed_at + AT_ONCE:
        return False
    return chat.last_sign_of_life > now - QUIET
