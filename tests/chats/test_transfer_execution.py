"""The execution: one snapshot, the same bytes again, and every answer that there may be."""

import hashlib
from collections.abc import Callable
from datetime import timedelta

import pytest

from chats.models import Note, Relay, Transfer
from chats.services.transfers.calls import claim_calls, free_calls, renew_calls
from chats.services.transfers.executed import (
    record_answer_lost,
    record_not_sent,
    record_not_taken,
    record_snapshot,
    record_taken,
)
from psap.models import User
from tests.support.leaving import TARGET, WORKER, Leaving

pytestmark = pytest.mark.django_db


@pytest.fixture
def leaving(anna: User) -> Leaving:
    return Leaving(anna)


def taken(leaving: Leaving) -> None:
    record_taken(transfer_id=leaving.transfer_id, http_status=200, now=leaving.now)


def not_taken(leaving: Leaving, cause: str = "503") -> None:
    record_not_taken(transfer_id=leaving.transfer_id, cause=cause, http_status=200, now=leaving.now)


def lost(leaving: Leaving, pause: float = 0.5) -> None:
    record_answer_lost(
        transfer_id=leaving.transfer_id,
        cause="connection reset",
        now=leaving.now,
        retry_at=leaving.now + timedelta(seconds=pause),
    )


def not_sent(leaving: Leaving) -> None:
    record_not_sent(
        transfer_id=leaving.transfer_id,
        cause="connection refused",
        now=leaving.now,
        retry_at=leaving.now + timedelta(seconds=1),
    )


def test_a_snapshot_tells_everybody_after_us_why_we_gave_the_chat_away(leaving: Leaving):
    leaving.asking()
    Transfer.objects.update(reason="A boat is in distress.")
    for _ in range(2):  # nothing of the first has left: a new snapshot
        body = record_snapshot(
            transfer_id=leaving.transfer_id,
            write=lambda transfer: ";".join(
                Note.objects.filter(chat=transfer.chat).values_list("text", flat=True)
            ).encode(),
            now=leaving.now,
        )
        assert body == b"A boat is in distress."
        not_sent(leaving)


def test_a_snapshot_is_committed_with_its_window_before_it_is_sent(leaving: Leaving):
    leaving.asking()
    leaving.later(0.2)
    seen: list[Transfer] = []

    def write(transfer: Transfer) -> bytes:
        seen.append(transfer)
        return b'{"CallId":"x"}'

    body = record_snapshot(transfer_id=leaving.transfer_id, write=write, now=leaving.now)
    assert body == b'{"CallId":"x"}'
    [given] = seen
    assert (given.last_msg_id, given.execution_expiry) == (1, 20)
    assert (given.executed_at, given.execution_expires_at) == (
        leaving.now,
        leaving.now + timedelta(seconds=20),
    )
    transfer = leaving.transfer
    assert bytes(transfer.execution) == body
    assert bytes(transfer.execution_sha256) == hashlib.sha256(body).digest()
    assert transfer.due_at == leaving.now + timedelta(seconds=25)
    assert leaving.event("transfer-executing").data == {
        "transfer": str(transfer.pk),
        "messageId": 1,
        "bodySha256": hashlib.sha256(body).hexdigest(),
    }
    leaving.holds()


def test_a_snapshot_that_cannot_be_written_leaves_nothing(leaving: Leaving):
    leaving.asking()

    def write(transfer: Transfer) -> bytes:
        raise ValueError("a fault of ours")

    with pytest.raises(ValueError, match="a fault of ours"):
        record_snapshot(transfer_id=leaving.transfer_id, write=write, now=leaving.now)
    assert leaving.transfer.execution_sha256 is None
    assert "transfer-executing" not in leaving.kinds()
    not_taken(leaving, "a fault of ours")
    assert (leaving.state, leaving.chat.session) == ("failed", "open")
    assert leaving.claim() == []


def test_a_peer_that_takes_the_chat_has_it(leaving: Leaving):
    leaving.executing()
    leaving.later(1)
    taken(leaving)
    chat, transfer = leaving.chat, leaving.transfer
    assert (transfer.state, transfer.ended_at, transfer.due_at) == ("done", leaving.now, None)
    assert (chat.session, chat.gone_to, chat.ended_at) == ("transferred", TARGET, leaving.now)
    assert (chat.owner, chat.disposition) == (leaving.owner, None)
    assert leaving.event("chat-transferred").data == {
        "transfer": str(transfer.pk),
        "target": TARGET,
    }
    assert leaving.ours(265) == []
    assert leaving.claim() == []
    assert leaving.sweep() == 0
    leaving.holds()


