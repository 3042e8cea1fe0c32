"""Asking peers: what the worker sends, and what it makes of every answer that there may be."""

import json
import socket
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from chats.models import Transfer
from chats.services.transfers.call_off import call_off
from psap.models import CertificateAuthority, Peer, Psap, User
from tests.support.asked import (
    OURS,
    PROBLEM,
    asked,
    drip,
    half,
    hang_up,
    in_turn,
    no_http,
    says,
    silence,
)
from tests.support.chats import make_user
from tests.support.https import Answer, HttpRequest, HttpServer, respond
from tests.support.instance import wait_until
from tests.support.leaving import TARGET, Leaving
from tests.support.pki import Authority

pytestmark = pytest.mark.django_db(transaction=True)

ACCEPTED = says({"StatusCode": 202, "ExpiryTime": 60})
TAKEN = says({"StatusCode": 200})
NOT_TAKEN = says({"StatusCode": 503})


@pytest.fixture
def leaving() -> Iterator[Leaving]:
    user: User = make_user("anna")
    left = Leaving(user)
    left.now = timezone.now()
    yield left


def test_a_negotiation_names_call_both_sides_and_reason_under_mutual_tls(leaving: Leaving):
    leaving.request()
    with asked(leaving, ACCEPTED, mutual=True, own_token="t" * 40) as peer:
        transfer = peer.call_until("stalling")
        (request,) = peer.server.requests
    assert (request.method, request.path) == ("POST", "/transfer/v1/negotiation")
    assert json.loads(request.body) == {
        "CallId": leaving.chat.call_id,
        "TransferFrom": "sip:psap@example.org",
        "TransferTo": TARGET,
        "ReasonText": "sea rescue",
    }
    assert request.headers["content-type"] == "application/json"
    assert request.headers["authorization"] == "Bearer " + "t" * 40
    assert request.headers["date"].endswith("GMT")
    assert request.client is not None
    assert OURS.serial_number  # the server took no other
    assert transfer.expiry == 60


def test_a_refusal_is_shown_in_the_words_of_the_peer(leaving: Leaving):
    leaving.request()
    words = {"StatusCode": 406, "ExpiryTime": 10, "ReasonText": " <b>no boats</b> "}
    with asked(leaving, says(words)) as peer:
        assert peer.call_until("declined").cause == "<b>no boats</b>"
    assert leaving.chat.session == "open"


def test_a_refusal_needs_no_expiry_to_be_one(leaving: Leaving):
    leaving.request()
    with asked(leaving, says({"StatusCode": 406, "ExpiryTime": 0})) as peer:
        peer.call_until("declined")


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (respond(302, location="https://127.0.0.1:1/"), "redirects"),
        (says({"CallId": "another", "StatusCode": 202, "ExpiryTime": 60}), "another call"),
        (says({"StatusCode": 202}), "ExpiryTime"),
        (says({"StatusCode": "202", "ExpiryTime": 60}), "StatusCode"),
        (says({"StatusCode": True, "ExpiryTime": 60}), "StatusCode"),
        (says({"StatusCode": 200, "ExpiryTime": 60}), "StatusCode"),
        (says({"StatusCode": 202, "ExpiryTime": 9}), "ExpiryTime"),
        (says([1]), "invalid"),
        (says(b"not json"), "invalid"),
        (says(b"[" * 60_000), "invalid"),
        (respond(200, b"x" * 70_000), "too large"),
        (says({"StatusCode": 202, "ExpiryTime": 60}, status=403), "contradicts"),
        (says({"title": "Forbidden", "detail": "Not you."}, 403, **PROBLEM), "Forbidden: Not you."),
        (respond(404, b"<html>"), "404"),
    ],
)
def test_what_is_no_answer_to_a_negotiation_fails_at_once(
    leaving: Leaving, answer: Answer, cause: str
):
    leaving.request()
    with asked(leaving, answer) as peer:
        assert cause in peer.call_until("failed").cause
        assert len(peer.server.requests) == 1
    assert leaving.chat.session == "open"
    assert leaving.ours(266) == []


@pytest.mark.parametrize("answer", [hang_up, half, no_http, respond(502, b"bad gateway")])
def test_a_negotiation_that_may_be_answered_in_a_while_is_asked_again(
    leaving: Leaving, answer: Answer
):
    leaving.request()
    with asked(leaving, in_turn(answer, ACCEPTED)) as peer:
        peer.call_until("stalling")
        assert peer.bodies()[0] == peer.bodies()[1]


