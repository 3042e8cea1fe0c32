"""Custody: after whatever was lost, exactly one PSAP has the chat.

Both sides live in one database here: A's chat and transfer out, B's chat and transfer in, and each
is the other's peer.
"""

import itertools
from collections import deque
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction

from chats.models import Chat, ChatEvent, Message, Relay, Transfer
from chats.services.chain import SYSTEM, append_event
from chats.services.errors import NoTransfer
from chats.services.outbox import queue_message
from chats.services.transfers.custody import (
    CustodyAnswer,
    notice_of,
    record_answer,
    record_no_answer,
    take_notice,
)
from chats.services.transfers.executed import record_answer_lost, record_not_taken
from chats.services.transfers.settle import settle_due_transfers
from chats.services.verify_chat import verify_chat
from psap.models import Peer, User
from tests.support.chats import OPENED, open_chat, receive_message
from tests.support.leaving import START, TARGET, Leaving, make_peer

pytestmark = pytest.mark.django_db
HOME = "sip:psap@example.org"
LAST = 1  # MessageId of the execution; B's 265 has 2, the one of A's reactivation 4
DELIVERED, UNDER_WAY, FAILED = ("delivered", 200), ("sending", None), ("failed", 488)


@pytest.fixture
def leaving(anna: User) -> Leaving:
    return Leaving(anna)


class Arrived:
    """B's side of the transfer: its chat, whose 265 has got some answer or none."""

    def __init__(self, leaving: Leaving, state: str, start: tuple[str, int | None]) -> None:
        self.peer = make_peer(name="A", uris=HOME, url="https://a.example.org/")
        self.now = leaving.now
        session = "open" if state == "done" else "arriving"
        chat = open_chat(session=session, next_msg_id=3, call_id=leaving.chat.call_id)
        self.chat_id = chat.pk
        with transaction.atomic():
            message = queue_message(
                chat=chat, msg_type=265, text="", author=None, now=self.now, msg_id=LAST + 1
            )
        self.transfer_id = Transfer.objects.create(
            side="in",
            state=state,
            peer=self.peer,
            peer_name="A",
            chat=chat,
            call_id=chat.call_id,
            transfer_from=HOME,
            transfer_to=TARGET,
            requested_at=self.now,
            executed_at=self.now,
            last_msg_id=LAST,
            start_message=message,
            custody_msg_id=LAST + 1 if state == "done" else None,
            due_at=None if state == "done" else self.now,
        ).pk
        with transaction.atomic():
            append_event(
                chat_id=chat.pk,
                kind="chat-arriving",
                at=self.now,
                actor=SYSTEM,
                data={"transfer": str(self.transfer_id)},
            )
        self.outcome(*start)

    @property
    def chat(self) -> Chat:
        return Chat.objects.get(pk=self.chat_id)

    @property
    def transfer(self) -> Transfer:
        return Transfer.objects.get(pk=self.transfer_id)

    def outcome(self, status: str, sip_status: int | None) -> None:
        message = self.transfer.start_message
        assert message is not None
        type(message.outbox).objects.filter(pk=message.pk).update(attempts=1, tried_at=self.now)
        Message.objects.filter(pk=message.pk).update(status=status, sip_status=sip_status)


def reactivated(leaving: Leaving, start: tuple[str, int | None]) -> Leaving:
    """A has asked for the execution, lost the answer and taken the chat back."""
    leaving.executing()
    record_answer_lost(
        transfer_id=leaving.transfer_id, cause="reset", now=leaving.now, retry_at=leaving.now
    )
    leaving.later(30)
    leaving.sweep()
    for message in Message.objects.filter(chat=leaving.chat_id, type=266, status="queued"):
        leaving.acknowledge(message)
    leaving.outcome(leaving.start_message(), *start)
    return leaving


