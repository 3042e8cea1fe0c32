"""Telling a peer whom the app follows, and what it answers; peers without such notices."""

from collections.abc import Iterator

import pytest
from django.utils import timezone

from chats.models import Transfer
from tests.support.asked import PROBLEM, asked, hang_up, in_turn, says
from tests.support.chats import make_user
from tests.support.https import Answer, respond
from tests.support.instance import wait_until
from tests.support.leaving import Leaving

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def leaving() -> Iterator[Leaving]:
    """A chat that is ours again although the peer may have it; the app follows us."""
    left = Leaving(make_user("anna"))
    left.now = timezone.now()
    left.asking()
    with asked(left, says({"StatusCode": 503})) as peer:
        peer.call_until("failed")
    left.acknowledge(left.stop_message())
    left.acknowledge(left.start_message())
    left.now = timezone.now()
    left.sweep()
    assert left.transfer.call_due_at is not None
    yield left


def called(leaving: Leaving, answer: Answer) -> list[dict[str, object]]:
    """Let the worker tell the peer until it has nothing more to tell; returns what it said."""
    with asked(leaving, answer) as peer:
        return peer.call_until_said("/transfer/v1/custody")


def test_the_peer_is_told_by_which_265_the_app_follows_us(leaving: Leaving):
    told = leaving.transfer.custody_msg_id
    assert told == leaving.start_message().msg_id
    said = called(leaving, says({"StatusCode": 200, "MessageId": told}))
    assert said == [{"CallId": leaving.chat.call_id, "MessageId": told}]
    assert leaving.kinds()[-1] == "custody-settled"
    assert leaving.chat.session == "open"
    leaving.holds()


def test_a_later_word_of_the_app_to_the_peer_makes_us_let_go(leaving: Leaving):
    Transfer.objects.update(custody_msg_id=None)  # as where our 265 has failed: a question
    asked_with = leaving.transfer.last_msg_id or 0
    called(leaving, says({"StatusCode": 409, "MessageId": asked_with + 1}))
    assert (leaving.state, leaving.chat.session) == ("done", "transferred")
    leaving.holds()


def test_no_number_of_a_peer_takes_a_chat_whose_app_has_answered_us(leaving: Leaving):
    told = leaving.transfer.custody_msg_id or 0
    called(leaving, says({"StatusCode": 409, "MessageId": told + 1}))
    assert (leaving.state, leaving.chat.session) == ("failed", "open")


def test_a_peer_that_does_not_know_yet_is_told_again(leaving: Leaving):
    told = leaving.transfer.custody_msg_id
    answers = in_turn(
        hang_up,
        says({"StatusCode": 202, "MessageId": 3}),
        says({"StatusCode": 200, "MessageId": told}),
    )
    assert len(called(leaving, answers)) == 3


@pytest.mark.parametrize("status", [404, 405, 501])
def test_a_peer_that_knows_no_notices_gets_no_more(leaving: Leaving, status: int):
    answer = says({"title": "No"}, status, **PROBLEM)
    assert len(called(leaving, answer)) == 1
    assert leaving.chat.session == "open"


@pytest.mark.parametrize(
    "answer",
    [
        says({"CallId": "another", "StatusCode": 409, "MessageId": 4711}),
        says({"StatusCode": "409", "MessageId": 4711}),
        says({"StatusCode": 409}),
        says(b"no json"),
        respond(302, location="https://127.0.0.1:1/"),
        respond(500, b"-"),
    ],
)
def test_what_is_no_answer_settles_nothing(leaving: Leaving, answer: Answer):
    with asked(leaving, answer) as peer:
        peer.caller.look()
        wait_until(lambda: peer.server.requests and not peer.caller.running, 5, "told")
        due_at = Transfer.objects.values_list("call_due_at", flat=True).get()
        assert due_at is not None
        assert due_at > timezone.now()
    assert (leaving.state, leaving.chat.session) == ("failed", "open")