def test_a_negotiation_is_asked_three_times_at_most(leaving: Leaving):
    leaving.request()
    with asked(leaving, hang_up) as peer:
        peer.call_until("failed")
        assert len(peer.server.requests) == 3


@pytest.mark.parametrize("answer", [silence, drip])
def test_nobody_waits_longer_than_agreed_for_a_negotiation(leaving: Leaving, answer: Answer):
    leaving.request()
    Transfer.objects.update(requested_at=timezone.now() - timedelta(seconds=43))  # of 45
    with asked(leaving, answer) as peer:
        began = time.monotonic()
        assert peer.call_until("failed").cause == "no answer in time"
        assert time.monotonic() - began < 4


def test_a_negotiation_that_was_called_off_is_hung_up(leaving: Leaving):
    """Red without a look at what is still wanted: the peer rings on for nobody."""
    leaving.request()
    closed: list[bytes] = []

    def until_closed(server: HttpServer, connection: socket.socket, _request: HttpRequest) -> None:
        connection.settimeout(10)
        closed.append(connection.recv(1))

    with asked(leaving, until_closed) as peer:
        peer.caller.look()
        wait_until(lambda: peer.server.requests, 5, "asked")
        peer.caller.renew_once()
        assert closed == []
        call_off(chat_id=leaving.chat_id, call_taker=leaving.owner, now=timezone.now())
        peer.caller.renew_once()
        wait_until(lambda: closed == [b""], 5, "hung up")
    assert leaving.state == "cancelled"


def test_without_an_agreement_nobody_is_asked(leaving: Leaving):
    leaving.request()
    with asked(leaving, ACCEPTED, agreement=False) as peer:
        assert "agreement" in peer.call_until("failed").cause
        assert peer.server.requests == []


def executing(leaving: Leaving) -> Leaving:
    """Until the worker is to ask for the execution."""
    leaving.asking()
    assert leaving.state == "executing"
    return leaving


def test_an_execution_carries_the_chat_and_its_200_ends_the_transfer(leaving: Leaving):
    executing(leaving)
    with asked(leaving, TAKEN, mutual=True) as peer:
        transfer = peer.call_until("done")
        (request,) = peer.server.requests
    assert request.path == "/transfer/v1/execution"
    body = json.loads(request.body)
    assert body["CallId"] == leaving.chat.call_id
    assert body["MessageId"] == leaving.stop_message().msg_id
    assert body["ExpiryTime"] == transfer.execution_expiry
    assert [one["Text"] for one in body["Data"]["Messages"]] == [
        "help", "What happened?", "Bitte warten.",
    ]  # fmt: skip
    assert leaving.chat.session == "transferred"
    leaving.holds()


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (NOT_TAKEN, "503"),
        (says({"StatusCode": 503}, status=503), "503"),
        (says({"StatusCode": 503, "ReasonText": "no app"}), "no app"),
        (respond(302, location="https://127.0.0.1:1/"), "redirects"),
        (says({"CallId": "another", "StatusCode": 200}), "another call"),
        (says({"StatusCode": "200"}), "StatusCode"),
        (says({"StatusCode": 202}), "StatusCode"),
        (says(b"not json"), "invalid"),
        (respond(200, b"x" * 70_000), "too large"),
        (says({"title": "Too large", "detail": "20 MiB."}, 413, **PROBLEM), "Too large: 20 MiB."),
        (respond(404, b"<html>"), "404"),
    ],
)
def test_what_is_no_yes_to_an_execution_gives_us_the_chat_back_at_once(
    leaving: Leaving, answer: Answer, cause: str
):
    executing(leaving)
    with asked(leaving, answer) as peer:
        assert cause in peer.call_until("failed").cause
        assert len(peer.server.requests) == 1
    assert leaving.chat.session == "open"
    assert [kind for kind, _, _ in leaving.ours(265, 266)] == [266, 266, 265]
    leaving.holds()