def notice(leaving: Leaving, msg_id: int) -> CustodyAnswer:
    """B tells A."""
    return take_notice(
        peer=leaving.peer, call_id=leaving.chat.call_id, msg_id=msg_id, now=leaving.now
    )


def telling(transfer_id: int) -> int:
    told = notice_of(transfer_id=transfer_id)
    assert told is not None
    return told.msg_id


def test_the_peer_is_told_as_soon_as_the_app_has_acknowledged_our_265(leaving: Leaving):
    reactivated(leaving, UNDER_WAY)
    assert leaving.sweep() == 0
    assert leaving.claim() == []
    leaving.later(40)
    leaving.acknowledge(leaving.start_message())
    assert leaving.sweep() == 1
    [call] = leaving.claim()
    assert (call.kind, call.attempts) == ("custody", 1)
    assert call.give_up_at == leaving.transfer.ended_at + timedelta(days=1)
    assert leaving.transfer.custody_msg_id == 4
    assert telling(leaving.transfer_id) == 4
    record_answer(transfer_id=leaving.transfer_id, status_code=200, msg_id=4, now=leaving.now)
    assert (leaving.state, leaving.chat.session) == ("failed", "open")
    assert leaving.event("custody-settled").data == {
        "transfer": str(leaving.transfer_id),
        "with": "B",
        "messageId": 4,
    }
    assert leaving.claim() == []
    assert notice_of(transfer_id=leaving.transfer_id) is None
    leaving.holds()


@pytest.mark.parametrize("start", [FAILED, ("cancelled", None), ("delivered", 202)])
def test_without_an_acknowledged_265_of_ours_the_peer_is_asked(
    leaving: Leaving, start: tuple[str, int | None]
):
    reactivated(leaving, start)
    leaving.sweep()
    assert leaving.transfer.custody_msg_id is None
    assert telling(leaving.transfer_id) == LAST
    record_answer(transfer_id=leaving.transfer_id, status_code=409, msg_id=2, now=leaving.now)
    chat = leaving.chat
    assert (leaving.state, chat.session, chat.gone_to) == ("done", "transferred", TARGET)
    assert leaving.kinds()[-2:] == ["chat-transferred", "custody-settled"]
    leaving.holds()


def test_an_app_that_had_stopped_is_asked_for_at_once(leaving: Leaving):
    leaving.executing()
    leaving.app_stops()
    record_not_taken(
        transfer_id=leaving.transfer_id, cause="reset", http_status=None, now=leaving.now
    )
    assert [call.kind for call in leaving.claim()] == ["custody"]
    record_answer(transfer_id=leaving.transfer_id, status_code=409, msg_id=2, now=leaving.now)
    assert (leaving.state, leaving.chat.session) == ("done", "transferred")
    assert Relay.objects.get().message.type == 258


def test_a_peer_without_notices_is_told_no_more(leaving: Leaving):
    reactivated(leaving, DELIVERED)
    leaving.sweep()
    leaving.claim()
    retry_at = leaving.now + timedelta(seconds=1)
    tell = {"transfer_id": leaving.transfer_id, "cause": "503", "now": leaving.now}
    record_no_answer(**tell, retry_at=retry_at)
    assert leaving.claim() == []
    leaving.later(1)
    assert [call.attempts for call in leaving.claim()] == [2]
    record_no_answer(**tell, retry_at=None)
    leaving.later(100)
    assert leaving.claim() == []
    assert (leaving.state, leaving.chat.session) == ("failed", "open")
    assert leaving.transfer.cause != "503"  # why it failed is another matter


def test_a_conflict_that_is_none_does_not_make_us_let_go(leaving: Leaving):
    reactivated(leaving, DELIVERED)
    leaving.sweep()
    record_answer(transfer_id=leaving.transfer_id, status_code=409, msg_id=4, now=leaving.now)
    assert (leaving.state, leaving.chat.session) == ("failed", "open")


