"""Negotiation and execution are answered by what becomes of them, after it is committed."""

import http.client
import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from redis import Redis

from chats import wakeup
from chats.models import Chat, Transfer
from chats.services.transfers.offers import accept_offer, decline_offer
from psap.models import Peer, User
from psap.peer_tokens import digest_of
from tests.support.instance import wait_until
from tests.support.peerapi import (
    Answer,
    PeerApiProcess,
    PeerConnection,
    anonymous,
    change_peer,
    execution,
    negotiation,
    seconds_of,
)
from tests.support.record import Record
from tests.support.tls import Pki
from transfer_api import schemas

SOON = 10.0
BUSY = 6.0  # what takes three seconds at most, on a machine that is busy with tests


class Neighbour:
    """A peer that asks from threads, so that a test can decide meanwhile."""

    def __init__(self, api: PeerApiProcess, pki: Pki, record: Record) -> None:
        self.api, self.record = api, record
        self._context = pki.context()
        self._pool = ThreadPoolExecutor(120)

    def ask(self, what: str, document: object, **headers: str) -> "Future[Answer]":
        return self._pool.submit(lambda: self.api.ask(self._context, what, document, **headers))

    def connect(self) -> PeerConnection:
        return self.api.connect(self._context)

    def transfer(self, call_id: str) -> Transfer:
        """Return the attempt for a CallId once it is there."""
        attempts = Transfer.objects.filter(call_id=call_id)
        wait_until(lambda: self.record.run(attempts.exists), SOON, "the offer is there")
        return self.record.run(attempts.latest, "pk")

    def accept(self, call_id: str) -> Transfer:
        offer = self.transfer(call_id)

        def accept() -> Transfer:
            cora = User.objects.get(username="cora")
            return accept_offer(transfer_id=offer.pk, call_taker=cora, now=_now())

        return self.record.run(accept)

    def agree(self, call_id: str) -> None:
        """Have a negotiation accepted."""
        answer = self.ask("negotiation", negotiation(call_id))
        self.accept(call_id)
        assert answer.result(SOON).json["StatusCode"] == 202

    def settle(self, call_id: str, state: str) -> None:
        """Have the gateway say what became of an execution, as its COMMIT does."""
        attempts = Transfer.objects.filter(call_id=call_id, state="executing")
        wait_until(lambda: self.record.run(attempts.exists), SOON, "it is executing")
        self.record.run(lambda: attempts.update(state=state, ended_at=_now(), due_at=None))
        Redis.from_url(settings.REDIS_URL).publish(wakeup.TRANSFERS, b"")

    def count(self, call_id: str) -> int:
        return self.record.run(Chat.objects.filter(transfers__call_id=call_id).distinct().count)

    def close(self) -> None:
        self._pool.shutdown()


def _now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture(scope="module")
def neighbour_asks(api: PeerApiProcess, pki: Pki, record: Record) -> Iterator[Neighbour]:
    made = Neighbour(api, pki, record)
    yield made
    made.close()


@pytest.fixture
def asking(neighbour_asks: Neighbour) -> Neighbour:
    return neighbour_asks


@contextmanager
def neighbour_of_its_own(
    record: Record, pki: Pki, directory: Path, **variables: str
) -> Iterator[Neighbour]:
    """A peer and a peer interface that may be ended."""
    api = PeerApiProcess(record.database_url, directory, **variables)
    asking = Neighbour(api, pki, record)
    try:
        api.start()
        api.wait_for_port()
        yield asking
    finally:
        asking.close()
        api.kill()


def call_id(name: str) -> str:
    return f"urn:emergency:uid:callid:{name}:app.example.org"


def test_a_negotiation_is_answered_when_a_call_taker_accepts(asking: Neighbour):
    asked = negotiation(call_id("accepted1"), ReasonText="Er ist in Wien.")
    answer = asking.ask("negotiation", asked)
    offer = asking.transfer(call_id("accepted1"))
    assert (offer.state, offer.reason) == ("offered", "Er ist in Wien.")
    assert not answer.done()
    asking.accept(call_id("accepted1"))
    told = answer.result(SOON)
    assert told.status == 200
    assert told.headers["content-type"] == "application/json"
    assert told.json == {"CallId": call_id("accepted1"), "StatusCode": 202, "ExpiryTime": 60}
    assert schemas.validate(schemas.NEGOTIATION_RESPONSE, told.json) == []