def test_what_the_app_writes_after_the_snapshot_goes_after_it_in_order(leaving: Leaving):
    leaving.stalling()
    leaving.receive("after the 266")
    leaving.acknowledge(leaving.stop_message())
    leaving.sweep()
    leaving.receive("before the snapshot")
    leaving.claim()
    leaving.snapshot()
    for text in ("first", "second"):
        leaving.receive(text)
    leaving.receive("", msg_type=260)
    assert leaving.relayed() == []
    taken(leaving)
    assert leaving.relayed() == ["first", "second"]
    assert set(Relay.objects.values_list("target", "status")) == {(TARGET, "queued")}


def test_a_chat_without_an_owner_rings_no_more_when_it_is_elsewhere(leaving: Leaving):
    leaving.executing()
    chat = leaving.chat
    chat.owner, chat.ringing_since = None, leaving.now
    chat.save(update_fields=["owner", "ringing_since"])
    taken(leaving)
    assert leaving.chat.ringing_since is None


@pytest.mark.conformance("6.3.4-3")
@pytest.mark.parametrize("uncertain", [False, True])
def test_a_peer_that_does_not_take_it_leaves_it_with_us(leaving: Leaving, uncertain: bool):
    leaving.executing()
    if uncertain:
        lost(leaving)
    leaving.later(2)
    not_taken(leaving, "503")
    chat, transfer = leaving.chat, leaving.transfer
    assert (transfer.state, transfer.cause) == ("failed", "503")
    assert (chat.session, chat.owner, chat.gone_to) == ("open", leaving.owner, "")
    # Above the 265 that the transferee may have sent, which has MsgId 2.
    assert leaving.ours(266, 265)[1:] == [(266, 3, "queued"), (265, 4, "queued")]
    assert leaving.event("transfer-failed").data["cause"] == "503"
    leaving.holds()


def test_a_lost_answer_is_shown_and_asked_for_with_the_same_bytes(leaving: Leaving):
    leaving.executing(b"the body")
    leaving.later(1)
    lost(leaving)
    assert (leaving.state, leaving.chat.session) == ("uncertain", "transferring")
    assert leaving.event("custody-uncertain").data["cause"] == "connection reset"
    assert leaving.claim() == []
    leaving.later(0.5)
    [call] = leaving.claim()
    assert (call.kind, call.give_up_at) == ("execution", leaving.transfer.due_at)
    assert leaving.snapshot(b"another body") == b"the body"
    lost(leaving)
    assert leaving.kinds().count("custody-uncertain") == 1
    assert leaving.kinds().count("transfer-executing") == 1
    leaving.later(1)
    [call] = leaving.claim()
    assert call.attempts == 3
    taken(leaving)
    assert (leaving.state, leaving.chat.session) == ("done", "transferred")


@pytest.mark.conformance("6.3.3-5", "6.3.3-7")
def test_after_expiry_and_margin_the_chat_is_ours_again(leaving: Leaving):
    leaving.executing()
    lost(leaving, pause=100)
    leaving.later(24.9)
    assert leaving.sweep() == 0
    leaving.later(0.2)
    assert leaving.snapshot() is None
    assert leaving.sweep() == 1
    assert (leaving.state, leaving.chat.session) == ("failed", "open")
    assert leaving.transfer.cause == "the other control room has not taken the chat in time"
    taken(leaving)  # its answer comes after all
    assert (leaving.state, leaving.chat.session) == ("failed", "open")
    not_taken(leaving)
    lost(leaving)
    not_sent(leaving)
    assert leaving.kinds().count("transfer-failed") == 1
    leaving.holds()


def test_an_answer_within_the_margin_counts(leaving: Leaving):
    leaving.executing()
    leaving.later(24.9)
    taken(leaving)
    assert leaving.state == "done"


def test_what_was_never_sent_is_written_anew_with_the_time_that_remains(leaving: Leaving):
    leaving.executing(b"first")
    leaving.later(3)
    not_sent(leaving)
    assert (leaving.state, leaving.transfer.execution_sha256) == ("executing", None)
    assert leaving.claim() == []
    leaving.receive("meanwhile")
    leaving.later(1)
    assert len(leaving.claim()) == 1
    assert leaving.snapshot(b"second") == b"second"
    transfer = leaving.transfer
    assert transfer.execution_expiry == 16
    assert transfer.due_at == leaving.now + timedelta(seconds=21)
    leaving.receive("later")
    taken(leaving)
    assert leaving.relayed() == ["later"]  # the other is in the second snapshot


def test_a_peer_that_cannot_be_reached_has_no_more_time_than_the_app(leaving: Leaving):
    leaving.executing()
    attempts = 0
    for _ in range(40):
        if leaving.state != "executing":
            break
        not_sent(leaving)
        leaving.later(1)
        leaving.sweep()
        if leaving.claim():
            attempts += 1
            leaving.snapshot()
            assert leaving.transfer.execution_expiry >= 10
    assert attempts == 19
    assert leaving.transfer.cause == "connection refused"
    assert leaving.chat.session == "open"
    # No byte of it has left: nobody has to be told.
    assert leaving.claim() == []
    assert leaving.transfer.due_at is None
    leaving.holds()


