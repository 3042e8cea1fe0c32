"""Asking for a transfer: what is written, what stands in its way, and how it ends by itself."""

from datetime import timedelta
from typing import Any

import pytest

from chats.models import Chat, Message, Transfer
from chats.services.close_chat import close_chat
from chats.services.errors import (
    ChatError,
    ChatTooLarge,
    ChatUnknown,
    ClientEndsSession,
    NoAgreement,
    NoTransfer,
    NoTransfers,
    NotYourChat,
    PeerUnknown,
    SessionNotOpen,
    TextTooLong,
    TransferUnderWay,
)
from chats.services.redirect_chat import redirect_chat
from chats.services.send_text import send_text
from chats.services.texts import text_digest
from chats.services.transfers.call_off import call_off
from chats.services.transfers.negotiated import record_refused, record_unanswered
from psap.models import LimitedClient, User
from tests.support.leaving import TARGET, Leaving, make_peer

pytestmark = pytest.mark.django_db


@pytest.fixture
def leaving(anna: User) -> Leaving:
    return Leaving(anna, user_agent="Example JsSIP/3.7")


def test_a_request_is_on_the_record_before_anybody_is_asked(leaving: Leaving, anna: User):
    transfer = leaving.request()
    assert (transfer.side, transfer.state, transfer.requested_by) == ("out", "negotiating", anna)
    assert transfer.call_id == leaving.chat.call_id
    assert (transfer.transfer_from, transfer.transfer_to) == ("sip:psap@example.org", TARGET)
    assert transfer.call_due_at == leaving.now
    assert transfer.due_at == leaving.now + timedelta(seconds=50)
    assert leaving.chat.session == "open"
    event = leaving.event("transfer-requested")
    assert event.actor == "calltaker:anna"
    assert event.data == {
        "transfer": str(transfer.pk),
        "peer": "B",
        "target": TARGET,
        "reasonSha256": text_digest("sea rescue"),
    }
    leaving.holds()


@pytest.mark.parametrize(
    ("change", "peer", "error"),
    [
        ({"session": "stopped"}, {}, SessionNotOpen),
        ({"session": "arriving"}, {}, SessionNotOpen),
        ({"disposition": "resolved"}, {}, SessionNotOpen),
        ({"call_id": ""}, {}, SessionNotOpen),
        ({"alert": True}, {}, SessionNotOpen),
        ({"dialect": "dec112"}, {}, ClientEndsSession),
        ({"owner": None}, {}, NotYourChat),
        ({}, {"agreement": False}, NoAgreement),
        ({}, {"url": ""}, NoTransfers),
        ({}, {"uris": ""}, PeerUnknown),
    ],
)
def test_what_stands_in_the_way_is_said_and_nothing_is_written(
    leaving: Leaving, change: dict[str, Any], peer: dict[str, Any], error: type[ChatError]
):
    Chat.objects.update(**change)
    other = make_peer(name="C", **peer)
    with pytest.raises(error):
        leaving.request(peer_id=other.pk, override=True)
    assert not Transfer.objects.exists()


def test_an_unknown_peer_chat_or_a_text_too_long_is_refused(leaving: Leaving):
    with pytest.raises(PeerUnknown):
        leaving.request(peer_id=0)
    with pytest.raises(ChatUnknown):
        leaving.request(chat_id=0)
    for field in ("text", "reason"):
        with pytest.raises(TextTooLong):
            leaving.request(**{field: "x" * 10_001})


def test_only_who_has_the_chat_and_the_operator_transfer_it(leaving: Leaving, berta: User):
    with pytest.raises(NotYourChat):
        leaving.request(call_taker=berta)
    leaving.request(call_taker=None)
    assert leaving.event("transfer-requested").actor == "operator"
    for refused in (call_off,):
        with pytest.raises(NotYourChat):
            refused(chat_id=leaving.chat_id, call_taker=berta, now=leaving.now)


def test_a_client_known_to_end_its_session_needs_an_override(leaving: Leaving):
    LimitedClient.objects.create(user_agent="jssip", ends_on_redirect=False)
    with pytest.raises(ClientEndsSession):
        leaving.request()
    assert leaving.request(override=True).override
    assert leaving.event("transfer-requested").data["override"] is True


def test_an_override_where_none_is_needed_is_not_recorded(leaving: Leaving):
    LimitedClient.objects.create(user_agent="jssip", ends_on_transfer=False)
    assert not leaving.request(override=True).override
    assert "override" not in leaving.event("transfer-requested").data


def test_a_chat_has_one_way_out_at_a_time(leaving: Leaving, anna: User):
    leaving.request()
    with pytest.raises(TransferUnderWay):
        leaving.request()
    with pytest.raises(TransferUnderWay):
        redirect_chat(
            chat_id=leaving.chat_id,
            call_taker=anna,
            peer_id=leaving.peer.pk,
            text="",
            override=False,
            now=leaving.now,
        )
    call_off(chat_id=leaving.chat_id, call_taker=anna, now=leaving.now)
    redirect_chat(
        chat_id=leaving.chat_id,
        call_taker=anna,
        peer_id=leaving.peer.pk,
        text="",
        override=False,
        now=leaving.now,
    )
    with pytest.raises(SessionNotOpen):
        leaving.request()


def test_while_the_peer_is_asked_the_call_taker_writes_on(leaving: Leaving, anna: User):
    leaving.request(at_once=False)
    leaving.agree()
    send_text(chat_id=leaving.chat_id, call_taker=anna, text="Wait.", now=leaving.now)
    assert leaving.state == "accepted"
    assert leaving.chat.session == "open"


