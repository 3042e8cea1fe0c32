"""Transfers when everybody acts at once, and a random walk through all that can happen."""

import random
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection, transaction

from chats.models import UNDER_WAY, Chat, Message, Transfer
from chats.services.close_chat import close_chat
from chats.services.errors import ChatBusy, ChatError, TransferUnderWay
from chats.services.transfers.call_off import call_off
from chats.services.transfers.custody import record_answer, take_notice
from chats.services.transfers.executed import (
    record_answer_lost,
    record_not_sent,
    record_not_taken,
    record_snapshot,
    record_taken,
)
from chats.services.transfers.negotiated import record_refused, record_unanswered
from psap.models import User
from tests.support.instance import wait_until
from tests.support.leaving import TARGET, Leaving

together = pytest.mark.django_db(transaction=True)
SOON = timedelta(seconds=1)


@pytest.fixture
def leaving(anna: User) -> Leaving:
    return Leaving(anna)


def at_once(*calls: Callable[[], object]) -> list[object]:
    """Run calls at the same moment, each on its own connection; results, or what was refused."""
    start = threading.Barrier(len(calls))

    def run(call: Callable[[], object]) -> object:
        try:
            connection.ensure_connection()
            start.wait(30)
            return call()
        except ChatError as error:
            return type(error)
        finally:
            connection.close()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


@together
def test_of_ten_requests_at_once_one_transfers_the_chat(leaving: Leaving):
    outcomes = Counter(map(str, at_once(*[leaving.request] * 10)))
    assert outcomes[str(TransferUnderWay)] == 9
    assert Transfer.objects.count() == 1
    assert leaving.kinds().count("transfer-requested") == 1


@together
def test_a_notice_that_waits_for_a_new_execution_is_not_taken_for_it(leaving: Leaving):
    leaving.executing()
    record_answer_lost(
        transfer_id=leaving.transfer_id, cause="reset", now=leaving.now, retry_at=leaving.now + SOON
    )
    first = leaving.transfer
    msg_id = (first.last_msg_id or 0) + 1
    anew = Transfer.objects.get(pk=first.pk)
    anew.pk, anew._state.adding = None, True

    def tell() -> object:
        call_id, now = first.call_id, leaving.now
        return take_notice(peer=leaving.peer, call_id=call_id, msg_id=msg_id, now=now)

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            Chat.objects.select_for_update().get(pk=leaving.chat_id)
            told = pool.submit(at_once, tell)
            wait_until(somebody_waits_for_a_lock, 20, "the notice waits")
            Transfer.objects.filter(pk=first.pk).update(state="failed", due_at=None)
            anew.save()
        assert told.result(timeout=30) == [ChatBusy]
    assert leaving.chat.session == "transferring"
    assert set(Transfer.objects.values_list("state", flat=True)) == {"failed", "uncertain"}


def somebody_waits_for_a_lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
        return bool(cursor.fetchone()[0])


@together
def test_of_eight_workers_one_gets_a_call(leaving: Leaving):
    leaving.request()
    workers = [lambda name=f"w{n}": leaving.claim(name) for n in range(8)]
    assert sorted(len(calls) for calls in at_once(*workers)) == [0] * 7 + [1]  # type: ignore[arg-type]


@together
def test_a_worker_does_not_wait_for_a_call_that_another_is_taking(leaving: Leaving):
    leaving.request()
    with ThreadPoolExecutor(1) as pool, transaction.atomic():
        assert len(leaving.claim("one")) == 1
        others = pool.submit(at_once, lambda: leaving.claim("other"))
        assert others.result(timeout=30) == [[]]


@together
def test_eight_workers_with_one_execution_send_the_same_bytes(leaving: Leaving):
    leaving.asking()
    written: list[bytes] = []

    def snapshot(number: int) -> bytes | None:
        def write(transfer: Transfer) -> bytes:
            written.append(b"body %d" % number)
            return written[-1]

        return record_snapshot(transfer_id=leaving.transfer_id, write=write, now=leaving.now)

    bodies = at_once(*(lambda n=n: snapshot(n) for n in range(8)))
    assert len(written) == 1
    assert set(bodies) == set(written)
    assert leaving.kinds().count("transfer-executing") == 1