def test_a_negotiation_is_answered_when_a_call_taker_declines(asking: Neighbour):
    answer = asking.ask("negotiation", negotiation(call_id("declined1")))
    offer = asking.transfer(call_id("declined1"))

    def decline() -> None:
        cora = User.objects.get(username="cora")
        decline_offer(
            transfer_id=offer.pk, call_taker=cora, reason="Wir sind überlastet.", now=_now()
        )

    asking.record.run(decline)
    told = answer.result(SOON).json
    assert (told["StatusCode"], told["ExpiryTime"]) == (406, 10)
    assert told["ReasonText"] == "Wir sind überlastet."
    assert schemas.validate(schemas.NEGOTIATION_RESPONSE, told) == []


def test_a_negotiation_that_is_withdrawn_is_answered_at_once(asking: Neighbour):
    answer = asking.ask("negotiation", negotiation(call_id("withdrawn1")))
    assert asking.transfer(call_id("withdrawn1")).state == "offered"
    said = asking.ask("withdrawal", {"CallId": call_id("withdrawn1")}).result(SOON)
    assert said.json == {"CallId": call_id("withdrawn1"), "StatusCode": 200}
    assert schemas.validate(schemas.WITHDRAWAL_RESPONSE, said.json) == []
    told = answer.result(SOON).json
    assert (told["StatusCode"], told["ReasonText"]) == (406, "It was called off by Neighbour.")
    assert asking.transfer(call_id("withdrawn1")).state == "cancelled"


def test_an_offer_that_nobody_answers_is_declined_by_its_time_without_a_gateway(
    asking: Neighbour, record: Record, neighbour: int
):
    change_peer(record, neighbour, offer_time=1)
    try:
        told = asking.ask("negotiation", negotiation(call_id("unanswered"))).result(10)
    finally:
        change_peer(record, neighbour, offer_time=30)
    assert (told.status, told.json["StatusCode"]) == (200, 406)


def test_the_rule_answers_at_once(asking: Neighbour, record: Record, neighbour: int):
    change_peer(record, neighbour, auto_accept=True, expiry_time=77)
    try:
        told = asking.ask("negotiation", negotiation(call_id("by-the-rule"))).result(SOON)
    finally:
        change_peer(record, neighbour, auto_accept=False, expiry_time=60)
    assert (told.json["StatusCode"], told.json["ExpiryTime"]) == (202, 77)


def test_a_call_id_that_checks_the_interface_is_declined_and_never_rings(asking: Neighbour):
    checked = "urn:emergency:uid:callid:peer-check:abc"
    told = asking.ask("negotiation", negotiation(checked)).result(SOON)
    assert (told.json["CallId"], told.json["StatusCode"]) == (checked, 406)
    assert not asking.record.run(Transfer.objects.filter(call_id=checked).exists)


def test_repetitions_of_a_negotiation_share_its_answer(asking: Neighbour):
    asked = negotiation(call_id("repeated1"))
    first = asking.ask("negotiation", asked)
    asking.transfer(call_id("repeated1"))
    others = [asking.ask("negotiation", asked) for _ in range(20)]
    wait_until(lambda: waiting(asking) >= 21, SOON, "all of them wait")
    asking.accept(call_id("repeated1"))
    answers = [one.result(SOON).json for one in [first, *others]]
    assert {answer["StatusCode"] for answer in answers} == {202}
    assert asking.record.run(Transfer.objects.filter(call_id=call_id("repeated1")).count) == 1


def waiting(asking: Neighbour) -> int:
    """How many requests wait in the process, by its own figures."""
    (figures,) = asking.record.rows(
        "SELECT figures FROM psap_serviceprocess WHERE name = 'peerapi' AND instance LIKE %s",
        f"%:{asking.api.pid}",
    )
    return figures[0]["leitstand_peer_requests_waiting"]


def test_an_execution_is_answered_once_the_app_follows(asking: Neighbour):
    asking.agree(call_id("followed1"))
    answer = asking.ask("execution", execution(call_id("followed1")))
    asking.settle(call_id("followed1"), "done")
    told = answer.result(SOON)
    assert told.status == 200
    assert told.json == {"CallId": call_id("followed1"), "StatusCode": 200}
    assert schemas.validate(schemas.EXECUTION_RESPONSE, told.json) == []


