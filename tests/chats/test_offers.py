"""Offers of peers: what rings, what is answered at once, and who answers (clause 6.3.2)."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from chats.models import Chat, Transfer
from chats.services.errors import ChatError, TextTooLong
from chats.services.transfers.offers import (
    CHECK_CALL_ID,
    LONGEST_REASON,
    MOST_RINGING,
    NegotiationAnswer,
    OfferGone,
    answer_of,
    decline_offer,
    make_offer,
)
from psap.models import User
from tests.support.chats import make_user, open_chat
from tests.support.coming import CALL_ID, FROM, OWN, Coming, handed_chat, make_transferor

pytestmark = pytest.mark.django_db


@pytest.fixture
def coming(db: None) -> Coming:
    return Coming(offer_time=30, expiry_time=60)


def test_a_negotiation_rings_until_it_is_answered_or_its_time_is_over(coming: Coming):
    offer = coming.ask(reason="Der Anrufer ist in Wien.")
    assert (offer.side, offer.state, offer.peer_name, offer.chat) == ("in", "offered", "A", None)
    assert (offer.call_id, offer.transfer_from, offer.transfer_to) == (CALL_ID, FROM, OWN)
    assert offer.reason == "Der Anrufer ist in Wien."
    assert offer.due_at == coming.now + timedelta(seconds=30)
    assert coming.answer() is None
    assert coming.settle(29) == 0
    assert coming.settle(1) == 1
    assert coming.state == "expired"
    assert coming.answer() == NegotiationAnswer(406, 10, "Nobody has answered in time.")


def test_a_peer_that_offers_without_end_drowns_nobody_else(coming: Coming):
    other = make_transferor(name="C", uris="sip:c@c.example.org")
    for number in range(MOST_RINGING):
        assert coming.ask(call_id=f"{CALL_ID}{number}").state == "offered"
    flood = [coming.ask(call_id=f"{CALL_ID}more{number}") for number in range(3)]
    told = NegotiationAnswer(406, 10, "Too many of your offers ring here already.")
    assert [answer_of(offer, coming.now) for offer in flood] == [told] * 3
    assert Transfer.objects.count() == MOST_RINGING
    again = coming.ask(call_id=f"{CALL_ID}0")  # what rings goes on ringing
    assert (again.state, answer_of(again, coming.now)) == ("offered", None)
    assert coming.ask(peer=other, transfer_from="sip:c@c.example.org").state == "offered"
    coming.later(31)
    assert coming.ask(call_id=f"{CALL_ID}later").state == "offered"


@pytest.mark.parametrize("tail", ["\n", ">;purpose=x, <urn:x", "\x7f"])
def test_a_call_id_that_would_leave_its_place_in_our_265_is_declined(coming: Coming, tail: str):
    offer = coming.ask(call_id=CALL_ID + tail)
    assert (offer.state, offer.cause) == ("declined", "That is no call identifier.")


def test_nobody_can_accept_what_the_peer_may_have_been_told_is_over(coming: Coming, anna: User):
    coming.ask()
    coming.later(30)  # and the gateway, which sweeps, is down
    assert coming.answer().status_code == 406
    with pytest.raises(OfferGone):
        coming.accept(anna)


def test_who_accepts_is_who_gets_it_for_as_long_as_the_expiry_time(coming: Coming, anna: User):
    coming.ask()
    coming.later(5)
    coming.accept(anna)
    transfer = coming.transfer
    assert (transfer.state, transfer.answered_by, transfer.automatic) == ("accepted", anna, False)
    assert (transfer.answered_at, transfer.expiry) == (coming.now, 60)
    assert transfer.expires_at == transfer.due_at == coming.now + timedelta(seconds=60)
    assert coming.answer() == NegotiationAnswer(202, 60, "")
    assert coming.settle(60) == 1
    assert (coming.state, coming.transfer.cause) == ("expired", "It was not executed in time.")
    assert coming.answer().status_code == 406


@pytest.mark.django_db(transaction=True)
def test_of_twenty_who_accept_at_once_one_gets_it():
    coming = Coming()
    coming.ask()
    takers = [make_user(f"taker{number}") for number in range(20)]

    def accept(taker: User) -> str:
        try:
            return coming.accept(taker).answered_by.username
        except OfferGone as gone:
            return gone.code
        finally:
            connection.close()

    with ThreadPoolExecutor(20) as pool:
        told = sorted(pool.map(accept, takers))
    assert told == sorted(["offer-gone"] * 19 + [coming.transfer.answered_by.username])


@pytest.mark.parametrize(
    ("given", "told"),
    [("Wir haben niemanden, der Ungarisch kann.", None), (" ", "The call-taker has declined.")],
)
def test_the_peer_is_told_why_it_was_declined(coming: Coming, anna: User, given: str, told: str):
    offer = coming.ask()
    decline_offer(transfer_id=offer.pk, call_taker=anna, reason=given, now=coming.now)
    transfer = coming.transfer
    assert (transfer.state, transfer.answered_by) == ("declined", anna)
    assert (transfer.ended_at, transfer.due_at) == (coming.now, None)
    assert coming.answer() == NegotiationAnswer(406, 10, told or given)
    with pytest.raises(OfferGone):
        coming.accept(anna)


def test_a_reason_that_is_no_text_any_more_declines_nothing(coming: Coming, anna: User):
    offer = coming.ask()
    with pytest.raises(TextTooLong):
        decline_offer(transfer_id=offer.pk, call_taker=anna, reason="x" * 10_001, now=coming.now)
    assert coming.state == "offered"


def test_a_repeated_negotiation_is_the_same_offer(coming: Coming, anna: User):
    offer = coming.ask()
    coming.later(10)
    assert coming.ask().pk == offer.pk
    assert coming.transfer.due_at == offer.due_at
    coming.accept(anna)
    coming.later(20)
    assert coming.ask().pk == offer.pk
    assert coming.answer() == NegotiationAnswer(202, 40, "")
    assert Transfer.objects.count() == 1


@pytest.mark.conformance("6.3.2-3")
def test_nobody_is_told_less_than_the_schema_allows(coming: Coming, anna: User):
    coming.ask()
    coming.accept(anna)
    coming.later(58)  # whoever waits for the answer has been busy
    assert coming.answer() == NegotiationAnswer(202, 10, "")


def test_who_is_told_ten_seconds_has_them(coming: Coming, anna: User):
    coming.ask()
    coming.accept(anna)
    coming.later(57)
    coming.ask()
    assert coming.answer() == NegotiationAnswer(202, 10, "")
    coming.later(9)
    assert coming.settle() == 0
    assert coming.execute(handed_chat()) == coming.transfer_id


@pytest.mark.django_db(transaction=True)
def test_twenty_equal_negotiations_at_once_are_one_offer():
    coming = Coming()

    def ask(_number: int) -> int:
        try:
            asked = {"call_id": CALL_ID, "transfer_from": FROM, "transfer_to": OWN, "reason": ""}
            return make_offer(peer=coming.peer, now=coming.now, **asked).pk
        finally:
            connection.close()

    with ThreadPoolExecutor(20) as pool:
        assert len(set(pool.map(ask, range(20)))) == 1
    assert Transfer.objects.count() == 1


@pytest.mark.parametrize("accepted", [False, True])
def test_who_asks_in_other_words_asks_anew(coming: Coming, anna: User, accepted: bool):
    first = coming.ask()
    if accepted:
        coming.accept(anna)
    second = coming.ask(reason="It has become urgent.")
    assert second.pk != first.pk
    first.refresh_from_db()
    assert (first.state, first.due_at) == ("expired", None)
    assert answer_of(first, coming.now).status_code == 406
    assert coming.state == "offered"


def test_after_the_end_of_an_attempt_the_same_words_are_a_new_one(coming: Coming, anna: User):
    declined = coming.ask()
    decline_offer(transfer_id=declined.pk, call_taker=anna, reason="", now=coming.now)
    expired = coming.ask()
    coming.later(31)  # not swept yet
    again = coming.ask()
    assert len({declined.pk, expired.pk, again.pk}) == 3
    assert coming.state == "offered"
    expired.refresh_from_db()
    assert expired.state == "expired"


def test_two_peers_may_offer_the_same_call(coming: Coming):
    first = coming.ask()
    other = make_transferor(name="C", uris="sip:c@c.example.org")
    second = coming.ask(peer=other, transfer_from="sip:c@c.example.org")
    assert {first.state, second.state} == {"offered"}
    assert first.pk != second.pk


@pytest.mark.parametrize(
    "written", ["SIP:psap@EXAMPLE.org", "sips:psap@example.org:5061", "<sip:psap@example.org;a=b>"]
)
def test_our_address_may_be_written_in_several_ways(coming: Coming, written: str):
    assert coming.ask(transfer_to=written).state == "offered"


@pytest.mark.conformance("6.3.2-4")
@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"transfer_to": "sip:other@example.org"}, "TransferTo is none of our addresses."),
        ({"transfer_to": ""}, "TransferTo is none of our addresses."),
        ({"call_id": "  "}, "That is no call identifier."),
        ({"call_id": "urn:emergency:uid:callid:" + "x" * 2000}, "That is no call identifier."),
    ],
)
def test_what_cannot_be_is_declined_at_once(coming: Coming, asked: dict[str, str], why: str):
    offer = coming.ask(**asked)
    assert (offer.state, offer.due_at) == ("declined", None)
    assert answer_of(offer, coming.now) == NegotiationAnswer(406, 10, why)


def test_without_an_agreement_it_is_declined(coming: Coming):
    coming.peer.agreement = False
    assert coming.ask().cause == "There is no agreement."


@pytest.mark.parametrize("session", ["open", "redirecting", "transferring"])
def test_a_call_that_is_open_here_is_declined(coming: Coming, session: str):
    open_chat(unique_part="comingcall", session=session)
    assert coming.ask().cause == "This chat is open here already."


@pytest.mark.parametrize("session", ["stopped", "redirected", "transferred", "arriving"])
def test_a_call_that_has_left_us_or_never_came_may_be_offered(coming: Coming, session: str):
    open_chat(unique_part="comingcall", session=session)
    assert coming.ask().state == "offered"


def test_the_same_unique_part_of_another_element_is_another_call(coming: Coming):
    open_chat(unique_part="comingcall", element="other.example.org")
    assert coming.ask().state == "offered"


def test_a_chat_that_arrives_is_here_for_everybody_else(coming: Coming, anna: User):
    coming.ask()
    coming.accept(anna)
    coming.execute(handed_chat())
    assert coming.ask().state == "executing"  # the same question again
    assert coming.answer().status_code == 202
    assert coming.ask(reason="other").cause == "This chat is open here already."
    other = make_transferor(name="C", uris="sip:c@c.example.org")
    assert coming.ask(peer=other).cause == "This chat is open here already."


def test_a_check_never_rings_and_leaves_nothing(coming: Coming):
    coming.peer.auto_accept = True
    offer = coming.ask(call_id=CHECK_CALL_ID + "1f2e")
    assert answer_of(offer, coming.now).status_code == 406
    assert not Transfer.objects.exists()


@pytest.mark.parametrize(
    "hostile", ["a\0b", "\ud800", "\udfff\ud800", "‮‏", "x" * 100_000, "é\0" * 50_000]
)
def test_whatever_a_peer_writes_can_be_stored_and_told_apart(coming: Coming, hostile: str):
    offer = coming.ask(reason=hostile, transfer_from=hostile, call_id=CALL_ID + hostile)
    assert len(coming.transfer.reason) <= LONGEST_REASON
    assert "\0" not in coming.transfer.reason + coming.transfer.call_id
    again = coming.ask(reason=hostile, transfer_from=hostile, call_id=CALL_ID + hostile)
    assert (again.pk == offer.pk) == (offer.state == "offered")
    coming.ask(reason=hostile, transfer_to=hostile)
    assert coming.state == "declined"


def test_call_ids_that_are_too_long_are_told_apart_all_the_same(coming: Coming):
    first = coming.ask(call_id="x" * 3000)
    assert coming.ask(call_id="x" * 3001).call_id != first.call_id


def test_the_peers_rule_accepts_while_few_chats_wait(coming: Coming, anna: User):
    coming.peer.auto_accept, coming.peer.auto_accept_limit = True, 3
    open_chat("help")
    first = coming.ask()
    assert (first.state, first.automatic, first.answered_by) == ("accepted", True, None)
    assert answer_of(first, coming.now) == NegotiationAnswer(202, 60, "")
    coming.execute(handed_chat())  # it does not ring yet, but will
    assert coming.ask(call_id=CALL_ID + "2").state == "accepted"
    assert coming.ask(call_id=CALL_ID + "3").state == "offered"  # four would wait
    coming.accept(anna)
    assert coming.ask(call_id=CALL_ID + "4").state == "offered"
    coming.execute(handed_chat(), call_id=CALL_ID + "3")
    # What anna has accepted is hers now and waits no more.
    coming.peer.auto_accept_limit = 4
    assert coming.ask(call_id=CALL_ID + "5").state == "accepted"


def test_no_peer_takes_the_slots_of_another_whatever_it_does_with_its_own(coming: Coming):
    """Red when all that waits counts for everybody: one peer's flood ended the others' rule."""
    rule = {"auto_accept": True, "auto_accept_limit": 3}
    other = make_transferor(name="C", uris="sip:c@c.example.org", **rule)
    theirs = {"peer": other, "transfer_from": "sip:c@c.example.org"}
    coming.peer.auto_accept, coming.peer.auto_accept_limit = True, 3

    def one_of_each(number: int) -> tuple[str, str]:
        offer = coming.ask(call_id=f"{CALL_ID}{number}")
        return offer.state, coming.ask(call_id=f"{CALL_ID}c{number}", **theirs).state

    for number in range(3):
        assert coming.ask(call_id=f"{CALL_ID}{number}").state == "accepted"
    assert one_of_each(3) == ("offered", "accepted")
    for number in range(3):  # it rings once the app has followed
        coming.ask(call_id=f"{CALL_ID}{number}")
        coming.execute(handed_chat(), call_id=f"{CALL_ID}{number}", body=b"%d" % number)
        coming.answered(200)
    coming.settle()
    assert Chat.objects.filter(ringing_since__isnull=False).count() == 3
    assert one_of_each(4) == ("offered", "accepted")
    open_chat("help")  # the callers' own count for both
    assert one_of_each(5) == ("offered", "offered")


def test_what_arrives_without_its_app_keeps_its_slot_until_it_is_closed(coming: Coming):
    """Red when a slot is free again at the expiry: a peer could pile such chats up on our desks."""
    coming.peer.auto_accept, coming.peer.auto_accept_limit = True, 1
    coming.ask()
    coming.execute(handed_chat())
    coming.answered(None, "sending")
    coming.settle(21)
    assert coming.state == "uncertain"
    closed = coming.chat.pk
    assert coming.ask(call_id=CALL_ID + "2").state == "offered"
    Chat.objects.filter(pk=closed).update(disposition="resolved")
    assert coming.ask(call_id=CALL_ID + "3").state == "accepted"


def test_a_peer_whose_chats_never_come_has_its_offers_ring_for_a_while(coming: Coming):
    """Red when a refusal frees the slot: as fast as it asks, each time with a whole history."""
    coming.peer.auto_accept, coming.peer.auto_accept_limit = True, 2
    for number in range(2):
        assert coming.ask(call_id=f"{CALL_ID}{number}").state == "accepted"
        coming.execute(handed_chat(), call_id=f"{CALL_ID}{number}", body=b"%d" % number)
        coming.answered(488, "failed")
        coming.settle()
        assert coming.state == "failed"
    assert coming.ask(call_id=CALL_ID + "x").state == "offered"
    coming.later(600)
    assert coming.ask(call_id=CALL_ID + "y").state == "accepted"


@pytest.mark.django_db(transaction=True)
def test_of_twelve_offers_at_once_no_more_are_accepted_than_there_are_slots():
    coming = Coming(auto_accept=True, auto_accept_limit=3)
    together = threading.Barrier(12)

    def ask(number: int) -> str:
        try:
            together.wait(10)
            asked: dict[str, Any] = {"transfer_from": FROM, "transfer_to": OWN, "reason": ""}
            return make_offer(
                peer=coming.peer, call_id=f"{CALL_ID}{number}", now=coming.now, **asked
            ).state
        finally:
            connection.close()

    with ThreadPoolExecutor(12) as pool:
        states = sorted(pool.map(ask, range(12)))
    assert states == ["accepted"] * 3 + ["offered"] * 9


def test_an_offer_that_is_none_can_be_neither_accepted_nor_declined(coming: Coming, anna: User):
    for transfer_id in (0, 2**62):
        coming.transfer_id = transfer_id
        with pytest.raises(ChatError, match="answered already"):
            coming.accept(anna)
        with pytest.raises(OfferGone):
            decline_offer(transfer_id=transfer_id, call_taker=anna, reason="", now=coming.now)
