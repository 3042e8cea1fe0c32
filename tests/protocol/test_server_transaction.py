"""Retransmissions are recognised, and nothing else is (RFC 3261 17.2)."""

import pytest

from sipgateway.protocol.errors import LocalProtocolError
from sipgateway.protocol.transaction import (
    TIMER_J,
    Retransmission,
    ServerTransaction,
    ServerTransactions,
    transaction_key,
)
from tests.protocol.samples import raw_message, request

RFC2543_VIA = "SIP/2.0/UDP old.example.org;branch=1"


def begin(
    transactions: ServerTransactions, now: float = 0.0, *, reliable: bool = False, **changed: str
) -> ServerTransaction:
    outcome = transactions.receive_request(
        request(raw_message(b"Help", **changed)), now, source=("192.0.2.1", 5060), reliable=reliable
    )
    assert isinstance(outcome, ServerTransaction)
    return outcome


def again(transactions: ServerTransactions, now: float, **changed: str) -> object:
    return transactions.receive_request(request(raw_message(b"Help", **changed)), now)


def test_a_repeat_before_the_answer_is_absorbed() -> None:
    transactions = ServerTransactions()
    begin(transactions)
    assert again(transactions, 0.5) == Retransmission(None)


def test_retransmitted_message_replays_the_final_response_until_timer_j() -> None:
    transactions = ServerTransactions()
    begin(transactions).respond(b"SIP/2.0 200 OK", 1.0)
    assert again(transactions, 2.0) == Retransmission(b"SIP/2.0 200 OK")
    assert transactions.timer() == 1.0 + TIMER_J
    assert transactions.expire(1.0 + TIMER_J - 0.01) == 0
    assert again(transactions, 32.9) == Retransmission(b"SIP/2.0 200 OK")
    assert transactions.expire(1.0 + TIMER_J) == 1
    assert transactions.timer() is None
    assert isinstance(again(transactions, 40.0), ServerTransaction)


def test_answers_that_are_kept_are_bounded_in_bytes_and_the_oldest_go_first() -> None:
    """Red when only Timer J ends them: 1,000 requests a second with 60 kB of Via are 2 GB."""
    transactions = ServerTransactions(max_kept=250)
    for number in range(5):
        begin(transactions, cseq=f"{number + 1} MESSAGE").respond(b"x" * 100, float(number))
    assert len(transactions) == 2
    assert isinstance(again(transactions, 5.0, cseq="3 MESSAGE"), ServerTransaction)
    assert again(transactions, 5.0, cseq="5 MESSAGE") == Retransmission(b"x" * 100)
    assert transactions.expire(100.0) == 3 and len(transactions) == 0


def test_over_a_reliable_transport_timer_j_is_zero() -> None:
    transactions = ServerTransactions()
    begin(transactions, reliable=True).respond(b"SIP/2.0 200 OK", 1.0)
    assert len(transactions) == 0
    assert isinstance(again(transactions, 1.0), ServerTransaction)


@pytest.mark.parametrize("via", ["SIP/2.0/UDP app.example.org;branch=z9hG4bKsame", RFC2543_VIA])
@pytest.mark.parametrize(
    "changed",
    [
        {"call_id": "c2"},
        {"cseq": "2 MESSAGE"},
        {"from": "<sip:erika@example.org>;tag=f2"},
        {"via": "SIP/2.0/UDP other.example.org;branch=z9hG4bKsame"},
        {"via": "SIP/2.0/UDP app.example.org;branch=z9hG4bKother"},
        {"start": "OPTIONS sip:112@example.org SIP/2.0"},
    ],
)
def test_another_message_is_no_retransmission(via: str, changed: dict[str, str]) -> None:
    transactions = ServerTransactions()
    begin(transactions, via=via)
    begin(transactions, **{"via": via, **changed})


def test_a_retransmission_of_an_old_client_is_recognised_without_a_cookie() -> None:
    transactions = ServerTransactions()
    begin(transactions, via=RFC2543_VIA)
    assert again(transactions, 0.5, via=RFC2543_VIA) == Retransmission(None)


def test_the_host_of_sent_by_compares_without_case() -> None:
    key = transaction_key(request(raw_message(via="SIP/2.0/UDP A.example.org;branch=z9hG4bKx")))
    assert key == transaction_key(
        request(raw_message(via="SIP/2.0/UDP a.EXAMPLE.org;branch=z9hG4bKx"))
    )


def test_a_request_that_nobody_answers_is_given_up() -> None:
    transactions = ServerTransactions()
    begin(transactions, 5.0)
    assert transactions.timer() == 5.0 + TIMER_J
    assert transactions.expire(5.0 + TIMER_J) == 1
    assert len(transactions) == 0


def test_an_answer_that_comes_after_that_still_serves_retransmissions() -> None:
    transactions = ServerTransactions()
    late = begin(transactions)
    transactions.expire(TIMER_J)
    late.respond(b"200", TIMER_J + 1)
    assert again(transactions, TIMER_J + 2) == Retransmission(b"200")


def test_a_late_answer_does_not_answer_the_request_that_came_anew() -> None:
    transactions = ServerTransactions()
    late = begin(transactions)
    transactions.expire(TIMER_J)
    anew = begin(transactions, TIMER_J + 1)
    late.respond(b"old", TIMER_J + 2)
    anew.respond(b"new", TIMER_J + 3)
    assert again(transactions, TIMER_J + 4) == Retransmission(b"new")


def test_a_forgotten_request_is_new_when_it_comes_again() -> None:
    transactions = ServerTransactions()
    transactions.forget(begin(transactions))
    begin(transactions, 0.5)


def test_answering_twice_is_our_own_fault() -> None:
    transactions = ServerTransactions()
    transaction = begin(transactions)
    transaction.respond(b"200", 1.0)
    with pytest.raises(LocalProtocolError):
        transaction.respond(b"503", 2.0)


def test_expiry_takes_only_what_is_due_in_order_of_answers() -> None:
    transactions = ServerTransactions()
    for n in range(1000):
        begin(transactions, n * 0.01, call_id=f"c{n}").respond(b"200", n * 0.01)
    assert transactions.expire(TIMER_J + 4.995) == 500
    assert len(transactions) == 500
    assert transactions.expire(TIMER_J + 10) == 500
