"""Whether an app follows us, as the gateway's sweep sees it (clauses 6.2.6, 6.3.3)."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta

import pytest

from chats.models import Chat, ChatEvent, Message, OutboxEntry, Transfer
from chats.services.chain import append_event
from chats.services.close_chat import close_chat
from chats.services.release_chat import release_chat
from chats.services.transfers.arriving import outcome_of
from psap.models import User
from tests.support.chats import open_chat
from tests.support.coming import CALL_ID, FROM, Coming, handed_chat

pytestmark = pytest.mark.django_db
CALL = {"unique_part": "comingcall", "element": "bcf.example.org", "call_id": CALL_ID}


@pytest.fixture
def coming(anna: User) -> Coming:
    """A chat that anna has accepted; our 265 is on its way."""
    made = Coming()
    made.ask()
    made.accept(anna)
    made.execute(handed_chat())
    return made


@pytest.fixture
def unowned(db: None) -> Coming:
    """The same by the peer's rule."""
    made = Coming(auto_accept=True)
    made.ask()
    made.execute(handed_chat())
    return made


@pytest.mark.conformance("6.2.6-13", "6.3.3-4")
def test_an_acknowledged_265_makes_the_chat_ours(coming: Coming, anna: User):
    coming.answered(200)
    assert coming.settle(1) == 1
    transfer, chat = coming.transfer, coming.chat
    assert (transfer.state, transfer.ended_at, transfer.due_at) == ("done", coming.now, None)
    assert (transfer.custody_msg_id, transfer.call_due_at) == (8, None)
    assert (chat.session, chat.owner, chat.ringing_since) == ("open", anna, None)
    assert chat.last_sign_of_life == coming.now
    assert outcome_of(transfer.pk) == 200
    assert coming.event("chat-arrived").data == {"transfer": str(transfer.pk), "messageId": 8}
    assert coming.settle(1) == 0
    coming.holds()


def test_a_chat_that_nobody_has_rings_when_it_is_ours(unowned: Coming):
    assert unowned.settle(1) == 0
    assert unowned.chat.ringing_since is None
    unowned.answered(200)
    unowned.settle(1)
    assert unowned.chat.ringing_since == unowned.now


def test_one_that_was_released_meanwhile_goes_on_ringing(coming: Coming, anna: User):
    release_chat(chat_id=coming.chat.pk, call_taker=anna, now=coming.now)
    rings = coming.chat.ringing_since
    coming.answered(200)
    coming.settle(1)
    assert (coming.chat.owner, coming.chat.ringing_since) == (None, rings)
    coming.holds()


def test_one_that_was_closed_meanwhile_rings(coming: Coming, anna: User):
    close_chat(
        chat_id=coming.chat.pk, call_taker=anna, disposition="resolved", text="", now=coming.now
    )
    coming.answered(200)
    coming.settle(1)
    chat = coming.chat
    assert (chat.session, chat.disposition, chat.owner) == ("open", None, None)
    assert chat.ringing_since == coming.now
    coming.holds()


def test_a_lost_chat_that_follows_lives(coming: Coming):
    Chat.objects.update(liveness="lost")
    coming.answered(200)
    coming.settle(1)
    assert coming.chat.liveness == "alive"


@pytest.mark.parametrize("sip_status", [202, None, 204])
def test_only_200_says_that_the_app_has_taken_it(coming: Coming, sip_status: int | None):
    coming.answered(sip_status)
    assert coming.settle(1) == 0
    assert coming.state == "executing"
    coming.settle(19)
    assert coming.state == "uncertain"


def test_an_app_that_writes_to_us_follows_us(unowned: Coming):
    unowned.answered(None, "sending")
    unowned.writes("is anybody there?")
    assert unowned.settle(1) == 1
    assert (unowned.state, unowned.transfer.custody_msg_id) == ("done", 8)
    assert unowned.chat.session == "open"
    unowned.holds()


def test_an_app_that_ends_the_chat_here_follows_us_too(unowned: Coming):
    unowned.writes("", msg_type=258)
    assert unowned.settle(1) == 1
    chat = unowned.chat
    assert (unowned.state, chat.session, chat.ended_by) == ("done", "stopped", "caller")
    assert chat.ringing_since == unowned.now  # a caller who gives up does not vanish
    unowned.holds()


@pytest.mark.conformance("6.3.3-6")
def test_what_has_not_left_in_time_never_leaves(coming: Coming, anna: User):
    assert coming.settle(19) == 0
    assert coming.settle(1) == 1
    transfer, chat = coming.transfer, coming.chat
    assert (transfer.state, transfer.cause) == ("failed", "The app could not be told in time.")
    assert coming.start.status == "cancelled"
    assert (chat.session, chat.ended_by, chat.disposition) == ("stopped", "peer", "not-taken")
    assert (chat.ended_at, chat.closed_at) == (coming.now, coming.now)
    assert (chat.owner, chat.lease_until, chat.ringing_since) == (anna, None, None)
    assert outcome_of(transfer.pk) == 503
    assert coming.kinds()[-4:] == [
        "delivery-changed", "session-stopped", "chat-closed", "chat-not-taken",
    ]  # fmt: skip
    assert coming.settle(1) == 0
    coming.holds()


