"""Handing over: the 266, the app's answer to it, and everything that may come between."""

from datetime import timedelta

import pytest

from chats.models import OutboxEntry
from chats.services.call_back import call_back
from chats.services.close_chat import close_chat
from chats.services.errors import (
    NoCallBack,
    NoTransfer,
    NotYourChat,
    SessionNotOpen,
    TooLate,
    TransferUnderWay,
)
from chats.services.leases import expire_leases
from chats.services.send_text import send_text
from chats.services.transfers.call_off import call_off
from chats.services.transfers.negotiated import record_agreed
from psap.models import ServiceProcess, User
from tests.support.leaving import START, TARGET, Leaving

pytestmark = pytest.mark.django_db


@pytest.fixture
def leaving(anna: User) -> Leaving:
    return Leaving(anna)


def send(leaving: Leaving, text: str) -> None:
    send_text(chat_id=leaving.chat_id, call_taker=leaving.owner, text=text, now=leaving.now)


def keep(leaving: Leaving) -> None:
    call_off(chat_id=leaving.chat_id, call_taker=leaving.owner, now=leaving.now)


@pytest.mark.conformance("6.2.6-3", "6.2.6-4", "6.2.6-5", "6.2.6-6")
def test_the_app_is_told_to_wait_with_the_last_number_that_we_have_used(leaving: Leaving):
    send(leaving, "Where are you?")
    leaving.stalling()
    assert leaving.ours(259) == [(259, 2, "cancelled")]
    assert leaving.ours(266) == [(266, 1, "queued")]  # the text never left
    stop = leaving.stop_message()
    assert (stop.text, stop.author) == ("Bitte warten.", leaving.owner)
    assert OutboxEntry.objects.get(message=stop).reply_to == ""
    chat = leaving.chat
    assert (chat.session, chat.owner, chat.next_msg_id) == ("transferring", leaving.owner, 3)
    assert leaving.state == "stalling"
    assert leaving.transfer.due_at == leaving.now + timedelta(seconds=10)
    assert leaving.event("chat-transferring").data == {
        "transfer": str(leaving.transfer_id),
        "target": TARGET,
    }
    with pytest.raises(SessionNotOpen):
        send(leaving, "Too late.")
    with pytest.raises(TransferUnderWay):
        leaving.request()
    leaving.holds()


def test_a_text_that_has_left_counts_although_it_was_cancelled_later(leaving: Leaving):
    send(leaving, "Where are you?")
    text = leaving.chat.messages.get(type=259, direction="out")
    leaving.outcome(text, "cancelled")
    leaving.stalling()
    assert leaving.ours(266) == [(266, 2, "queued")]


def test_a_text_that_is_on_its_way_is_not_kept_back(leaving: Leaving):
    send(leaving, "Where are you?")
    leaving.outcome(leaving.chat.messages.get(type=259, direction="out"), "sending")
    leaving.stalling()
    assert leaving.ours(259, 266) == [(259, 2, "sending"), (266, 2, "queued")]


def test_the_call_takers_words_stand_in_the_266(leaving: Leaving):
    leaving.request(text="Die Wasserrettung übernimmt.")
    leaving.agree()
    assert leaving.stop_message().text == "Die Wasserrettung übernimmt."


def test_the_call_taker_decides_when_to_hand_over(leaving: Leaving, berta: User):
    leaving.request(at_once=False)
    with pytest.raises(NoTransfer):
        leaving.hand_over()
    leaving.agree()
    assert leaving.chat.session == "open"
    leaving.owner, anna = berta, leaving.owner
    with pytest.raises(NotYourChat):
        leaving.hand_over()
    leaving.owner = anna
    leaving.hand_over()
    assert (leaving.state, leaving.chat.session) == ("stalling", "transferring")
    assert leaving.event("chat-transferring").actor == "calltaker:anna"
    with pytest.raises(NoTransfer):
        leaving.hand_over()


def test_a_202_that_was_over_before_it_could_be_written_down_has_expired(leaving: Leaving):
    """Red when the app is told to wait for a peer that takes nothing any more."""
    leaving.request()
    heard_at = leaving.now - timedelta(seconds=10)
    record_agreed(transfer_id=leaving.transfer_id, expiry=10, now=leaving.now, heard_at=heard_at)
    assert (leaving.state, leaving.ours(266)) == ("accepted", [])
    leaving.sweep()
    assert (leaving.state, leaving.chat.session) == ("expired", "open")


def test_after_the_202_has_expired_nothing_is_handed_over(leaving: Leaving):
    leaving.request(at_once=False)
    leaving.agree(expiry=10)
    leaving.later(10)
    with pytest.raises(NoTransfer):
        leaving.hand_over()
    assert leaving.chat.session == "open"