@together
@pytest.mark.parametrize("attempt", range(4))
def test_taking_back_and_the_peers_answer_at_once_leave_the_chat_here(
    leaving: Leaving, attempt: int
):
    leaving.request()
    at_once(
        leaving.agree,
        lambda: call_off(chat_id=leaving.chat_id, call_taker=leaving.owner, now=leaving.now),
    )
    if leaving.state != "cancelled":  # too early for the one, not too late for the next
        call_off(chat_id=leaving.chat_id, call_taker=leaving.owner, now=leaving.now)
    assert (leaving.state, leaving.chat.session) == ("cancelled", "open")
    assert leaving.ours(265) == []
    assert {status for _, _, status in leaving.ours(266)} <= {"cancelled"}
    leaving.holds()


@together
@pytest.mark.parametrize("attempt", range(4))
def test_of_all_outcomes_at_once_one_counts(leaving: Leaving, attempt: int):
    leaving.executing()
    later = leaving.later(100)
    ident, now = leaving.transfer_id, leaving.now
    at_once(
        lambda: record_taken(transfer_id=ident, http_status=200, now=now),
        lambda: record_not_taken(transfer_id=ident, cause="503", http_status=200, now=now),
        lambda: record_answer_lost(transfer_id=ident, cause="reset", now=now, retry_at=later),
        leaving.sweep,
        lambda: record_taken(transfer_id=ident, http_status=200, now=now),
        leaving.sweep,
    )
    leaving.sweep()
    assert (leaving.state, leaving.chat.session) in (("done", "transferred"), ("failed", "open"))
    ends = Counter(leaving.kinds())
    assert ends["chat-transferred"] + ends["transfer-failed"] == 1
    assert len(leaving.ours(265)) == (leaving.state == "failed")
    leaving.holds()


@together
def test_a_chat_that_somebody_holds_is_settled_when_it_is_free(leaving: Leaving):
    leaving.request()
    held, goes_on = threading.Event(), threading.Event()

    def hold() -> None:
        try:
            with transaction.atomic():
                Chat.objects.select_for_update().get(pk=leaving.chat_id)
                held.set()
                goes_on.wait(30)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        holding = pool.submit(hold)
        held.wait(30)
        leaving.later(60)
        assert leaving.sweep() == 0
        goes_on.set()
        holding.result()
    assert leaving.sweep() == 1


