"""Telling a peer that a transfer is called off: soon, seldom, and without waiting for it."""

import json
import socket

import pytest
from django.utils import timezone

from chats.services.transfers.call_off import call_off
from tests.support.asked import PROBLEM, asked, hang_up, in_turn, leave, says, silence
from tests.support.https import Answer, HttpRequest, HttpServer, respond
from tests.support.instance import wait_until
from tests.support.leaving import Leaving

pytestmark = pytest.mark.django_db(transaction=True)
HEARD = says({"StatusCode": 200})


@pytest.fixture
def leaving() -> Leaving:
    """A chat whose transfer is called off before the peer was asked."""
    left = leave()
    left.request()
    call_off(chat_id=left.chat_id, call_taker=left.owner, now=timezone.now())
    return left


def told(leaving: Leaving, answer: Answer) -> list[dict[str, object]]:
    """Let the worker tell the peer until it does no more; returns what it said."""
    with asked(leaving, answer) as peer:
        return peer.call_until_said("/transfer/v1/withdrawal", within=20)


def test_the_peer_is_told_once(leaving: Leaving):
    assert told(leaving, HEARD) == [{"CallId": leaving.chat.call_id}]
    assert leaving.state == "cancelled"


@pytest.mark.parametrize("status", [401, 403, 404, 405, 501])
def test_a_peer_that_knows_no_withdrawals_is_left_alone(leaving: Leaving, status: int):
    assert len(told(leaving, respond(status, b"{}", **PROBLEM))) == 1


def test_a_peer_out_of_reach_is_told_a_few_times(leaving: Leaving):
    assert len(told(leaving, hang_up)) == 3
    assert leaving.kinds()[-1] == "transfer-cancelled"


def test_a_peer_that_cannot_at_the_moment_is_told_again(leaving: Leaving):
    assert len(told(leaving, in_turn(respond(503, b"{}", **PROBLEM), HEARD))) == 2


def test_the_negotiation_that_waits_for_an_answer_is_broken_off():
    """Red when only its successor is looked at: its answer would be waited for, for minutes."""
    leaving = leave()
    leaving.request()

    def answer(server: HttpServer, connection: socket.socket, request: HttpRequest) -> None:
        (silence if request.path.endswith("negotiation") else HEARD)(server, connection, request)

    with asked(leaving, answer) as peer:
        peer.caller.look()
        wait_until(lambda: peer.server.requests, 5, "asked")
        call_off(chat_id=leaving.chat_id, call_taker=leaving.owner, now=timezone.now())

        def over() -> bool:
            peer.caller.look()
            return leaving.transfer.call_due_at is None and peer.caller.running == 0

        wait_until(over, 10, "told, and hung up")
        assert json.loads(peer.server.requests[-1].body) == {"CallId": leaving.chat.call_id}
