"""Custody notices: two PSAPs that may both have a chat agree on one (docs/transfer.md).

MsgIds of start|transfer/265 rise along all PSAPs of a chat, so whose 265 with the higher MsgId the
app has acknowledged has the chat. Our addition to Annex A.
"""

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from chats.models import (
    Chat,
    ChatEvent,
    DeliveryStatus,
    Session,
    Transfer,
    TransferSide,
    TransferState,
)
from chats.services.chain import SYSTEM, append_event
from chats.services.errors import ChatBusy, NoTransfer
from chats.services.outbox import cancel_waiting
from chats.services.transfers.attempts import (
    ASKING,
    call_again,
    is_acknowledged,
    locked_attempt,
    move,
    rows,
    wake_worker_and_readers,
)
from chats.services.transfers.call_ids import stored_call_id
from chats.services.transfers.going_over import OURS, go_over, leave, relay_since
from chats.services.transfers.late_notices import ASK_AGAIN_AFTER, is_still_heard
from chats.services.transfers.machine import Happening, NotPossible, following
from chats.services.transfers.onward import (
    contradicted,
    greet_above,
    is_told,
    later_word,
    onward_of,
)
from psap.models import Peer

OK, ASK_AGAIN, CONFLICT = 200, 202, 409
ON_ITS_WAY = (DeliveryStatus.QUEUED, DeliveryStatus.SENDING, DeliveryStatus.DEFERRED)
HERE = (Session.OPEN, Session.STOPPED, Session.TRANSFERRING, Session.ARRIVING)
THEIRS_IS_LATER = "the app follows the other control room"


@dataclass(frozen=True, slots=True)
class Notice:
    """What the peer is told: CallId, and the MessageId of our acknowledged 265.

    Without such a 265 it is the MessageId of our execution, which is lower than any 265 of the
    peer's: a question.
    """

    call_id: str
    msg_id: int


@dataclass(frozen=True, slots=True)
class CustodyAnswer:
    """200: we have let go; 409: we have a later word of the app's; 202: ask again."""

    status_code: int
    msg_id: int


def notice_of(*, transfer_id: int) -> Notice | None:
    """Return what to tell the peer of a transfer whose custody call is due; None for nothing."""
    transfer = rows().filter(pk=transfer_id, call_due_at__isnull=False).first()
    if transfer is None or transfer.last_msg_id is None:
        return None
    return Notice(transfer.call_id, transfer.custody_msg_id or transfer.last_msg_id)


def take_notice(*, peer: Peer, call_id: str, msg_id: int, now: datetime) -> CustodyAnswer:
    """Answer a peer's notice, and let go of the chat where its 265 is the later one.

    Raises NoTransfer where no execution has passed between that peer and us, ChatBusy.
    """
    same_call = Transfer.objects.filter(peer=peer, call_id=stored_call_id(call_id))
    executed = same_call.filter(executed_at__isnull=False)
    latest = executed.order_by("-pk").values_list("pk", flat=True)
    newest = latest.first()
    if newest is None:
        raise NoTransfer
    with locked_attempt(newest) as attempt:
        if attempt is None:
            raise NoTransfer
        if latest.first() != newest:  # executed again while we waited for the chat: ask again
            raise ChatBusy
        chat, transfer = attempt
        answer = _judge(chat, transfer, msg_id, now)
        onward = onward_of(chat, transfer) if answer.status_code == OK else None
        if onward is not None and transfer.state != TransferState.RELEASED:
            answer = _judge_onward(chat, transfer, onward, msg_id, now)
        if answer.status_code == OK:
            _let_go(chat, transfer, msg_id, now)
        return answer


def record_answer(*, transfer_id: int, status_code: int, msg_id: int, now: datetime) -> None:
    """Take the peer's 200 or 409 to our notice; a later 265 of its makes us let go.

    A 202 is no answer yet: `record_no_answer`.
    """
    with locked_attempt(transfer_id) as attempt:
        if attempt is None or attempt[1].call_due_at is None:
            return
        chat, transfer = attempt
        told = transfer.custody_msg_id or transfer.last_msg_id or 0
        call_again(transfer, at=None, cause=transfer.cause)
        if status_code == OK:
            _note_settled(chat, transfer, told, now)
        elif msg_id > told and _is_of(transfer, msg_id):
            if is_still_heard(chat, transfer, now):
                call_again(transfer, at=now + ASK_AGAIN_AFTER, cause=transfer.cause)
            else:
                _let_go(chat, transfer, msg_id, now)
        elif msg_id > told and transfer.state == TransferState.DONE:
            contradicted(chat, transfer, msg_id, now)
            _note_settled(chat, transfer, msg_id, now)
        elif msg_id > told:
            greet_above(chat, transfer, msg_id, now)