class Walk:
    """A random way through a transfer; whatever happens, the chat is never nobody's."""

    def __init__(self, leaving: Leaving, seed: int) -> None:
        self.leaving = leaving
        self.random = random.Random(seed)  # noqa: S311
        self.steps: Sequence[Callable[[], object]] = (
            lambda: leaving.request(at_once=self.random.random() < 0.7),
            lambda: leaving.agree(self.random.choice([10, 60])),
            leaving.hand_over,
            self._take_back,
            self._answer_ours,
            self._answer_ours,
            self._answer_ours,
            leaving.sweep,
            leaving.sweep,
            lambda: leaving.later(self.random.choice([0.5, 3, 30])),
            leaving.claim,
            leaving.snapshot,
            leaving.snapshot,
            lambda: leaving.receive(f"text {self.random.random()}"),
            self._app_ends_or_begins,
            self._outcome,
            self._outcome,
            self._custody,
            self._close,
        )

    def step(self) -> None:
        try:
            self.random.choice(self.steps)()
        except ChatError:
            pass
        self.check()

    def check(self) -> None:
        """Whoever the record says has the chat really may have it."""
        leaving = self.leaving
        chat, rows = leaving.chat, list(Transfer.objects.order_by("pk"))
        under_way = [row for row in rows if row.state in UNDER_WAY]
        assert len(under_way) <= 1
        assert all(row.due_at is not None for row in under_way)
        if chat.session == "transferred":
            assert any(row.state == "done" for row in rows)
            assert chat.gone_to == TARGET
        if chat.session == "transferring":
            assert [row.state for row in under_way] in (["stalling"], ["executing"], ["uncertain"])
            waiting = Message.objects.filter(direction="out", status="queued").exclude(type=266)
            assert not waiting.filter(type=259).exists()
        starts = [msg_id for _, msg_id, _ in leaving.ours(265)]
        assert starts == sorted(set(starts))
        for row in rows:
            if row.last_msg_id is not None and row.start_message is not None:
                assert (row.start_message.msg_id or 0) > row.last_msg_id + 1

    def end(self) -> None:
        """Let everything come to rest."""
        for _ in range(4):
            self.leaving.later(100)
            self.leaving.sweep()
            self.check()
        assert not Transfer.objects.filter(state__in=UNDER_WAY).exists()
        assert self.leaving.chat.session in ("open", "stopped", "transferred")
        self.leaving.holds()

    def _take_back(self) -> None:
        leaving = self.leaving
        call_off(chat_id=leaving.chat_id, call_taker=None, now=leaving.now)

    def _close(self) -> None:
        leaving = self.leaving
        if self.random.random() < 0.2:
            close_chat(
                chat_id=leaving.chat_id,
                call_taker=leaving.owner,
                disposition="resolved",
                text="Bye",
                now=leaving.now,
            )

    def _answer_ours(self) -> None:
        """The oldest of our messages that waits gets some answer."""
        ours = Message.objects.filter(
            chat=self.leaving.chat_id, direction="out", status__in=("queued", "sending")
        )
        message = ours.order_by("pk").first()
        if message is not None:
            outcomes = [("delivered", 200), ("delivered", 202), ("failed", 488), ("sending", None)]
            chosen = self.random.choices(outcomes, [6, 1, 1, 1])[0]
            self.leaving.outcome(message, *chosen)

    def _app_ends_or_begins(self) -> None:
        chance = self.random.random()
        if self.leaving.chat.session in ("open", "transferring") and chance < 0.15:
            self.leaving.app_stops()
        elif self.leaving.chat.session in ("transferring", "stopped") and chance > 0.85:
            self.leaving.app_begins_anew()

    def _outcome(self) -> None:
        ident, now = self.leaving.transfer_id, self.leaving.now
        again = now + SOON
        self.random.choice(
            [
                lambda: record_refused(transfer_id=ident, cause="no", http_status=200, now=now),
                lambda: record_unanswered(
                    transfer_id=ident, cause="no", http_status=None, now=now, retry_at=again
                ),
                lambda: record_taken(transfer_id=ident, http_status=200, now=now),
                lambda: record_not_taken(transfer_id=ident, cause="503", http_status=200, now=now),
                lambda: record_answer_lost(
                    transfer_id=ident, cause="reset", now=now, retry_at=again
                ),
                lambda: record_not_sent(
                    transfer_id=ident, cause="refused", now=now, retry_at=again
                ),
            ]
        )()

    def _custody(self) -> None:
        leaving = self.leaving
        msg_id = self.random.randint(1, 8)
        if self.random.random() < 0.5:
            take_notice(
                peer=leaving.peer, call_id=leaving.chat.call_id, msg_id=msg_id, now=leaving.now
            )
            return
        record_answer(
            transfer_id=leaving.transfer_id,
            status_code=self.random.choice([200, 409]),
            msg_id=msg_id,
            now=leaving.now,
        )


@pytest.mark.django_db
@pytest.mark.parametrize("seed", range(16))
def test_whatever_happens_in_whatever_order_the_chat_is_somebodys(leaving: Leaving, seed: int):
    walk = Walk(leaving, seed)
    for _ in range(40):
        walk.step()
    walk.end()
