"""Who waits for the journal in what order, and for whom there is room."""

from datetime import UTC, datetime, timedelta

import pytest

from sipgateway import journal_queue
from sipgateway.precedence import Kind, place_of, rank
from sipgateway.presence import Presence
from sipgateway.simulator import lmpe
from tests.support.arrivals import arrival
from tests.support.caller import Caller
from tests.support.crowding import (
    FEW,
    Connection,
    caller_number,
    fill,
    known_to,
    small_queue,
    text_from,
)


@pytest.fixture
def presence():
    return Presence()


@pytest.fixture
def queue(presence, monkeypatch):
    return small_queue(presence, monkeypatch)


@pytest.mark.conformance("6.1.2.5-2")
def test_live_chats_come_before_new_ones_before_tests_and_each_by_resource_priority(presence):
    known, caller = Caller(), Caller()
    known_to(presence, known)
    messages = {
        "critical": known.say("1", headers=(("Resource-Priority", "esnet.2"),)),
        "live": known.say("2", headers=(("Resource-Priority", "esnet . 1"),)),
        "live, not critical": known.say("3", headers=(("Resource-Priority", "esnet.0"),)),
        "live, unmarked": known.say("4"),
        "new, critical": caller.start(headers=(("Resource-Priority", "esnet.2"),)),
        "new": caller.start(headers=(("Resource-Priority", "dsn.flash, esnet.1"),)),
        "new, not critical": caller.start(headers=(("Resource-Priority", "esnet.0"),)),
        "new, unmarked": caller.start(),
        "test": caller.start(uri="urn:service:sos.fire.test"),
    }
    ranks = [place_of(arrival(m, trusted=True), presence).rank for m in messages.values()]
    assert ranks == sorted(set(ranks), key=ranks.index) and ranks == sorted(ranks)


def test_what_table_3_does_not_define_is_as_good_as_no_mark():
    assert {rank(Kind.NEW, written) for written in ("", "esnet.3", "esnet.7", "dsn.flash")} == {
        rank(Kind.NEW, "")
    }


def test_a_line_is_the_callers_and_not_the_addresses():
    """Red by peer: all traffic comes from one BCF."""
    asserted = arrival(
        Caller().start(headers=(("P-Asserted-Identity", "<sip:+43664@example.org>"),)), trusted=True
    )
    places = [place_of(one, Presence()) for one in (text_from(1), text_from(2), asserted)]
    assert [place.caller for place in places] == [
        "sip:caller1@example.org",
        "sip:caller2@example.org",
        "sip:+43664@example.org",
    ]


def test_there_is_room_for_live_chats_when_there_is_none_for_new_ones(queue, presence):
    assert fill(queue, lambda n: text_from(n, uri="urn:service:sos.test")) == FEW // 2
    assert fill(queue) == 18 - FEW // 2  # seven eighths
    caller = caller_number(5000)
    known_to(presence, caller)
    assert queue.offer(arrival(caller.say("Ich bin noch da")))
    assert queue.refused == {Kind.LIVE: 0, Kind.NEW: 1, Kind.TEST: 1}
    first = queue.take(1, 10**9)
    assert first[0].request.body == b"Ich bin noch da"


def test_over_udp_nobody_is_let_in_who_would_wait_longer_than_until_the_next_repetition(queue):
    """Red when only the number is bounded: a slow disk would make everybody repeat everything."""
    queue.capacity = 5.0  # two seconds are ten messages
    assert fill(queue) == 10


def test_bytes_are_bounded_too(queue, monkeypatch):
    monkeypatch.setattr(journal_queue, "SHORT_BYTES", 1)
    monkeypatch.setattr(journal_queue, "LARGEST_QUEUE_BYTES", 100_000)
    taken = fill(queue, lambda n: text_from(n, text="x" * 30_000))
    assert taken == 3


def test_a_connection_is_not_read_while_there_is_no_room_and_nothing_of_it_is_lost(queue):
    flow = Connection()
    numbers = range(FEW + 5)
    for number in numbers:
        one = text_from(number, flow=flow)
        if not queue.offer(one):
            queue.hold(one)
    assert flow.paused and queue.paused == 1
    taken = []
    while flow.paused and len(queue):
        taken += queue.take(3, 10**9)
    assert 3 / 8 * FEW >= len(queue) > 0 and not flow.paused
    while batch := queue.take(3, 10**9):
        taken += batch
    assert {one.caller.uri for one in taken} == {f"sip:caller{n}@example.org" for n in numbers}


def test_what_nobody_waits_for_any_more_is_given_up_unless_people_wrote_it(queue, presence):
    """Red when heartbeats and tests are kept, or when a text is not."""
    given_up = []
    queue._given_up = given_up.append
    heartbeat = arrival(
        caller_number(1).message(
            lmpe.HEARTBEAT, b"<presence/>", content_type="application/pidf+xml"
        )
    )
    says_something = arrival(caller_number(2).message(lmpe.HEARTBEAT, "Hilfe"))
    test = text_from(3, uri="urn:service:test.sos", age=33)
    text = text_from(4, age=33)
    over_tcp = text_from(5, uri="urn:service:test.sos", age=33, flow=Connection())
    fresh = text_from(6, uri="urn:service:test.sos")
    for one in (heartbeat, says_something):
        one.received_at = datetime.now(UTC) - timedelta(seconds=33)
    for one in (heartbeat, says_something, test, text, over_tcp, fresh):
        queue.offer(one)
    taken = queue.take(100, 10**9)
    assert {id(one) for one in given_up} == {id(heartbeat), id(test)}
    assert {id(one) for one in taken} == {
        id(one) for one in (says_something, text, over_tcp, fresh)
    }
    assert queue.dropped == 2


def test_the_capacity_is_what_was_seen_under_load(queue):
    for _ in range(50):
        queue.measured(256, 0.128)
    assert 1950 < queue.capacity < 2050