def test_a_worker_killed_over_the_execution_may_have_sent_it(leaving: Leaving):
    leaving.executing(b"the body")
    leaving.later(7)
    assert leaving.claim("another") == []
    leaving.later(2)
    assert len(leaving.claim("another")) == 1
    assert leaving.snapshot(b"another body") == b"the body"
    assert leaving.state == "uncertain"
    not_sent(leaving)  # this attempt was not; the one before may have been
    assert (leaving.state, leaving.transfer.execution_sha256 is None) == ("uncertain", False)
    leaving.later(1)
    assert leaving.snapshot() == b"the body"


def test_a_worker_that_starts_again_takes_up_its_calls_at_once(leaving: Leaving):
    leaving.executing()
    assert leaving.claim() == []
    assert free_calls(holder="another", now=leaving.now) == 0
    assert free_calls(holder=WORKER, now=leaving.now) == 1
    assert len(leaving.claim()) == 1


def test_a_lease_is_kept_by_renewing_it_as_long_as_the_call_is_wanted(leaving: Leaving):
    leaving.executing()
    ids = [leaving.transfer_id]
    for _ in range(4):
        leaving.later(4)
        assert renew_calls(holder=WORKER, transfer_ids=ids, now=leaving.now) == frozenset(ids)
        assert claim_calls(holder="another", now=leaving.now, most=10) == []
    assert renew_calls(holder="another", transfer_ids=ids, now=leaving.now) == frozenset()
    leaving.later(10)
    leaving.sweep()
    assert leaving.state == "failed"
    assert renew_calls(holder=WORKER, transfer_ids=ids, now=leaving.now) == frozenset()


def test_nothing_is_asked_after_the_202_has_expired(leaving: Leaving):
    leaving.request()
    leaving.agree(expiry=10)
    leaving.later(9)
    leaving.acknowledge(leaving.stop_message())
    leaving.sweep()
    assert leaving.state == "executing"
    leaving.later(1)
    assert leaving.snapshot() is None
    leaving.sweep()
    assert (leaving.state, leaving.chat.session) == ("failed", "open")


def test_an_app_that_stops_before_the_peer_is_asked_has_ended_the_chat(leaving: Leaving):
    leaving.asking()
    leaving.app_stops()
    assert leaving.snapshot() is None
    leaving.sweep()
    assert (leaving.state, leaving.chat.session) == ("failed", "stopped")
    assert leaving.ours(265) == []


def test_a_stop_of_the_app_goes_after_a_chat_that_was_taken(leaving: Leaving):
    leaving.executing()
    leaving.app_stops()
    assert leaving.sweep() == 0
    taken(leaving)
    chat = leaving.chat
    assert (chat.session, chat.gone_to, chat.ended_by) == ("transferred", TARGET, None)
    assert Relay.objects.get().message.type == 258


@pytest.mark.parametrize("fails", [not_taken, lambda leaving: leaving.later(60)])
def test_an_app_that_has_stopped_is_not_greeted_when_the_transfer_fails(
    leaving: Leaving, fails: Callable[[Leaving], object]
):
    leaving.executing()
    leaving.app_stops()
    fails(leaving)
    leaving.sweep()
    assert (leaving.state, leaving.chat.session) == ("failed", "stopped")
    assert leaving.chat.ended_by == "caller"
    assert leaving.ours(265) == []
    assert leaving.chat.owner == leaving.owner
    leaving.holds()


def test_an_app_that_writes_after_its_stop_has_not_ended_the_chat(leaving: Leaving):
    leaving.executing()
    leaving.app_stops()
    leaving.receive("no, wait")
    not_taken(leaving)
    assert (leaving.state, leaving.chat.session) == ("failed", "open")
    assert leaving.ours(265) == [(265, 4, "queued")]


@pytest.mark.parametrize("answers", [taken, not_taken, lambda leaving: leaving.sweep()])
def test_an_app_that_begins_anew_here_is_ours_whatever_the_peer_says(
    leaving: Leaving, answers: Callable[[Leaving], object]
):
    leaving.executing()
    leaving.app_begins_anew()
    answers(leaving)
    assert (leaving.state, leaving.chat.session) == ("failed", "open")
    # It may have got the transferee's 265: a later one of ours decides.
    assert leaving.ours(266, 265)[1:] == [(266, 3, "queued"), (265, 4, "queued")]


def test_a_peer_deleted_in_the_admin_fails_in_time(leaving: Leaving):
    leaving.executing()
    leaving.peer.delete()
    assert leaving.claim() == []
    leaving.later(25)
    leaving.sweep()
    assert (leaving.state, leaving.chat.session) == ("failed", "open")