def test_what_a_call_taker_has_said_of_a_chat_stays(coming: Coming, anna: User):
    close_chat(
        chat_id=coming.chat.pk, call_taker=anna, disposition="duplicate", text="", now=coming.now
    )
    coming.settle(20)
    assert (coming.state, coming.chat.session) == ("failed", "stopped")
    assert coming.chat.disposition == "duplicate"
    coming.holds()


def test_what_was_cancelled_before_it_left_ends_at_once(coming: Coming):
    Message.objects.filter(pk=coming.start.pk).update(status="cancelled")
    assert coming.settle(1) == 1
    assert coming.state == "failed"


def test_an_app_that_refuses_our_only_265_is_not_waited_for(coming: Coming):
    coming.answered(403, "failed")
    assert coming.settle(1) == 1
    assert (coming.state, coming.transfer.cause) == ("failed", "The app has refused to follow.")
    assert coming.chat.disposition == "not-taken"


def test_a_refusal_after_a_lost_265_proves_nothing(coming: Coming):
    coming.answered(403, "failed")
    OutboxEntry.objects.update(attempts=2)
    assert coming.settle(1) == 0
    coming.writes("I am here")  # since the first
    assert coming.settle(1) == 1
    assert coming.state == "done"


def offered_back_in_vain(gone_to: str) -> Coming:
    """Have executed what we had passed on to somebody, by an app that never comes."""
    coming = Coming(auto_accept=True)
    known = open_chat("help", session="transferred", gone_to=gone_to, ringing_since=None, **CALL)
    append_event(chat_id=known.pk, kind="chat-transferred", at=coming.now, actor="system", data={})
    coming.ask()
    coming.execute(handed_chat())
    coming.settle(20)
    assert coming.chat == known
    return coming


def test_a_chat_that_we_had_passed_on_is_where_it_was_when_it_does_not_come_back(anna: User):
    coming = offered_back_in_vain(FROM)
    chat = coming.chat
    assert (chat.session, chat.gone_to, chat.disposition) == ("transferred", FROM, "not-taken")
    assert (chat.ended_by, chat.ringing_since) == (None, None)
    coming.holds()


def test_a_peer_that_says_it_has_a_chat_does_not_get_what_belongs_to_the_one_that_has_it(
    anna: User,
):
    """Red when it is with whoever offered it last: what the app still sends us would go there."""
    other = "sip:c@c.example.org"
    coming = offered_back_in_vain(other)
    assert (coming.chat.session, coming.chat.gone_to) == ("transferred", other)
    coming.holds()


@pytest.fixture
def uncertain(unowned: Coming) -> Coming:
    """Our 265 has left, and nobody has answered it in time."""
    unowned.answered(None, "sending")
    unowned.settle(20)
    return unowned


def test_without_an_answer_in_time_nobody_knows_and_the_chat_is_kept(uncertain: Coming):
    transfer = uncertain.transfer
    assert (transfer.state, transfer.ended_at) == ("uncertain", None)
    assert transfer.due_at is not None  # it is looked at again
    assert outcome_of(transfer.pk) == 503
    chat = uncertain.chat
    assert (chat.session, chat.disposition, chat.ringing_since) == ("arriving", None, None)
    assert uncertain.kinds()[-1] == "custody-uncertain"
    assert uncertain.settle(1) == 0
    uncertain.holds()


def test_a_silent_app_costs_the_sweep_one_look_for_all(
    uncertain: Coming, django_assert_num_queries: Callable[[int], AbstractContextManager[None]]
):
    with django_assert_num_queries(1):
        uncertain.settle(100_000)


@pytest.mark.parametrize("how", ["late answer", "message"])
def test_any_later_word_of_the_app_decides_and_the_transferor_is_told(uncertain: Coming, how: str):
    if how == "message":
        uncertain.writes("hello?")
    else:
        uncertain.answered(200)
    assert uncertain.settle(7) == 1
    transfer = uncertain.transfer
    assert (transfer.state, transfer.custody_msg_id) == ("done", 8)
    assert transfer.call_due_at == uncertain.now
    assert uncertain.chat.session == "open"
    assert uncertain.chat.ringing_since == uncertain.now
    assert outcome_of(transfer.pk) == 200
    uncertain.holds()


def test_an_answer_that_was_noticed_too_late_is_told_as_well(coming: Coming):
    coming.answered(200)
    coming.settle(25)  # the gateway was away; the peer has given up waiting
    assert coming.state == "done"
    assert coming.transfer.call_due_at == coming.now


@pytest.mark.parametrize("status", ["queued", "deferred"])
def test_after_the_expiry_nothing_of_ours_is_sent_again(coming: Coming, status: str):
    coming.answered(None, status)  # sent once, to be sent again
    coming.settle(20)
    assert (coming.state, coming.start.status) == ("uncertain", "cancelled")


def test_what_silence_makes_wait_again_is_cancelled_too(uncertain: Coming):
    uncertain.answered(None, "queued")
    uncertain.settle(1)
    assert uncertain.start.status == "cancelled"
    assert uncertain.state == "uncertain"
    uncertain.holds()


def test_a_transfer_whose_state_means_nothing_here_stays(coming: Coming):
    Transfer.objects.update(state="released", due_at=coming.now)
    assert coming.settle(60) == 0


def test_what_is_told_of_a_chat_is_told_once(coming: Coming):
    coming.answered(200)
    for _ in range(3):
        coming.settle(1)
    assert ChatEvent.objects.filter(kind="chat-arrived").count() == 1
    assert coming.transfer.ended_at == coming.now - timedelta(seconds=2)