def test_an_app_that_waits_makes_the_execution_due(leaving: Leaving):
    leaving.stalling()
    leaving.acknowledge(leaving.stop_message())
    assert leaving.sweep() == 1
    assert (leaving.state, leaving.chat.session) == ("executing", "transferring")
    assert leaving.kinds()[-1] == "transfer-stalled"
    [call] = leaving.claim()
    assert (call.kind, call.transfer_id, call.attempts) == ("execution", leaving.transfer_id, 1)
    with pytest.raises(TooLate):
        keep(leaving)
    assert leaving.sweep() == 0


def test_a_202_is_no_acknowledgement(leaving: Leaving):
    leaving.stalling()
    leaving.acknowledge(leaving.stop_message(), sip_status=202)
    leaving.sweep()
    assert (leaving.state, leaving.chat.session) == ("failed", "open")
    assert leaving.transfer.cause == "the app has not acknowledged"


def test_an_app_that_refuses_the_266_is_taken_back(leaving: Leaving):
    leaving.stalling()
    leaving.outcome(leaving.stop_message(), "failed", 488)
    leaving.sweep()
    assert (leaving.state, leaving.chat.session) == ("failed", "open")
    assert leaving.ours(266, 265) == [(266, 1, "failed"), (266, 3, "queued"), (265, 4, "queued")]
    assert leaving.start_message().text == "Wir sind wieder da."
    assert leaving.transfer.start_message == leaving.start_message()
    assert leaving.event("transfer-failed").data == {
        "transfer": str(leaving.transfer_id),
        "target": TARGET,
        "cause": "the app has not acknowledged",
    }
    assert leaving.kinds().index("transfer-failed") < leaving.kinds().index("session-reopened")
    leaving.holds()


def test_silence_is_waited_for_and_then_the_chat_is_ours(leaving: Leaving):
    leaving.stalling()
    leaving.outcome(leaving.stop_message(), "sending")
    leaving.later(9)
    assert leaving.sweep() == 0
    leaving.later(1)
    assert leaving.sweep() == 1
    assert (leaving.state, leaving.chat.session) == ("failed", "open")
    assert leaving.ours(265) == [(265, 4, "queued")]
    assert leaving.claim() == []  # the peer was never asked, and need not know
    assert leaving.sweep() == 0


def test_a_266_that_never_left_is_kept_back_and_the_app_hears_nothing(leaving: Leaving):
    leaving.stalling()
    leaving.later(10)
    leaving.sweep()
    assert (leaving.state, leaving.chat.session) == ("failed", "open")
    assert leaving.ours(266, 265) == [(266, 1, "cancelled")]
    leaving.holds()


def test_a_266_that_waits_to_be_sent_again_has_left(leaving: Leaving):
    leaving.stalling()
    leaving.outcome(leaving.stop_message(), "queued", 408)
    leaving.later(10)
    leaving.sweep()
    assert leaving.ours(266, 265) == [(266, 1, "cancelled"), (266, 3, "queued"), (265, 4, "queued")]


def test_silence_counts_only_from_when_apps_could_be_heard_again(leaving: Leaving):
    leaving.stalling()
    leaving.later(30)  # our gateway was away
    assert leaving.sweep(listening_since=leaving.now) == 0
    since = leaving.now
    leaving.later(9)
    assert leaving.sweep(listening_since=since) == 0
    leaving.later(1)
    assert leaving.sweep(listening_since=since) == 1
    assert leaving.state == "failed"


def test_but_never_beyond_the_202s_expiry(leaving: Leaving):
    leaving.request()
    leaving.agree(expiry=12)
    leaving.later(11)
    assert leaving.sweep(listening_since=leaving.now) == 0
    leaving.later(1)
    assert leaving.sweep(listening_since=leaving.now) == 1
    assert leaving.state == "failed"


def test_an_app_that_is_asked_late_has_no_more_time_than_the_202(leaving: Leaving):
    leaving.request(at_once=False)
    leaving.agree(expiry=10)
    leaving.later(7)
    leaving.hand_over()
    leaving.later(2)
    assert leaving.sweep() == 0
    leaving.later(1)
    assert leaving.sweep() == 1
    assert (leaving.state, leaving.chat.session) == ("failed", "open")


def test_an_app_that_acknowledged_while_the_gateway_was_away_is_executed(leaving: Leaving):
    leaving.stalling()
    leaving.acknowledge(leaving.stop_message())
    leaving.later(30)
    leaving.sweep(listening_since=leaving.now)
    assert leaving.state == "executing"


