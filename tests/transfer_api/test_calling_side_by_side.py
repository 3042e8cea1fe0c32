"""The worker's calls side by side: leases, threads, and what becomes of them when somebody dies."""

import logging
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from chats import worker_threads
from chats.models import Chat, Transfer
from chats.services import locking
from chats.services.transfers.call_off import call_off
from chats.services.transfers.calls import claim_calls, renew_calls
from psap.models import Peer
from tests.support.asked import ACCEPTED, TAKEN, asked, executing, leave, silence
from tests.support.https import HttpRequest, HttpServer
from tests.support.instance import wait_until
from tests.support.leaving import Leaving
from transfer_api.calling import caller as calling

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def leaving() -> Leaving:
    return leave()


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


def test_leases_are_kept_while_a_peer_makes_up_its_mind(leaving: Leaving):
    leaving.request()
    with asked(leaving, silence) as peer:
        peer.caller.look()
        wait_until(lambda: peer.server.requests, 5, "asked")
        Transfer.objects.update(lease_until=timezone.now() + timedelta(seconds=1))
        peer.caller.renew_once()
        assert leaving.transfer.lease_until > timezone.now() + timedelta(seconds=6)


def test_a_row_that_somebody_holds_keeps_no_other_lease_from_being_renewed(leaving: Leaving):
    """Red when it is waited for: eight seconds later all calls are made twice."""
    leaving.request()
    held = leaving.transfer
    other = Transfer.objects.create(
        side="out", state="done", peer=held.peer, peer_name="", chat=held.chat,
        call_id=held.call_id, transfer_from="sip:a@b", transfer_to=held.peer.uri,
        requested_at=held.requested_at, executed_at=held.requested_at, last_msg_id=1,
        ended_at=held.requested_at, call_due_at=held.requested_at,
    )  # fmt: skip
    now = timezone.now()
    ids = {call.transfer_id for call in claim_calls(holder="test", now=now, most=2)}
    assert ids == {held.pk, other.pk}

    def renew() -> frozenset[int]:
        try:
            later = now + timedelta(seconds=2)
            return renew_calls(holder="test", transfer_ids=ids, now=later)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as worker:
        with transaction.atomic():
            Transfer.objects.select_for_update().get(pk=held.pk)
            assert worker.submit(renew).result(10) == ids
            other.refresh_from_db()
            assert other.lease_until == now + timedelta(seconds=10)


def test_a_call_that_another_worker_has_taken_up_is_hung_up(leaving: Leaving):
    leaving.request()
    with asked(leaving, silence) as peer:
        peer.caller.look()
        wait_until(lambda: peer.server.requests, 5, "asked")
        Transfer.objects.update(lease_holder="another", lease_until=timezone.now())
        peer.caller.renew_once()
        wait_until(lambda: peer.caller.running == 0, 5, "hung up")


def test_a_worker_that_starts_takes_up_what_it_had_before_it_died(leaving: Leaving):
    """Red when a lease has to run out first: the app waits eight seconds for nothing."""
    leaving.request()
    with asked(leaving, ACCEPTED) as peer:
        claim_calls(holder="test", now=timezone.now(), most=1)
        assert peer.call_until("stalling", within=5)


def test_a_peer_that_makes_up_its_mind_holds_no_connection_to_the_database(leaving: Leaving):
    executing(leaving)
    with asked(leaving, silence) as peer:
        before = connections_to_the_database()
        peer.caller.look()
        wait_until(lambda: peer.server.requests, 5, "asked")
        assert connections_to_the_database() == before


def connections_to_the_database() -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND backend_type = 'client backend'"
        )
        return cursor.fetchone()[0]


def test_an_outcome_is_written_once_the_chat_is_free(leaving: Leaving):
    """Red when a held chat makes the answer be forgotten."""
    executing(leaving)
    held = threading.Event()

    def hold(server: HttpServer, taken: socket.socket, request: HttpRequest) -> None:
        with transaction.atomic():
            Chat.objects.select_for_update().get(pk=leaving.chat_id)
            TAKEN(server, taken, request)
            taken.shutdown(socket.SHUT_WR)
            held.set()
            server.closing.wait(4)  # longer than a command waits for a lock
        connection.close()

    with asked(leaving, hold) as peer:
        peer.caller.look()
        assert held.wait(5)
        peer.call_until("done")
        assert len(peer.server.requests) == 1


def test_an_agreement_counts_from_when_it_was_heard(
    leaving: Leaving, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    """Red when it counts from when it was written down: the peer has expired it before we do."""
    monkeypatch.setattr(locking, "LOCK_TIMEOUT", "100ms")
    caplog.set_level(logging.INFO)
    leaving.request()
    held: list[datetime] = []

    def hold(server: HttpServer, taken: socket.socket, request: HttpRequest) -> None:
        with transaction.atomic():
            Chat.objects.select_for_update().get(pk=leaving.chat_id)
            ACCEPTED(server, taken, request)
            taken.shutdown(socket.SHUT_WR)
            wait_until(lambda: "waits to be written down" in caplog.text, 10, "it is heard")
            held.append(timezone.now())
        connection.close()

    with asked(leaving, hold) as peer:
        peer.caller.look()
        wait_until(lambda: held, 15, "the chat is free")
        agreed = peer.call_until("stalling")
    assert agreed.expires_at < held[0] + timedelta(seconds=agreed.expiry)


def test_a_call_whose_row_was_held_at_the_wake_up_is_made_once_it_is_free(
    leaving: Leaving, monkeypatch: pytest.MonkeyPatch
):
    """Red when it waits for the next regular look, as the app would: the gateway holds the row for
    an instant whenever the same wake-up has told it to look.
    """
    monkeypatch.setattr(calling, "LOOK_AGAIN", 3600.0)
    monkeypatch.setattr(worker_threads, "PAUSES_WHILE_HELD", (0.02,) * 3000)
    executing(leaving)
    looked, over = threading.Event(), threading.Event()

    class Observed(calling.Caller):
        def _begin_due(self) -> int:
            if over.is_set():
                connection.close()
                raise SystemExit
            begun = super()._begin_due()
            looked.set()
            return begun

    def watch() -> None:
        with suppress(SystemExit):
            caller.watch()

    with asked(leaving, TAKEN) as peer:
        caller = Observed("test")
        with transaction.atomic():
            Transfer.objects.select_for_update().get(pk=leaving.transfer.pk)
            watching = threading.Thread(target=watch, daemon=True)
            watching.start()
            caller.wake()
            assert looked.wait(10)
            assert not peer.server.requests
        wait_until(lambda: leaving.state == "done", 10, "the call is made")
        wait_until(lambda: caller.running == 0, 10, "it ends")
        over.set()
        caller.wake()
        watching.join(10)


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
