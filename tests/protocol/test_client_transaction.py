"""Our requests on their way: Timers E, F and K (RFC 3261 17.1.2)."""

import pytest

from sipgateway.protocol.errors import LocalProtocolError
from sipgateway.protocol.transaction import (
    T4,
    TIMER_F,
    ClientState,
    ClientTransaction,
    ClientTransactions,
    Completed,
    Send,
    TimedOut,
)
from tests.protocol.samples import response

REQUEST = b"MESSAGE sip:erika@example.org SIP/2.0\r\n\r\n"


def started(*, reliable: bool = False, now: float = 0.0) -> ClientTransaction:
    transaction = ClientTransaction(REQUEST, "z9hG4bKout", "MESSAGE", now, reliable=reliable)
    assert transaction.next_event() == Send(REQUEST)
    assert transaction.next_event() is None
    return transaction


def send_times(transaction: ClientTransaction) -> list[float]:
    """Run the transaction by its own timer to the end; when it sent again."""
    times: list[float] = []
    while (now := transaction.timer()) is not None:
        transaction.handle_timer(now)
        times += [now for event in transaction.events() if isinstance(event, Send)]
    return times


def test_timer_e_doubles_up_to_t2_and_timer_f_ends_it() -> None:
    transaction = started()
    times = send_times(transaction)
    assert times == [0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert transaction.state is ClientState.TERMINATED


def test_timer_f_says_timed_out_once() -> None:
    transaction = started(reliable=True)
    assert transaction.timer() == TIMER_F
    transaction.handle_timer(TIMER_F)
    assert list(transaction.events()) == [TimedOut()]
    assert transaction.timer() is None


def test_over_a_reliable_transport_nothing_is_repeated() -> None:
    assert send_times(started(reliable=True)) == []


def test_a_provisional_response_slows_timer_e_to_t2() -> None:
    transaction = started()
    transaction.receive_response(response(100), 0.1)
    assert transaction.state is ClientState.PROCEEDING
    assert send_times(transaction)[:3] == [0.5, 4.5, 8.5]


def test_a_final_response_completes_and_timer_k_absorbs_repeats() -> None:
    transaction = started()
    final = response(202)
    transaction.receive_response(final, 1.0)
    assert list(transaction.events()) == [Completed(202, final)]
    assert transaction.state is ClientState.COMPLETED
    assert transaction.timer() == 1.0 + T4
    transaction.receive_response(response(202), 2.0)
    assert transaction.next_event() is None
    transaction.handle_timer(1.0 + T4)
    assert transaction.state is ClientState.TERMINATED
    assert transaction.next_event() is None


def test_over_a_reliable_transport_a_final_response_ends_it_at_once() -> None:
    transaction = started(reliable=True)
    transaction.receive_response(response(404), 1.0)
    assert transaction.state is ClientState.TERMINATED
    assert transaction.timer() is None


def test_a_response_after_timer_f_is_ignored() -> None:
    transaction = started()
    transaction.handle_timer(TIMER_F)
    assert list(transaction.events()) == [TimedOut()]
    transaction.receive_response(response(200), TIMER_F + 1)
    assert transaction.next_event() is None


def test_responses_find_their_transaction_by_branch_and_method() -> None:
    transactions = ClientTransactions()
    mine = transactions.start(REQUEST, "z9hG4bKout", "MESSAGE", 0.0, reliable=False)
    assert transactions.receive_response(response(branch="z9hG4bKother"), 1.0) is None
    assert transactions.receive_response(response(cseq="1 OPTIONS"), 1.0) is None
    assert transactions.receive_response(response(), 1.0) is mine
    assert [type(event) for event in mine.events()] == [Send, Completed]


def test_timers_of_many_run_in_order_and_leave_nothing_behind() -> None:
    transactions = ClientTransactions()
    for n in range(200):
        transactions.start(REQUEST, f"z9hG4bK{n}", "MESSAGE", n * 0.001, reliable=n % 2 == 0)
    assert transactions.timer() == 0.501
    assert len(transactions.expire(0.6)) == 50
    transactions.receive_response(response(branch="z9hG4bK7"), 0.6)
    timed_out = 0
    while (due := transactions.timer()) is not None:
        for transaction in transactions.expire(due):
            timed_out += sum(isinstance(event, TimedOut) for event in transaction.events())
    assert timed_out == 199
    assert len(transactions) == 0


def test_a_flood_of_provisional_responses_takes_no_memory() -> None:
    transactions = ClientTransactions()
    transactions.start(REQUEST, "z9hG4bKout", "MESSAGE", 0.0, reliable=False)
    for _ in range(100):
        transactions.receive_response(response(100), 0.1)
    assert transactions.scheduled == 1


def test_an_aborted_transaction_is_over() -> None:
    transactions = ClientTransactions()
    transaction = transactions.start(REQUEST, "z9hG4bKout", "MESSAGE", 0.0, reliable=True)
    transactions.abort(transaction)
    assert [type(event) for event in transaction.events()] == [Send, TimedOut]
    assert len(transactions) == 0
    assert transactions.receive_response(response(), 1.0) is None


def test_a_branch_is_used_once_at_a_time() -> None:
    transactions = ClientTransactions()
    transactions.start(REQUEST, "z9hG4bKout", "MESSAGE", 0.0, reliable=False)
    with pytest.raises(LocalProtocolError):
        transactions.start(REQUEST, "z9hG4bKout", "MESSAGE", 0.0, reliable=False)