def test_a_notice_while_the_outcome_is_open_gives_the_chat_away(leaving: Leaving):
    leaving.executing()
    leaving.receive("meanwhile")
    assert notice(leaving, 2) == CustodyAnswer(200, 2)
    assert (leaving.state, leaving.chat.session) == ("done", "transferred")
    assert leaving.relayed() == ["meanwhile"]
    assert notice(leaving, 2) == CustodyAnswer(200, 2)  # its repetition
    assert leaving.kinds().count("chat-transferred") == 1
    assert leaving.claim() == []
    leaving.holds()


def test_a_notice_after_the_reactivation_waits_for_our_265(leaving: Leaving):
    reactivated(leaving, UNDER_WAY)
    assert notice(leaving, 2) == CustodyAnswer(202, 4)
    assert leaving.chat.session == "open"


def test_a_notice_finds_a_265_of_ours_acknowledged_that_no_sweep_has_seen_yet(leaving: Leaving):
    reactivated(leaving, DELIVERED)
    assert notice(leaving, 2) == CustodyAnswer(409, 4)
    assert leaving.chat.session == "open"


def test_a_notice_after_our_265_has_failed_gives_the_chat_away(leaving: Leaving):
    reactivated(leaving, FAILED)
    leaving.receive("to A")
    assert notice(leaving, 2) == CustodyAnswer(200, 2)
    assert (leaving.state, leaving.chat.session) == ("done", "transferred")
    assert leaving.relayed() == ["to A"]
    assert leaving.sweep() == 0
    assert leaving.claim() == []


def test_a_peer_does_not_take_back_a_chat_by_a_msg_id_that_no_265_of_its_can_have(leaving: Leaving):
    reactivated(leaving, DELIVERED)
    leaving.sweep()
    assert notice(leaving, 1000) == CustodyAnswer(409, 4)
    record_answer(transfer_id=leaving.transfer_id, status_code=409, msg_id=1000, now=leaving.now)
    assert (leaving.state, leaving.chat.session) == ("failed", "open")


def test_a_notice_of_an_app_that_has_just_begun_anew_here_has_to_wait(leaving: Leaving):
    leaving.executing()
    leaving.app_begins_anew()
    assert notice(leaving, 2).status_code == 202
    leaving.sweep()
    assert (leaving.state, leaving.chat.session) == ("failed", "open")


def test_texts_that_wait_are_kept_back_when_the_chat_is_given_away(leaving: Leaving):
    reactivated(leaving, FAILED)
    with transaction.atomic():
        queue_message(
            chat=leaving.chat, msg_type=259, text="Hello?", author=leaving.owner, now=leaving.now
        )
    notice(leaving, 2)
    assert leaving.ours(259) == [(259, 5, "cancelled")]


def test_a_notice_without_an_execution_means_nothing(leaving: Leaving):
    with pytest.raises(NoTransfer):
        notice(leaving, 2)
    leaving.stalling()
    with pytest.raises(NoTransfer):
        notice(leaving, 2)
    assert leaving.chat.session == "transferring"


def test_a_notice_for_a_call_id_that_no_database_stores_means_nothing(leaving: Leaving):
    with pytest.raises(NoTransfer):
        take_notice(peer=leaving.peer, call_id="urn:\0\ud800", msg_id=2, now=leaving.now)


def test_a_stranger_does_not_take_a_chat_by_a_notice(leaving: Leaving):
    leaving.executing()
    stranger = make_peer(name="C", uris="sip:c@c.example.org")
    with pytest.raises(NoTransfer):
        take_notice(peer=stranger, call_id=leaving.chat.call_id, msg_id=99, now=leaving.now)