def record_no_answer(
    *, transfer_id: int, cause: str, now: datetime, retry_at: datetime | None
) -> None:
    """No usable answer, or 202: told again at `retry_at`; None where it knows no such notices."""
    with locked_attempt(transfer_id) as attempt:
        if attempt is not None and attempt[1].call_due_at is not None:
            call_again(attempt[1], at=retry_at, cause=attempt[1].cause)


def _judge(chat: Chat, transfer: Transfer, msg_id: int, now: datetime) -> CustodyAnswer:
    """Compare the app's latest word to the peer with its latest to us."""
    out = transfer.side == TransferSide.OUT
    if transfer.state == (TransferState.DONE if out else TransferState.RELEASED):
        return CustodyAnswer(OK, msg_id)  # we have let go already
    if out and transfer.last_msg_id is not None and not _is_of(transfer, msg_id):
        # Of an attempt before this one, or of none that we know.
        return CustodyAnswer(CONFLICT, transfer.custody_msg_id or transfer.last_msg_id)
    start = transfer.start_message
    started = start.msg_id or 0 if start is not None else 0
    ours = transfer.custody_msg_id or (started if is_acknowledged(start) else 0)
    if ours > msg_id:
        return CustodyAnswer(CONFLICT, ours)
    if start is not None and start.status in ON_ITS_WAY and started > msg_id:
        return CustodyAnswer(ASK_AGAIN, started)
    elsewhere = Session.TRANSFERRING if out else Session.ARRIVING
    if transfer.state in ASKING and chat.session != elsewhere:
        return CustodyAnswer(ASK_AGAIN, started)  # the app has just written to us: the sweep acts
    if is_still_heard(chat, transfer, now):
        return CustodyAnswer(ASK_AGAIN, started)
    return CustodyAnswer(OK, msg_id)


def _judge_onward(
    chat: Chat, transfer: Transfer, onward: Transfer, msg_id: int, now: datetime
) -> CustodyAnswer:
    """Compare the app's latest word to the peer with its latest to whom we have given the chat."""
    theirs = later_word(onward)
    if onward.state in ASKING:
        return CustodyAnswer(ASK_AGAIN, theirs)
    if theirs > msg_id:
        return CustodyAnswer(CONFLICT, theirs)
    told = is_told(chat, transfer, onward, msg_id, now)
    return CustodyAnswer(OK if told else ASK_AGAIN, msg_id)


def _is_of(transfer: Transfer, msg_id: int) -> bool:
    """Whether a 265 with that MsgId can be the peer's for this transfer.

    A transferee's follows the MessageId of our execution. Whoever could claim any other would take
    a chat whose app has long answered our own 265.
    """
    return transfer.side == TransferSide.IN or msg_id == (transfer.last_msg_id or 0) + 1


def _let_go(chat: Chat, transfer: Transfer, msg_id: int, now: datetime) -> None:
    """Leave a locked chat to the peer; once it is left, nothing happens again."""
    try:
        following(transfer.side, transfer.state, Happening.LET_GO)
    except NotPossible:
        return
    move(transfer, Happening.LET_GO, now=now, cause=THEIRS_IS_LATER)
    if chat.session in HERE:
        if transfer.side == TransferSide.OUT:
            go_over(chat=chat, transfer=transfer, now=now)
        else:
            _give_back(chat, transfer, msg_id, now)
    _note_settled(chat, transfer, msg_id, now)


def _give_back(chat: Chat, transfer: Transfer, msg_id: int, now: datetime) -> None:
    """Leave a chat that we had taken over to its transferor, with what the app wrote to us."""
    cancel_waiting(chat=chat, types=OURS, cause="transfer", now=now)
    leave(chat, transfer.transfer_from, now)
    data = {"transfer": str(transfer.pk), "to": transfer.transfer_from, "messageId": msg_id}
    append_event(chat_id=chat.pk, kind="chat-released", at=now, actor=SYSTEM, data=data)
    arriving = ChatEvent.objects.filter(
        chat=chat, kind="chat-arriving", data__transfer=str(transfer.pk)
    )
    since = arriving.order_by("-seq").values_list("seq", flat=True).first()
    relay_since(chat, chat.head_seq if since is None else since, transfer.transfer_from, now)


def _note_settled(chat: Chat, transfer: Transfer, msg_id: int, now: datetime) -> None:
    append_event(
        chat_id=chat.pk,
        kind="custody-settled",
        at=now,
        actor=SYSTEM,
        data={"transfer": str(transfer.pk), "with": transfer.peer_name, "messageId": msg_id},
    )
    transaction.on_commit(wake_worker_and_readers)