def test_a_202_starts_the_countdown_by_our_clock(leaving: Leaving):
    leaving.request(at_once=False)
    leaving.later(3)
    leaving.agree(expiry=40)
    transfer = leaving.transfer
    assert (transfer.state, transfer.expiry) == ("accepted", 40)
    assert transfer.expires_at == transfer.due_at == leaving.now + timedelta(seconds=40)
    assert transfer.call_due_at is None
    assert leaving.event("transfer-accepted").data["expiryTime"] == 40
    leaving.later(39)
    assert leaving.sweep() == 0
    leaving.later(1)
    assert leaving.sweep() == 1
    assert (leaving.state, leaving.chat.session) == ("expired", "open")
    assert leaving.kinds()[-1] == "transfer-expired"
    assert leaving.ours(266) == []
    with pytest.raises(NoTransfer):
        leaving.hand_over()


def test_a_406_says_why_and_leaves_the_chat_alone(leaving: Leaving):
    leaving.request()
    record_refused(
        transfer_id=leaving.transfer_id, cause="no\0 room", http_status=200, now=leaving.now
    )
    assert (leaving.state, leaving.transfer.cause) == ("declined", "no␀ room")
    assert leaving.transfer.ended_at == leaving.now
    assert leaving.event("transfer-declined").data == {
        "transfer": str(leaving.transfer_id),
        "causeSha256": text_digest("no␀ room"),
    }
    assert (leaving.chat.session, leaving.chat.owner) == ("open", leaving.owner)
    leaving.request()


def test_no_answer_is_asked_for_again_and_then_it_has_failed(leaving: Leaving):
    leaving.request()
    retry_at = leaving.now + timedelta(seconds=1)
    arguments: dict[str, Any] = {
        "transfer_id": leaving.transfer_id, "cause": "refused", "http_status": None,
        "now": leaving.now,
    }  # fmt: skip
    assert len(leaving.claim()) == 1
    record_unanswered(**arguments, retry_at=retry_at)
    assert leaving.claim() == []
    leaving.later(1)
    [call] = leaving.claim()
    assert (call.kind, call.attempts) == ("negotiation", 2)
    assert call.give_up_at == leaving.transfer.requested_at + timedelta(seconds=45)
    record_unanswered(**arguments, retry_at=None)
    assert (leaving.state, leaving.chat.session) == ("failed", "open")
    assert leaving.event("transfer-failed").data["cause"] == "refused"
    assert "session-reopened" not in leaving.kinds()
    assert leaving.claim() == []


def test_a_worker_that_never_comes_back_ends_it_after_the_answer_time(leaving: Leaving):
    leaving.request()
    leaving.later(49)
    assert leaving.sweep() == 0
    leaving.later(1)
    assert leaving.sweep() == 1
    assert leaving.state == "failed"
    leaving.agree()  # too late
    assert (leaving.state, leaving.chat.session) == ("failed", "open")


def test_an_answer_after_the_call_taker_has_called_off_changes_nothing(
    leaving: Leaving, anna: User
):
    leaving.request()
    leaving.claim()
    call_off(chat_id=leaving.chat_id, call_taker=anna, now=leaving.now)
    assert leaving.state == "cancelled"
    leaving.agree()
    assert (leaving.state, leaving.chat.session) == ("cancelled", "open")
    assert leaving.ours(266) == []
    with pytest.raises(NoTransfer):
        call_off(chat_id=leaving.chat_id, call_taker=anna, now=leaving.now)
    leaving.holds()


@pytest.mark.parametrize("at_once", [True, False])
def test_closing_the_chat_calls_its_negotiation_off(leaving: Leaving, anna: User, at_once: bool):
    leaving.request(at_once=at_once)
    if not at_once:
        leaving.agree()
    close_chat(
        chat_id=leaving.chat_id, call_taker=anna, disposition="resolved", text="", now=leaving.now
    )
    assert leaving.state == "cancelled"
    leaving.agree()
    assert (leaving.state, leaving.chat.session) == ("cancelled", "stopped")
    leaving.holds()


def test_an_app_that_stops_ends_the_negotiation(leaving: Leaving):
    leaving.request()
    leaving.app_stops()
    assert leaving.sweep() == 1
    assert (leaving.state, leaving.chat.session) == ("cancelled", "stopped")


def test_an_app_that_has_stopped_is_not_told_to_wait_when_the_peer_agrees(leaving: Leaving):
    leaving.request()
    leaving.app_stops()
    leaving.agree()
    assert (leaving.state, leaving.chat.session) == ("cancelled", "stopped")
    assert leaving.ours(266) == []


def test_a_chat_that_no_peer_would_take_is_refused_before_anybody_is_asked(leaving: Leaving):
    """Red without the estimate: the app is told to wait, and then the peer answers 413."""
    texts = Message.objects.filter(chat=leaving.chat, type=257, direction="out")
    texts.update(text='"' * (5 * 1024 * 1024))  # each of two bytes in JSON
    leaving.request()
    call_off(chat_id=leaving.chat_id, call_taker=leaving.owner, now=leaving.now)
    texts.update(text='"' * (10 * 1024 * 1024))
    with pytest.raises(ChatTooLarge):
        leaving.request()
    assert Transfer.objects.count() == 1
    assert leaving.chat.session == "open"