@pytest.mark.parametrize("state", ["uncertain", "failed"])
def test_an_execution_that_ends_otherwise_gets_503_in_the_body_alone(asking: Neighbour, state: str):
    asking.agree(call_id(state))
    answer = asking.ask("execution", execution(call_id(state)))
    asking.settle(call_id(state), state)
    told = answer.result(SOON)
    assert (told.status, told.json["StatusCode"]) == (200, 503)
    assert schemas.validate(schemas.EXECUTION_RESPONSE, told.json) == []


def test_an_execution_after_the_expiry_of_the_negotiation_gets_503(asking: Neighbour):
    asking.agree(call_id("too-late1"))
    past = _now() - timedelta(seconds=1)
    attempts = Transfer.objects.filter(call_id=call_id("too-late1"))
    asking.record.run(lambda: attempts.update(expires_at=past))
    told = asking.ask("execution", execution(call_id("too-late1"))).result(SOON)
    assert (told.status, told.json["StatusCode"]) == (200, 503)
    assert asking.count(call_id("too-late1")) == 0


def test_without_an_app_uri_an_execution_gets_503(asking: Neighbour):
    asking.agree(call_id("no-app-uri"))
    for document in (
        {"CallId": call_id("no-app-uri"), "MessageId": 3, "ExpiryTime": 20},
        execution(call_id("no-app-uri"), Data={}),
    ):
        told = asking.ask("execution", document).result(SOON)
        assert (told.status, told.json["StatusCode"]) == (200, 503)
        assert "AppUri" in told.json["ReasonText"]


def test_a_negotiation_of_somebody_else_is_none_of_ours(
    asking: Neighbour, pki: Pki, record: Record
):
    token = "Qy9-somebody-elses-token-98765432109876"
    record.run(
        Peer.objects.create,
        name="Third",
        uris="sip:psap@third.example.org",
        token_sha256=digest_of(token),
    )
    asking.agree(call_id("not-theirs"))
    told = asking.api.ask(
        anonymous(pki),
        "execution",
        execution(call_id("not-theirs")),
        authorization=f"Bearer {token}",
    )
    assert told.status == 403
    assert asking.count(call_id("not-theirs")) == 0


def test_fifty_executions_at_once_are_one_chat_and_one_answer(asking: Neighbour):
    asking.agree(call_id("fifty-at-once"))
    body = json.dumps(execution(call_id("fifty-at-once"))).encode()
    answers = [asking.ask("execution", body) for _ in range(50)]
    wait_until(lambda: waiting(asking) == 50, 10, "all of them wait")
    asking.settle(call_id("fifty-at-once"), "done")
    told = [one.result(10) for one in answers]
    assert {(one.status, one.json["StatusCode"]) for one in told} == {(200, 200)}
    assert asking.count(call_id("fifty-at-once")) == 1


def test_the_same_execution_again_gets_the_same_answer_and_another_body_503(asking: Neighbour):
    asking.agree(call_id("said-again"))
    document = execution(call_id("said-again"))
    first = asking.ask("execution", document)
    asking.settle(call_id("said-again"), "done")
    assert first.result(SOON).json["StatusCode"] == 200
    assert asking.ask("execution", document).result(SOON).json["StatusCode"] == 200
    other = document | {"MessageId": 8}
    assert asking.ask("execution", other).result(SOON).json["StatusCode"] == 503


def test_an_answer_comes_after_its_commit(asking: Neighbour):
    """While the COMMIT of the import cannot happen nobody is told anything."""
    asking.agree(call_id("committed1"))
    with asking.record.session() as session:
        session.execute("LOCK TABLE chats_chatevent IN ACCESS EXCLUSIVE MODE")
        with asking.connect() as peer:
            peer.sock.settimeout(1.0)
            with pytest.raises(TimeoutError):
                peer.post("execution", execution(call_id("committed1")))
        assert asking.count(call_id("committed1")) == 0
    answer = asking.ask("execution", execution(call_id("committed1")))
    asking.settle(call_id("committed1"), "done")
    assert answer.result(SOON).json["StatusCode"] == 200


