"""Executions: one chat with its whole history, whoever asks how often (clause 6.3.3)."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction

from chats.models import Chat, ChatEvent, Message, OutboxEntry, Transfer
from chats.services.chain import append_event
from chats.services.errors import ChatBusy
from chats.services.leases import expire_leases
from chats.services.texts import text_digest
from chats.services.transfers import arriving
from chats.services.transfers.arriving import (
    LARGEST_MESSAGE_ID,
    ExecutionRefused,
    NegotiationOver,
    NoAppUri,
    NoNegotiation,
    OtherBody,
    outcome_of,
    receive_execution,
)
from chats.services.transfers.offers import decline_offer
from psap.models import ServiceProcess, User
from tests.support.chats import make_user, open_chat
from tests.support.coming import (
    APP,
    ARRIVAL_TEXT,
    CALL_ID,
    FROM,
    Coming,
    handed_chat,
    handed_message,
    make_transferor,
)

pytestmark = pytest.mark.django_db
CALL = {"unique_part": "comingcall", "element": "bcf.example.org", "call_id": CALL_ID}


@pytest.fixture
def coming(anna: User) -> Coming:
    """A transfer that anna has accepted."""
    made = Coming(expiry_time=60)
    made.ask()
    made.later(3)
    made.accept(anna)
    made.later(2)
    return made


@pytest.mark.conformance("6.2.6-9", "6.2.6-10", "6.2.6-11", "6.3.3-1")
def test_an_execution_asks_the_app_to_follow_with_the_next_msg_id(coming: Coming):
    coming.execute(handed_chat(), last_msg_id=41, expiry=20)
    transfer, chat, start = coming.transfer, coming.chat, coming.start
    assert (transfer.state, transfer.last_msg_id, transfer.execution_expiry) == (
        "executing", 41, 20,
    )  # fmt: skip
    assert transfer.executed_at == coming.now
    ends = coming.now + timedelta(seconds=20)
    assert transfer.execution_expires_at == transfer.due_at == ends
    assert (start.type, start.msg_id, start.text) == (265, 42, ARRIVAL_TEXT)
    assert (start.status, start.author) == ("queued", None)
    entry = OutboxEntry.objects.get(message=start)
    assert (entry.reply_to, entry.due_at, entry.attempts) == ("", coming.now, 0)
    assert chat.next_msg_id == 43
    assert outcome_of(transfer.pk) is None


def test_the_chat_is_as_its_transferor_knew_it_and_belongs_to_who_accepted(
    coming: Coming, anna: User
):
    handed = handed_chat(
        asserted_uri="tel:+43123", silent=True, signalling={"did": "did:example:1"}
    )
    coming.execute(handed)
    chat = coming.chat
    assert (chat.call_id, chat.unique_part, chat.element) == (
        CALL_ID, "comingcall", "bcf.example.org",
    )  # fmt: skip
    assert (chat.session, chat.came_from, chat.gone_to) == ("arriving", FROM, "")
    assert (chat.target_uri, chat.caller_uri, chat.asserted_uri) == (APP, APP, "tel:+43123")
    same = ("display_name", "language", "user_agent", "service", "priority", "silent",
            "signalling", "opened_at", "last_sign_of_life", "last_caller_text",
            "last_in_msg_id")  # fmt: skip
    assert {n: getattr(chat, n) for n in same} == {n: getattr(handed, n) for n in same}
    assert chat.psaps == [dict(psap) for psap in handed.psaps]
    assert (chat.owner, chat.ringing_since, chat.answered_at) == (anna, None, coming.now)
    assert chat.lease_until == coming.now + timedelta(seconds=12)
    assert (chat.trunk, chat.transport, chat.peer) == ("", "", "")
    assert chat.local_tag


def test_each_step_is_on_the_chats_record(coming: Coming):
    coming.execute(handed_chat(clock_shift=-3600.25))
    assert coming.kinds() == [
        "chat-opened", "chat-arriving", "message-imported", "message-imported", "chat-claimed",
        "message-queued",
    ]  # fmt: skip
    assert coming.event("chat-opened").data["cameFrom"] == FROM
    assert coming.event("chat-arriving").data == {
        "transfer": str(coming.transfer_id),
        "from": FROM,
        "peer": "A",
        "reasonSha256": text_digest("sea"),
        "by": "anna",
        "automatic": False,
        "requestedAt": "2026-01-31T13:00:00.000000+00:00",
        "acceptedAt": "2026-01-31T13:00:03.000000+00:00",
        "messageId": 7,
        "bodySha256": hashlib.sha256(b"body").hexdigest(),
        "clockShift": "-3600.25",
    }
    assert coming.event("chat-claimed").actor == "calltaker:anna"
    coming.holds()


def test_what_the_rule_accepted_belongs_to_nobody_and_does_not_ring_yet():
    coming = Coming(auto_accept=True)
    coming.ask()
    coming.execute(handed_chat())
    chat = coming.chat
    assert (chat.owner, chat.lease_until, chat.ringing_since) == (None, None, None)
    assert coming.event("chat-arriving").data["by"] is None
    assert "chat-claimed" not in coming.kinds()
    coming.holds()


def test_who_is_no_call_taker_any_more_gets_no_chat(coming: Coming, anna: User):
    User.objects.filter(pk=anna.pk).update(is_active=False)
    coming.execute(handed_chat())
    assert coming.chat.owner is None
    coming.answered(200)
    coming.settle()
    assert coming.chat.ringing_since == coming.now


def test_a_desk_that_has_gone_since_it_accepted_loses_the_chat_as_any_other(coming: Coming):
    coming.execute(handed_chat())
    coming.later(13)
    ServiceProcess.objects.create(
        name="web", started_at=coming.now - timedelta(hours=1), beat_at=coming.now
    )
    assert expire_leases(now=coming.now) == 1
    assert (coming.chat.owner, coming.chat.ringing_since) == (None, coming.now)


@pytest.mark.django_db(transaction=True)
def test_of_fifty_executions_at_once_one_writes_and_all_get_the_same_answer():
    coming = Coming()
    coming.ask()
    coming.accept(make_user("anna"))
    handed = handed_chat(*(handed_message(number) for number in range(1, 101)))

    def execute(_number: int) -> int:
        try:
            return coming.execute(handed)
        finally:
            connection.close()

    with ThreadPoolExecutor(50) as pool:
        told = set(pool.map(execute, range(50)))
    assert told == {coming.transfer_id}
    assert Chat.objects.count() == 1
    assert Message.objects.count() == 101
    assert OutboxEntry.objects.count() == 1
    coming.holds()


def test_a_repetition_gets_the_answer_of_the_first_however_late(coming: Coming):
    first = coming.execute(handed_chat())
    assert coming.execute(handed_chat()) == first
    coming.answered(200)
    coming.settle(1)
    assert outcome_of(first) == 200
    coming.later(3600)
    assert coming.execute(handed_chat()) == first
    assert Message.objects.count() == 3


def test_another_body_for_the_same_negotiation_is_refused(coming: Coming):
    coming.execute(handed_chat())
    with pytest.raises(OtherBody):
        coming.execute(handed_chat(), body=b"other")


def test_a_later_negotiation_does_not_change_what_an_earlier_execution_was_told(
    coming: Coming, anna: User
):
    first = coming.execute(handed_chat())
    coming.settle(20)  # our 265 has never left
    assert outcome_of(first) == 503
    coming.ask()
    coming.accept(anna)
    assert coming.execute(handed_chat()) == first
    assert outcome_of(first) == 503
    second = coming.execute(handed_chat(), body=b"second", last_msg_id=9)
    assert second == coming.transfer_id != first


@pytest.mark.conformance("6.3.2-5")
@pytest.mark.parametrize("swept", [False, True])
def test_after_the_negotiation_has_expired_it_is_too_late(coming: Coming, swept: bool):
    coming.later(60)
    if swept:
        coming.settle()
    with pytest.raises(NegotiationOver) as refused:
        coming.execute(handed_chat())
    assert not refused.value.forbidden
    assert not Chat.objects.exists()


def test_only_an_accepted_negotiation_of_the_same_peer_and_call_counts(coming: Coming, anna: User):
    other = make_transferor(name="C", uris="sip:c@c.example.org")
    for asked in ({"peer": other}, {"call_id": CALL_ID.upper()}, {"call_id": CALL_ID + " "}):
        with pytest.raises(NoNegotiation) as refused:
            coming.execute(handed_chat(), **asked)
        assert refused.value.forbidden
    offer = coming.ask(peer=other)
    with pytest.raises(NoNegotiation):
        coming.execute(handed_chat(), peer=other)
    decline_offer(transfer_id=offer.pk, call_taker=anna, reason="", now=coming.now)
    with pytest.raises(NoNegotiation):
        coming.execute(handed_chat(), peer=other)
    assert not Chat.objects.exists()


@pytest.mark.parametrize("handed", [None, handed_chat(app_uri="")])
def test_without_a_way_to_the_app_nothing_is_taken_over(coming: Coming, handed: Any):
    with pytest.raises(NoAppUri):
        coming.execute(handed)
    assert coming.state == "accepted"
    assert not Chat.objects.exists()
    coming.execute(handed_chat(), body=b"with Data")  # it may try again
    assert coming.state == "executing"


def test_without_data_a_chat_that_we_have_had_can_come_back(coming: Coming):
    known = open_chat("help", session="transferred", gone_to=FROM.upper(), **CALL)
    open_chat(
        session="transferred", gone_to="sip:c@c.example.org", **CALL | {"caller_uri": "sip:e"}
    )
    coming.execute(None)
    assert coming.chat == known
    assert coming.chat.target_uri == known.target_uri
    coming.holds()


@pytest.mark.parametrize("session", ["open", "redirecting", "transferring"])
def test_a_chat_that_was_opened_here_meanwhile_is_not_taken_over(coming: Coming, session: str):
    open_chat(session=session, **CALL)
    with pytest.raises(NegotiationOver, match="open here already"):
        coming.execute(handed_chat())
    assert coming.state == "accepted"


@pytest.mark.django_db(transaction=True)
def test_a_chat_that_is_opened_at_this_very_moment_is_not_doubled(monkeypatch):
    coming = Coming(auto_accept=True)
    coming.ask()
    look = arriving.known_chat

    def opened_after_a_look(*arguments: Any) -> Chat | None:
        found = look(*arguments)
        if found is None:
            with ThreadPoolExecutor(1) as pool:
                pool.submit(_open_elsewhere).result()
        return found

    monkeypatch.setattr(arriving, "known_chat", opened_after_a_look)
    with pytest.raises(NegotiationOver, match="open here already"):
        coming.execute(handed_chat())
    assert Chat.objects.count() == 1


def _open_elsewhere() -> None:
    open_chat(**CALL)
    connection.close()


@pytest.mark.django_db(transaction=True)
def test_while_somebody_holds_the_chat_nothing_is_decided(monkeypatch):
    coming = Coming(auto_accept=True)
    coming.ask()
    chat = open_chat(session="transferred", **CALL)
    monkeypatch.setattr(arriving, "LOCK_TIMEOUT", "100ms")

    def execute() -> None:
        try:
            coming.execute(handed_chat())
        finally:
            connection.close()

    with transaction.atomic():
        Chat.objects.select_for_update().get(pk=chat.pk)
        with ThreadPoolExecutor(1) as pool, pytest.raises(ChatBusy):
            pool.submit(execute).result()
    assert coming.state == "accepted"


def test_somebody_elses_chat_of_the_same_call_stays_theirs(coming: Coming):
    theirs = open_chat(caller_uri="sip:eve@example.org", **CALL)
    coming.execute(handed_chat())
    assert coming.chat != theirs
    assert coming.chat.linked_to == theirs


def test_callers_are_told_apart_as_the_gateway_does(coming: Coming):
    coming.execute(handed_chat(caller_uri="SIP:anna@EXAMPLE.org:5060;transport=tcp"))
    assert coming.chat.caller_uri == "sip:anna@example.org"


@pytest.mark.conformance("6.3.3-5")
def test_no_execution_is_worked_at_for_ever(coming: Coming):
    coming.execute(handed_chat(), expiry=10**12)
    assert coming.transfer.execution_expires_at == coming.now + timedelta(hours=1)


def test_a_message_id_that_leaves_us_none_is_refused(coming: Coming):
    with pytest.raises(ExecutionRefused, match="MessageId"):
        coming.execute(handed_chat(), last_msg_id=LARGEST_MESSAGE_ID + 1)
    assert coming.transfer.last_msg_id is None
    coming.execute(handed_chat(), last_msg_id=LARGEST_MESSAGE_ID)
    assert coming.start.msg_id == LARGEST_MESSAGE_ID + 1


def test_a_peer_that_was_deleted_has_no_negotiation(coming: Coming):
    peer = coming.peer
    Transfer.objects.update(peer=None)
    with pytest.raises(NoNegotiation):
        coming.execute(handed_chat(), peer=peer)


# A chat that comes back


def _give_away(coming: Coming, **values: Any) -> Chat:
    """Have had the chat before, and transferred it to the peer that hands it over now."""
    state = {"session": "transferred", "gone_to": FROM, "ringing_since": None, "next_msg_id": 5}
    chat = open_chat("help", "here", **CALL | state | values)
    append_event(chat_id=chat.pk, kind="chat-transferred", at=coming.now, actor="system", data={})
    return chat


def test_a_chat_that_comes_back_is_the_same_chat_opened_again(coming: Coming, anna: User):
    chat = _give_away(coming, disposition="redirected", closed_at=coming.now)
    append_event(
        chat_id=chat.pk, kind="chat-closed", at=coming.now, actor="calltaker:anna",
        data={"disposition": "redirected"},
    )  # fmt: skip
    coming.execute(handed_chat(app_uri="sip:anna@new.example.org"), last_msg_id=17)
    assert coming.chat == chat
    back = coming.chat
    assert (back.session, back.came_from, back.gone_to) == ("arriving", FROM, "")
    assert (back.disposition, back.closed_at, back.ended_at) == (None, None, None)
    assert (back.owner, back.next_msg_id) == (anna, 19)
    assert back.target_uri == "sip:anna@new.example.org"
    event = coming.event("session-reopened")
    assert event.data == {
        "cameFrom": FROM, "transfer": str(coming.transfer_id), "was": "transferred",
        "goneTo": FROM,
    }  # fmt: skip
    assert ChatEvent.objects.filter(chat=chat, kind="chat-opened").count() == 1
    coming.holds()


def test_msg_ids_of_ours_never_fall(coming: Coming):
    _give_away(coming, next_msg_id=50)
    coming.execute(handed_chat(), last_msg_id=17)
    assert coming.start.msg_id == 18  # as clause 6.2.6 says
    assert coming.chat.next_msg_id == 50


def test_an_uncertain_transfer_ends_when_its_chat_is_handed_over_anew(coming: Coming, anna: User):
    first = coming.execute(handed_chat())
    coming.answered(None, "sending")
    coming.settle(20)
    assert coming.state == "uncertain"
    assert coming.ask().state == "offered"
    coming.accept(anna)
    second = coming.execute(handed_chat(), body=b"second", last_msg_id=11)
    assert second != first
    assert Transfer.objects.get(pk=first).state == "released"
    assert Transfer.objects.get(pk=first).due_at is None
    assert coming.chat == Transfer.objects.get(pk=first).chat
    coming.answered(200)
    coming.settle()
    assert (coming.state, coming.chat.session) == ("done", "open")
    coming.holds()


def test_the_body_is_not_kept_but_its_digest(coming: Coming):
    coming.execute(handed_chat())
    transfer = coming.transfer
    assert transfer.execution is None
    assert bytes(transfer.execution_sha256) == hashlib.sha256(b"body").digest()


def test_the_signature_takes_what_the_interface_has(coming: Coming):
    taken = receive_execution(
        peer=coming.peer,
        call_id=CALL_ID,
        last_msg_id=1,
        expiry=10,
        body_sha256=b"x" * 32,
        chat=handed_chat(),
        now=coming.now,
    )
    assert taken == coming.transfer_id