def test_a_late_notice_of_an_earlier_attempt_gives_nothing_away(leaving: Leaving):
    reactivated(leaving, DELIVERED)
    leaving.sweep()
    first = leaving.transfer_id
    leaving.request()
    leaving.agree()
    assert notice(leaving, 2) == CustodyAnswer(409, 4)
    leaving.acknowledge(leaving.stop_message())
    leaving.sweep()
    leaving.snapshot()
    assert leaving.transfer.last_msg_id == 4
    assert notice(leaving, 2) == CustodyAnswer(409, 4)
    assert leaving.state == "executing"
    # Nobody is told of the first attempt any more: this one decides.
    assert notice_of(transfer_id=first) is None
    record_answer(transfer_id=first, status_code=409, msg_id=99, now=leaving.now)
    assert leaving.chat.session == "transferring"


def test_b_gives_a_chat_back_with_all_that_it_was_told(leaving: Leaving):
    arrived = Arrived(leaving, "done", DELIVERED)
    message = receive_message(arrived.chat, "to B", at=OPENED)
    message.journal_id = 1
    message.save(update_fields=["journal_id"])
    answer = take_notice(peer=arrived.peer, call_id=arrived.chat.call_id, msg_id=4, now=leaving.now)
    assert answer == CustodyAnswer(200, 4)
    chat = arrived.chat
    assert (arrived.transfer.state, chat.session) == ("released", "transferred")
    assert (chat.gone_to, chat.ended_by, chat.ringing_since) == (HOME, None, None)
    relay = Relay.objects.get()
    assert (relay.message, relay.target) == (message, HOME)
    event = ChatEvent.objects.get(chat=chat, kind="chat-released")
    assert event.data == {"transfer": str(arrived.transfer_id), "to": HOME, "messageId": 4}
    assert verify_chat(chat_id=chat.pk).broken is None


def test_whoever_has_let_go_says_so_whatever_it_is_asked_later(leaving: Leaving):
    arrived = Arrived(leaving, "done", DELIVERED)
    for msg_id in (4, 4, LAST):
        answer = take_notice(
            peer=arrived.peer, call_id=arrived.chat.call_id, msg_id=msg_id, now=leaving.now
        )
        assert answer == CustodyAnswer(200, msg_id)
    kinds = ChatEvent.objects.filter(chat=arrived.chat_id).values_list("kind", flat=True)
    assert list(kinds).count("chat-released") == 1


def test_b_does_not_give_back_a_chat_whose_app_has_just_written(leaving: Leaving):
    arrived = Arrived(leaving, "uncertain", FAILED)
    Chat.objects.filter(pk=arrived.chat_id).update(session="open")
    answer = take_notice(
        peer=arrived.peer, call_id=arrived.chat.call_id, msg_id=LAST, now=leaving.now
    )
    assert answer.status_code == 202
    assert arrived.chat.session == "open"


def test_b_keeps_a_chat_that_has_been_here_for_long_while_its_app_writes_to_it(leaving: Leaving):
    """Red when any larger MsgId takes it away: a peer could empty our desks at any time."""
    arrived = Arrived(leaving, "done", DELIVERED)

    def claimed(msg_id: int, *, heard: int) -> CustodyAnswer:
        at = leaving.now - timedelta(seconds=heard)
        Chat.objects.filter(pk=arrived.chat_id).update(last_sign_of_life=at)
        call_id = arrived.chat.call_id
        return take_notice(peer=arrived.peer, call_id=call_id, msg_id=msg_id, now=leaving.now)

    leaving.later(301)
    for msg_id in (4, 2**53 - 1):
        assert claimed(msg_id, heard=20) == CustodyAnswer(202, 2)
    assert (arrived.transfer.state, arrived.chat.session) == ("done", "open")
    # An app that has been taken back writes to us no more.
    assert claimed(4, heard=25) == CustodyAnswer(200, 4)
    assert (arrived.transfer.state, arrived.chat.session) == ("released", "transferred")