def test_a_call_taker_keeps_a_chat_whose_266_has_not_left(leaving: Leaving):
    leaving.stalling()
    keep(leaving)
    assert (leaving.state, leaving.chat.session) == ("cancelled", "open")
    assert leaving.ours(266, 265) == [(266, 1, "cancelled")]
    assert leaving.event("transfer-cancelled").actor == "calltaker:anna"
    assert leaving.kinds()[-2:] == ["transfer-cancelled", "session-reopened"]
    send(leaving, "I am still here.")
    assert leaving.sweep() == 0


def test_a_call_taker_keeps_a_chat_whose_app_waits_already(leaving: Leaving):
    leaving.stalling()
    leaving.acknowledge(leaving.stop_message())
    keep(leaving)
    assert (leaving.state, leaving.chat.session) == ("cancelled", "open")
    assert leaving.ours(266, 265)[1:] == [(266, 3, "queued"), (265, 4, "queued")]
    send(leaving, "I am still here.")
    assert leaving.ours(259) == [(259, 5, "queued")]
    assert leaving.sweep() == 0
    assert [call.kind for call in leaving.claim()] == ["withdrawal"]
    leaving.holds()


def test_an_app_that_stops_while_we_tell_it_to_wait_has_ended_the_chat(leaving: Leaving):
    leaving.stalling()
    leaving.app_stops()
    leaving.sweep()
    assert (leaving.state, leaving.chat.session) == ("failed", "stopped")
    assert leaving.chat.ended_by == "caller"
    assert leaving.transfer.cause == "the app has ended the chat"
    assert leaving.ours(266, 265) == [(266, 1, "cancelled")]
    assert leaving.kinds()[-2:] == ["transfer-failed", "session-stopped"]


def test_an_app_that_begins_anew_is_ours_without_more_words(leaving: Leaving):
    leaving.stalling()
    leaving.acknowledge(leaving.stop_message())
    leaving.app_begins_anew()
    leaving.sweep()
    assert (leaving.state, leaving.chat.session) == ("failed", "open")
    assert leaving.transfer.cause == "the app has started here again"
    assert leaving.ours(265) == []  # its greeting is the start/257


def test_a_desk_that_goes_silent_loses_the_chat_and_the_transfer_goes_on(leaving: Leaving):
    leaving.stalling()
    leaving.later(60)
    ServiceProcess.objects.create(
        name="web", instance="host:1", started_at=START - timedelta(60), beat_at=leaving.now
    )
    assert expire_leases(now=leaving.now) == 1
    leaving.acknowledge(leaving.stop_message())
    leaving.sweep()
    assert leaving.state == "executing"
    leaving.later(60)
    leaving.sweep()  # nobody has asked the peer
    assert (leaving.state, leaving.chat.session) == ("failed", "open")
    assert leaving.chat.ringing_since is not None
    assert leaving.transfer.cause == "the other control room could not be asked in time"


def test_a_chat_that_was_closed_meanwhile_rings_again_when_the_transfer_fails(leaving: Leaving):
    leaving.stalling()
    leaving.outcome(leaving.stop_message(), "sending")
    close_chat(
        chat_id=leaving.chat_id,
        call_taker=leaving.owner,
        disposition="redirected",
        text="Bye",
        now=leaving.now,
    )
    assert leaving.ours(258) == []  # after a 266 nothing of ours leaves
    leaving.later(10)
    leaving.sweep()
    chat = leaving.chat
    assert (chat.session, chat.disposition, chat.owner) == ("open", None, None)
    assert chat.ringing_since == leaving.now
    leaving.holds()


def test_the_owner_and_the_last_words_stay_when_a_transfer_fails(leaving: Leaving):
    before = leaving.chat
    leaving.stalling()
    leaving.later(10)
    leaving.sweep()
    after = leaving.chat
    assert (after.owner, after.lease_until) == (before.owner, before.lease_until)
    assert after.ringing_since is None
    assert after.gone_to == ""


def test_nobody_is_called_back_before_the_transfer_has_ended(leaving: Leaving):
    leaving.request()
    leaving.app_stops()
    with pytest.raises(NoCallBack):
        call_back(chat_id=leaving.chat_id, call_taker=leaving.owner, text="?", now=leaving.now)
    leaving.sweep()
    call_back(chat_id=leaving.chat_id, call_taker=leaving.owner, text="?", now=leaving.now)


def test_a_stop_of_who_may_be_anybody_ends_nothing(leaving: Leaving):
    leaving.stalling()
    stop = leaving.receive("", msg_type=258)
    stop.flags = ["not-asserted"]
    stop.save(update_fields=["flags"])
    assert leaving.sweep() == 0
    leaving.acknowledge(leaving.stop_message())
    leaving.sweep()
    assert leaving.state == "executing"
