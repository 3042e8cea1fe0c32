"""What is called off rings no more at the other control room: one tells it, the other hears."""

from datetime import timedelta
from typing import Any

import pytest

from chats import rows, selectors, wire
from chats.models import Transfer
from chats.services.errors import NoTransfer
from chats.services.transfers.arriving import NegotiationOver
from chats.services.transfers.call_off import call_off
from chats.services.transfers.offers import NegotiationAnswer
from chats.services.transfers.withdrawing import (
    call_id_to_withdraw,
    record_withdrawal,
    withdraw_offer,
)
from psap.models import User
from tests.support.coming import CALL_ID, Coming, handed_chat, make_transferor
from tests.support.leaving import Leaving

pytestmark = pytest.mark.django_db


@pytest.fixture
def leaving(anna: User) -> Leaving:
    return Leaving(anna)


@pytest.fixture
def coming(db: None) -> Coming:
    made = Coming()
    made.ask()
    return made


def withdraw(coming: Coming, **values: Any) -> bool:
    asked = {"peer": coming.peer, "call_id": CALL_ID, "now": coming.now}
    return withdraw_offer(**asked | values)


def calls(leaving: Leaving) -> list[tuple[str, int]]:
    return [(call.kind, call.attempts) for call in leaving.claim()]


# the transferor


def called_off(leaving: Leaving) -> None:
    call_off(chat_id=leaving.chat_id, call_taker=leaving.owner, now=leaving.now)


@pytest.mark.parametrize("until", ["negotiating", "accepted", "stalling"])
def test_the_peer_is_told_at_once_that_we_have_called_off(leaving: Leaving, until: str):
    leaving.request(at_once=until == "stalling")
    leaving.claim()
    if until != "negotiating":
        leaving.agree()
    assert leaving.state == until
    called_off(leaving)
    assert leaving.state == "cancelled"
    assert calls(leaving) == [("withdrawal", 1)]
    assert call_id_to_withdraw(transfer_id=leaving.transfer_id) == leaving.chat.call_id
    record_withdrawal(transfer_id=leaving.transfer_id, retry_at=leaving.now + timedelta(seconds=1))
    assert calls(leaving) == []
    leaving.later(1)
    assert calls(leaving) == [("withdrawal", 2)]
    record_withdrawal(transfer_id=leaving.transfer_id, retry_at=None)
    leaving.later(100)
    assert calls(leaving) == []
    assert call_id_to_withdraw(transfer_id=leaving.transfer_id) is None
    assert leaving.state == "cancelled"
    leaving.holds()


def test_it_is_told_no_more_once_the_peer_is_asked_anew(leaving: Leaving):
    """Red when it goes out late: it would end the new offer."""
    leaving.request()
    called_off(leaving)
    first = leaving.transfer_id
    leaving.request()
    assert call_id_to_withdraw(transfer_id=first) is None
    assert calls(leaving) == [("negotiation", 1)]
    record_withdrawal(transfer_id=first, retry_at=None)
    assert leaving.state == "negotiating"


def test_what_has_been_handed_over_is_not_withdrawn(leaving: Leaving):
    leaving.executing()
    record_withdrawal(transfer_id=leaving.transfer_id, retry_at=None)
    assert leaving.transfer.call_due_at is not None
    assert call_id_to_withdraw(transfer_id=leaving.transfer_id) is None


# the transferee


def test_an_offer_that_rings_ends_and_the_screens_are_told_why(coming: Coming):
    assert withdraw(coming)
    assert coming.state == "cancelled"
    assert coming.answer() == NegotiationAnswer(406, 10, "It was called off by A.")
    shown = wire.offers(
        [rows.TransferRow(*row) for row in selectors._fetch(rows.OFFERS, [[coming.transfer_id]])]
    )
    assert shown["offers"] == []
    (ended,) = shown["ended"]
    assert (ended["state"], ended["cause"]) == ("cancelled", "It was called off by A.")
    assert withdraw(coming)  # its repetition


def test_an_accepted_offer_ends_and_frees_its_slot(coming: Coming, anna: User):
    coming.accept(anna)
    assert withdraw(coming)
    assert (coming.state, coming.transfer.due_at) == ("cancelled", None)
    assert coming.answer() == NegotiationAnswer(406, 10, "It was called off by A.")
    with pytest.raises(NegotiationOver):
        coming.execute(handed_chat())
    assert coming.settle(100) == 0
    assert coming.ask().state == "offered"  # a new question is a new offer


@pytest.mark.parametrize("followed", [False, True])
def test_what_has_been_executed_is_not_withdrawn(coming: Coming, anna: User, followed: bool):
    coming.accept(anna)
    coming.execute(handed_chat())
    if followed:
        coming.answered(200)
        coming.settle()
    before = (coming.state, coming.chat.session)
    assert not withdraw(coming)
    assert (coming.state, coming.chat.session) == before


def test_another_peer_withdraws_nothing(coming: Coming):
    other = make_transferor(name="C", uris="sip:c@c.example.org")
    with pytest.raises(NoTransfer):
        withdraw(coming, peer=other)
    assert coming.state == "offered"


@pytest.mark.parametrize("call_id", ["never:seen", "urn:\0\ud800"])
def test_what_was_never_asked_is_not_withdrawn(coming: Coming, call_id: str):
    with pytest.raises(NoTransfer):
        withdraw(coming, call_id=call_id)
    assert Transfer.objects.get().state == "offered"