def test_an_outcome_that_nobody_knows_is_not_told(asking: Neighbour):
    """HTTP 503 could be taken for the StatusCode; a connection that ends could not."""
    asking.agree(call_id("unknown-end"))
    with asking.connect() as peer:
        answer: list[Any] = []

        def ask() -> None:
            try:
                answer.append(peer.post("execution", execution(call_id("unknown-end"))))
            except (OSError, http.client.HTTPException) as error:
                answer.append(error)

        with asking.record.session() as session:
            session.execute("LOCK TABLE chats_chatevent IN ACCESS EXCLUSIVE MODE")
            asked = threading.Thread(target=ask)
            asked.start()
            importing = "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            wait_until(lambda: asking.record.rows(importing), SOON, "the import waits")
            for (pid,) in asking.record.rows(importing):
                asking.record.rows("SELECT pg_terminate_backend(%s)", pid)
            asked.join(10)
    assert isinstance(answer[0], OSError | http.client.HTTPException), answer
    again = asking.ask("execution", execution(call_id("unknown-end")))
    asking.settle(call_id("unknown-end"), "done")
    assert again.result(SOON).json["StatusCode"] == 200


def test_who_waits_holds_no_thread_and_delays_nobody(asking: Neighbour):
    threads = f"/proc/{asking.api.pid}/task"
    waiters = [
        asking.ask("negotiation", negotiation(call_id(f"one-of-many-{number}")))
        for number in range(60)
    ]
    wait_until(lambda: waiting(asking) >= 60, 10, "all of them wait")
    assert len(os.listdir(threads)) < 40
    checked = negotiation("urn:emergency:uid:callid:peer-check:b")
    assert seconds_of(lambda: asking.ask("negotiation", checked).result(10)) < 5.0
    for number in range(60):
        asking.accept(call_id(f"one-of-many-{number}"))
    assert {one.result(10).json["StatusCode"] for one in waiters} == {202}


def test_without_redis_outcomes_are_seen_all_the_same(
    record: Record, neighbour: int, pki: Pki, tmp_path
):
    with neighbour_of_its_own(record, pki, tmp_path, REDIS_URL="redis://127.0.0.1:1") as asking:
        api = asking.api
        answer = asking.ask("negotiation", negotiation(call_id("no-wake-up")))
        asking.accept(call_id("no-wake-up"))
        assert answer.result(SOON).json["StatusCode"] == 202
        assert api.stop() == 0


def test_it_ends_within_three_seconds_while_requests_wait_and_none_gets_an_answer(
    record: Record, neighbour: int, pki: Pki, tmp_path
):
    with neighbour_of_its_own(record, pki, tmp_path) as asking:
        api = asking.api
        asking.agree(call_id("ends-meanwhile"))
        waiters = [
            asking.ask("execution", execution(call_id("ends-meanwhile"))),
            asking.ask("negotiation", negotiation(call_id("ends-meanwhile-2"))),
        ]
        with asking.connect() as idle, asking.connect() as half:
            half.sock.sendall(b"POST /transfer/v1/execution HTTP/1.1\r\nContent-Length: 9\r\n\r\n")
            wait_until(lambda: waiting(asking) == 2, SOON, "both wait")
            os.kill(api.pid, signal.SIGTERM)
            begun = time.monotonic()
            assert api.stop(10) == 0
            assert time.monotonic() - begun < BUSY
            for one in waiters:
                assert isinstance(one.exception(SOON), OSError | http.client.HTTPException)
            assert idle.sock.recv(1) == b""
        assert "Traceback" not in api.log(), api.log()[-3000:]
        api.start()
        api.wait_for_port()
        again = asking.ask("execution", execution(call_id("ends-meanwhile")))
        asking.settle(call_id("ends-meanwhile"), "done")
        assert again.result(SOON).json["StatusCode"] == 200
        assert asking.count(call_id("ends-meanwhile")) == 1


def test_it_ends_within_three_seconds_while_a_thread_waits_for_a_lock(
    record: Record, neighbour: int, pki: Pki, tmp_path
):
    with neighbour_of_its_own(record, pki, tmp_path) as asking:
        api = asking.api
        asking.agree(call_id("locked-out"))
        with asking.record.session() as session:
            session.execute("LOCK TABLE chats_chatevent IN ACCESS EXCLUSIVE MODE")
            asking.ask("execution", execution(call_id("locked-out")))
            importing = "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            wait_until(lambda: asking.record.rows(importing), SOON, "the import waits")
            begun = time.monotonic()
            assert api.stop(10) == 0
            assert time.monotonic() - begun < BUSY