def test_b_does_not_believe_a_conflict_either_while_the_app_writes_to_it(leaving: Leaving):
    arrived = Arrived(leaving, "done", DELIVERED)
    leaving.later(301)
    Chat.objects.filter(pk=arrived.chat_id).update(last_sign_of_life=leaving.now)
    Transfer.objects.filter(pk=arrived.transfer_id).update(call_due_at=leaving.now)
    told = {"transfer_id": arrived.transfer_id, "status_code": 409, "msg_id": 1000}
    record_answer(**told, now=leaving.now)
    assert (arrived.transfer.state, arrived.chat.session) == ("done", "open")
    assert arrived.transfer.call_due_at == leaving.later(30)
    record_answer(**told, now=leaving.now)
    assert (arrived.transfer.state, arrived.chat.session) == ("released", "transferred")


STARTS = (DELIVERED, UNDER_WAY, FAILED)
AT_B = (
    ("executing", UNDER_WAY),
    ("uncertain", UNDER_WAY),
    ("uncertain", FAILED),
    ("uncertain", DELIVERED),
    ("done", DELIVERED),
)


@pytest.mark.parametrize("first", ["A", "B"])
@pytest.mark.parametrize(("at_a", "at_b"), list(itertools.product(STARTS, AT_B)))
def test_whatever_was_lost_exactly_one_has_the_chat_when_all_has_been_told(
    leaving: Leaving, at_a: Any, at_b: Any, first: str
):
    """Play A and B to the end: outcomes come in either order, and notices may cross."""
    reactivated(leaving, at_a)
    arrived = Arrived(leaving, *at_b)
    if at_b == ("done", DELIVERED):  # as after a 200 that was lost: B does not know, and is silent
        assert arrived.transfer.call_due_at is None
    turns = deque(["A", "B"] if first == "A" else ["B", "A"])
    for turn in range(12):
        settle_due_transfers(now=leaving.later(1), listening_since=START)
        assert owners(leaving, arrived), "nobody has the chat"
        side = turns[0]
        turns.rotate()
        exchange(leaving, arrived, side)
        assert owners(leaving, arrived), "nobody has the chat"
        if turn == 4:  # what was on its way gets its answer: the app follows the later 265
            if at_a == UNDER_WAY:
                leaving.outcome(leaving.start_message(), *DELIVERED)
            if at_b[1] == UNDER_WAY:
                arrived.outcome(*FAILED)
    assert not pending(leaving, arrived)
    assert len(owners(leaving, arrived)) == 1
    for chat_id in (leaving.chat_id, arrived.chat_id):
        assert verify_chat(chat_id=chat_id).broken is None
    if at_a[0] != "failed":
        assert owners(leaving, arrived) == ["A"]
    elif at_b[1] == DELIVERED:
        assert owners(leaving, arrived) == ["B"]


def owners(leaving: Leaving, arrived: Arrived) -> list[str]:
    """Who is responsible for the chat: whoever has it on a screen and not as gone."""
    return [
        name
        for name, chat in (("A", leaving.chat), ("B", arrived.chat))
        if chat.session in ("open", "arriving", "transferring")
    ]


def pending(leaving: Leaving, arrived: Arrived) -> list[str]:
    return [
        transfer.side
        for transfer in (leaving.transfer, arrived.transfer)
        if transfer.call_due_at is not None
    ]


def exchange(leaving: Leaving, arrived: Arrived, side: str) -> None:
    """Let one side tell the other, if it has anything to tell."""
    own: Leaving | Arrived = leaving if side == "A" else arrived
    asked: Peer = arrived.peer if side == "A" else leaving.peer
    told = notice_of(transfer_id=own.transfer_id)
    if told is None:
        return
    answer = take_notice(peer=asked, call_id=own.chat.call_id, msg_id=told.msg_id, now=leaving.now)
    if answer.status_code == 202:
        record_no_answer(
            transfer_id=own.transfer_id, cause="202", now=leaving.now, retry_at=leaving.now
        )
        return
    record_answer(
        transfer_id=own.transfer_id,
        status_code=answer.status_code,
        msg_id=answer.msg_id,
        now=leaving.now,
    )