@pytest.mark.parametrize(
    "answer",
    [
        hang_up, half, no_http, respond(502, b"bad gateway"),
        says({"title": "Service Unavailable"}, 503, **PROBLEM),
        says({"StatusCode": 200}, status=500),
    ],
)  # fmt: skip
def test_an_execution_whose_answer_is_lost_goes_again_byte_for_byte(
    leaving: Leaving, answer: Answer
):
    executing(leaving)
    with asked(leaving, in_turn(answer, answer, TAKEN)) as peer:
        peer.call_until("uncertain")
        assert leaving.chat.session == "transferring"
        peer.call_until("done")
        bodies = [request.body for request in peer.server.requests]
    assert len(bodies) == 3
    assert len(set(bodies)) == 1
    leaving.holds()


@pytest.mark.parametrize("answer", [silence, drip])
def test_an_execution_is_waited_for_until_expiry_and_margin_alone(leaving: Leaving, answer: Answer):
    executing(leaving)
    with asked(leaving, answer) as peer:
        peer.caller.look()
        wait_until(lambda: peer.server.requests, 5, "asked")
        due_at = leaving.transfer.due_at
        assert due_at is not None
        assert timedelta(seconds=20) < due_at - timezone.now() < timedelta(seconds=26)


@pytest.mark.parametrize("answer", [silence, drip])
def test_time_that_is_over_leaves_custody_uncertain_until_the_sweep(
    leaving: Leaving, answer: Answer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("chats.services.transfers.executed.SHORTEST_EXPIRY", 1)
    Psap.objects.update(transfer_margin=1)
    executing(leaving)
    with asked(leaving, answer, execution_time=1) as peer:
        assert peer.call_until("uncertain").cause == "no answer in time"
        leaving.later(3)
        leaving.sweep()
        assert leaving.state == "failed"
    assert leaving.chat.session == "open"
    leaving.holds()


def test_a_peer_that_cannot_be_reached_is_tried_again_with_a_new_snapshot(leaving: Leaving):
    executing(leaving)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        nobody = taken.getsockname()[1]
    with asked(leaving, TAKEN, url=f"https://127.0.0.1:{nobody}/") as peer:
        peer.caller.look()
        wait_until(lambda: leaving.transfer.cause == "no connection", 5, "tried")
        assert leaving.state == "executing"
        Peer.objects.update(url=peer.server.url())
        peer.call_until("done")


def test_a_peer_that_we_do_not_believe_gets_nothing_and_we_keep_the_chat(leaving: Leaving):
    executing(leaving)
    with asked(leaving, TAKEN) as peer:
        CertificateAuthority.objects.update(certificates=Authority("other").certificate)
        assert "not believed" in peer.call_until("failed").cause
        assert peer.server.requests == []


def test_a_peer_that_we_do_not_believe_any_more_may_have_the_chat_already(leaving: Leaving):
    """Red when any failure to connect gives us the chat back: both would have it."""
    executing(leaving)
    with asked(leaving, hang_up) as peer:
        peer.call_until("uncertain")
        CertificateAuthority.objects.update(certificates=Authority("other").certificate)
        wait_until(
            lambda: peer.caller.look() or "not believed" in leaving.transfer.cause, 5, "again"
        )
        assert leaving.state == "uncertain"


def test_one_peer_that_hangs_delays_no_other(leaving: Leaving):
    executing(leaving)
    others = []
    for number in range(12):
        peer = Peer.objects.create(
            name=f"hung {number}", uris=f"sip:h{number}@example.org", url="https://127.0.0.1:1/"
        )
        chat: Any = leaving.chat
        others.append(
            Transfer.objects.create(
                side="out", state="done", peer=peer, peer_name=peer.name, chat=chat,
                call_id=chat.call_id, transfer_from="sip:a@b", transfer_to=peer.uri,
                requested_at=timezone.now(), executed_at=timezone.now(), last_msg_id=1,
                ended_at=timezone.now(), call_due_at=timezone.now() - timedelta(seconds=5),
            )
        )  # fmt: skip

    def answer(server: HttpServer, connection: socket.socket, request: HttpRequest) -> None:
        (TAKEN if request.path.endswith("execution") else silence)(server, connection, request)

    with asked(leaving, answer) as peer:
        Peer.objects.filter(name__startswith="hung").update(url=peer.server.url())
        peer.caller.look()
        peer.call_until("done", within=5)
        assert peer.caller.running == 12
        Transfer.objects.filter(pk__in=[one.pk for one in others]).update(call_due_at=None)
