"""Asking peers: what the worker sends, and what it makes of every answer that there may be."""

import json
import socket
import time
from datetime import timedelta

import pytest
from cryptography.x509 import load_der_x509_certificate
from django.utils import timezone

from chats.models import Transfer
from psap.models import CertificateAuthority, Peer, Psap
from tests.support.asked import (
    ACCEPTED,
    NOT_TAKEN,
    OURS,
    PROBLEM,
    TAKEN,
    asked,
    drip,
    executing,
    half,
    hang_up,
    in_turn,
    leave,
    no_http,
    says,
    silence,
)
from tests.support.https import Answer, respond
from tests.support.instance import wait_until
from tests.support.leaving import TARGET, Leaving
from tests.support.pki import Authority

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def leaving() -> Leaving:
    return leave()


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
    assert load_der_x509_certificate(request.client).serial_number == OURS.serial_number
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


def test_a_negotiation_is_asked_six_times_at_most(leaving: Leaving):
    leaving.request()
    with asked(leaving, hang_up) as peer:
        peer.call_until("failed")
        assert len(peer.server.requests) == 6


@pytest.mark.parametrize("answer", [silence, drip])
def test_nobody_waits_longer_than_agreed_for_a_negotiation(leaving: Leaving, answer: Answer):
    leaving.request()
    Transfer.objects.update(requested_at=timezone.now() - timedelta(seconds=43))  # of 45
    with asked(leaving, answer) as peer:
        began = time.monotonic()
        assert peer.call_until("failed").cause == "no answer in time"
        assert time.monotonic() - began < 10


def test_without_an_agreement_nobody_is_asked(leaving: Leaving):
    leaving.request()
    with asked(leaving, ACCEPTED, agreement=False) as peer:
        assert "agreement" in peer.call_until("failed").cause
        assert peer.server.requests == []


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


def test_a_peer_that_comes_back_without_our_trust_is_not_tried_any_longer(leaving: Leaving):
    """Red when a second attempt alone counts as one that may have arrived."""
    executing(leaving)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        nobody = taken.getsockname()[1]
    with asked(leaving, TAKEN, url=f"https://127.0.0.1:{nobody}/") as peer:
        peer.caller.look()
        wait_until(lambda: leaving.transfer.cause == "no connection", 5, "tried")
        CertificateAuthority.objects.update(certificates=Authority("other").certificate)
        Peer.objects.update(url=peer.server.url())
        assert "not believed" in peer.call_until("failed").cause
    assert leaving.chat.session == "open"


def test_a_peer_that_we_do_not_believe_any_more_may_have_the_chat_already(leaving: Leaving):
    """Red when any failure to connect gives us the chat back: both would have it."""
    executing(leaving)
    with asked(leaving, hang_up) as peer:
        peer.call_until("uncertain")
        CertificateAuthority.objects.update(certificates=Authority("other").certificate)

        def tried_again() -> bool:
            peer.caller.look()
            return "not believed" in leaving.transfer.cause

        wait_until(tried_again, 5, "tried again")
        assert leaving.state == "uncertain"


def test_a_chat_that_cannot_be_written_stays_ours(
    leaving: Leaving, monkeypatch: pytest.MonkeyPatch
):
    """Red when the fault is left to the lease: the app waits until all time is over."""

    def fail(transfer: Transfer) -> bytes:
        raise ValueError

    monkeypatch.setattr("transfer_api.calling.execution.write_execution", fail)
    executing(leaving)
    with asked(leaving, TAKEN) as peer:
        assert "cannot be written" in peer.call_until("failed").cause
        assert peer.server.requests == []
    assert leaving.chat.session == "open"
