"""More comes than can be taken: who waits, who is put off, how, and what is said upstream."""

import re
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest

from sipgateway import journal_queue
from sipgateway.configuration import Configuration
from sipgateway.figures import GatewayFigures
from sipgateway.intake import Intake
from sipgateway.journal_queue import JournalQueue
from sipgateway.overload import Overload
from sipgateway.passing_back import PassingBack
from sipgateway.precedence import Kind, place_of, rank
from sipgateway.presence import LiveChat, Presence
from sipgateway.protocol.overload import parse_report
from sipgateway.simulator import lmpe
from sipgateway.testcalls import TakenTests
from sipgateway.trunks import TrunkSettings
from tests.support.arrivals import Flow, arrival
from tests.support.caller import Caller
from tests.support.eventually import eventually
from tests.support.rawsip import RawSip, make_message

OFFER = ';oc;oc-algo="loss"'
NEW_CHATS = 600
FEW = 20


class Connection(Flow):
    """A connection without a socket."""

    transport, reliable = "tcp", True

    def __init__(self):
        self.sent, self.paused = [], False

    def send(self, data):
        self.sent.append(data)
        return True

    def pause(self):
        self.paused = True

    def resume(self):
        self.paused = False


def known_to(presence, caller):
    one = arrival(Caller("UDP", caller.uri, caller.unique_part).start())
    presence.add(
        LiveChat(
            id=hash(caller.unique_part),
            call_id=caller.call_id,
            key=(caller.unique_part, one.identifiers.element, one.caller.uri),
            remote_uri=caller.uri,
            local_tag="x",
            liveness="alive",
            transport="udp",
            peer="192.0.2.1:5060",
            last_sign_of_life=datetime.now(UTC),
            heartbeat_due=0.0,
        )
    )


def caller_number(number):
    return Caller("UDP", uri=f"sip:caller{number}@example.org")


def text_from(number, *, flow=None, age=0.0, **parts):
    found = arrival(caller_number(number).start(**parts))
    found.received_at = datetime.now(UTC) - timedelta(seconds=age)
    found.flow = flow or found.flow
    return found


def offering(request):
    """Add the offer of overload control to a request's Via."""
    return request.replace(b";branch=", f"{OFFER};branch=".encode(), 1)


@pytest.fixture
def presence():
    return Presence()


@pytest.fixture
def queue(presence, monkeypatch):
    """Room for twenty, as soon as more than two wait."""
    monkeypatch.setattr(journal_queue, "SHORT", 2)
    monkeypatch.setattr(journal_queue, "LONGEST_QUEUE", FEW)
    monkeypatch.setattr(journal_queue, "LEAST_ROOM", 0)
    return JournalQueue(lambda one: place_of(one, presence))


def fill(queue, make=text_from):
    """Offer until there is no room; returns how many were taken."""
    return next(number for number in range(1000) if not queue.offer(make(number)))


# Who is how urgent.


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


# Room.


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


# Turned away unread.


@contextmanager
def at_the_door(queue, presence, **settings):
    """An overload guard and an intake before a queue, without a gateway around them."""
    trunks = {"": TrunkSettings(name="", **settings)}
    now = [100.0]
    overload = Overload(
        queue,
        presence,
        copes_with_503=lambda trunk: trunks[trunk].upstream_copes_with_503,
        arrivals=lambda: 0,
        clock=lambda: now[0],
        wall_clock=lambda: now[0],
    )

    class Door:
        """The writer's side of the queue."""

        is_crowded = property(lambda self: queue.is_long)
        offer, hold = queue.offer, queue.hold

    intake = Intake(
        journal=Door(),
        presence=presence,
        passing_back=PassingBack(None, None),
        outgoing=None,
        configuration=lambda: Configuration(trunks=trunks),
        commits_succeed=lambda: True,
        overload=overload,
        tests=TakenTests(lambda: now[0]),
        figures=GatewayFigures(),
        clock=lambda: now[0],
    )
    intake.begin()
    yield intake, overload, now


class Datagrams(Connection):
    transport, reliable = "udp", False


def test_a_datagram_that_there_is_no_room_for_is_not_read_and_not_answered(queue, presence):
    flow, live = Datagrams(), caller_number(7000)
    known_to(presence, live)
    fill(queue)
    with at_the_door(queue, presence) as (intake, overload, now):
        assert intake.receive(caller_number(8000).start(), flow)
        assert not intake.receive(live.say("Noch da"), flow)
        assert len(queue) == 18 + 1
        assert not intake.receive(make_message(method="OPTIONS", body=b""), flow)
        assert overload.is_active
        assert b"SIP/2.0 200" in flow.sent[0] and len(flow.sent) == 1
        while len(queue):
            queue.take(FEW, 10**9)
        assert not intake.receive(caller_number(8001).start(), flow)
        assert len(queue) == 1
        now[0] += 6
        assert not overload.is_active


@pytest.mark.parametrize(
    "written",
    [
        "<urn:emergency:uid:callid:{}:app.example.org>;purpose=EmergencyCallData.CallId",
        "<urn:emergency:service:uid:CALLID:{}:app.example.org>;purpose=EmergencyCallData.CallId",
        "<urn:emergency:uid:callid:{}>;purpose=EmergencyCallData.CallId",
        "<urn:dec112:uid:callid:{}:service.dec112.at>; purpose=dec112-CallId",
    ],
)
def test_a_live_chat_is_known_however_its_identifier_is_written(queue, presence, written):
    flow = Datagrams()
    live = Caller("UDP", uri="sip:lena@example.org", unique_part="a-live.chat_7")
    for part in ("a-live.chat_7", "alivechat7"):
        known_to(presence, Caller("UDP", uri="sip:lena@example.org", unique_part=part))
    fill(queue)
    with at_the_door(queue, presence) as (intake, _, _):
        for part in ("a-live.chat_7", "alivechat7"):
            info = (written.format(part), *live.info(259, 7)[1:])
            assert not intake.receive(make_message(call_info=info), flow)
        assert intake.receive(make_message(call_info=(written.format("another"),)), flow)


def test_heartbeats_of_live_chats_are_read_however_much_waits(queue, presence):
    """Red when all of them are turned away: every chat would be marked lost."""
    flow, live = Datagrams(), caller_number(7000)
    known_to(presence, live)
    fill(queue, lambda n: arrival(live.say("x")))
    with at_the_door(queue, presence) as (intake, _, _):
        assert intake.receive(live.say("Noch da"), flow)
        assert not intake.receive(live.heartbeat(), flow)
    assert b"SIP/2.0 200" in flow.sent[-1]


def test_a_repetition_of_what_waits_is_not_read_again(queue, presence):
    flow, data = Datagrams(), caller_number(9000).start()
    for number in range(5):
        queue.offer(text_from(number))
    with at_the_door(queue, presence) as (intake, overload, _):
        assert not intake.receive(data, flow)
        assert intake.receive(bytes(data), flow)
        assert overload.repeated == 1 and len(queue) == 6
        while len(queue):
            queue.take(FEW, 10**9)
        assert not queue.waiting_datagrams


@pytest.mark.conformance("6.1.2.9-1")
@pytest.mark.parametrize("flow", [Datagrams, Connection])
def test_503_is_for_new_calls_on_a_trunk_whose_upstream_copes_and_says_when_to_come(
    queue, presence, flow
):
    flow, live = flow(), caller_number(7000)
    known_to(presence, live)
    fill(queue)
    with at_the_door(queue, presence, upstream_copes_with_503=True) as (intake, _, _):
        intake.receive(caller_number(8000).start(), flow)
        assert flow.sent[0].startswith(b"SIP/2.0 503 ")
        assert re.search(rb"\r\nRetry-After: [1-9]", flow.sent[0])
        intake.receive(offering(caller_number(8001).start()), flow)
        assert flow.sent[1].startswith(b"SIP/2.0 503 ") and b"Retry-After" not in flow.sent[1]
        before = len(queue)
        intake.receive(live.say("Noch da"), flow)
        assert len(queue) == before + 1 and len(flow.sent) == 2
        fill(queue, lambda n: arrival(live.say(f"{n}")))
        intake.receive(live.say("Immer noch da"), flow)
        assert len(flow.sent) == 2  # elsewhere nobody knows this chat


@pytest.mark.conformance("6.1.2.9-1")
@pytest.mark.parametrize("flow", [Datagrams, Connection])
def test_without_that_certainty_there_is_never_a_503(queue, presence, flow):
    flow = flow()
    fill(queue)
    with at_the_door(queue, presence) as (intake, _, _):
        for number in range(5):
            intake.receive(caller_number(8000 + number).start(), flow)
    assert flow.sent == []
    assert flow.paused is flow.reliable


# RFC 7339.


@pytest.mark.conformance("6.1.2.9-2")
def test_a_client_that_offers_control_is_told_how_much_to_hold_back_while_much_waits(
    queue, presence
):
    flow = Datagrams()
    for number in range(10):
        queue.offer(text_from(number))
    with at_the_door(queue, presence) as (intake, overload, now):
        overload._arrivals = iter(range(0, 10**9, 8000)).__next__
        queue.capacity = 2.0
        for _ in range(5):
            now[0] += 1
            overload.look()
        options = make_message(method="OPTIONS", body=b"")
        intake.receive(offering(options), flow)
        intake.receive(options, flow)
        queue.capacity = 10_000.0
        for _ in range(20):
            now[0] += 1
            overload.look()
        intake.receive(offering(make_message(method="OPTIONS", body=b"")), flow)
    told, others, over = [re.search(r"\r\nVia: (.*?)\r\n", data.decode())[1] for data in flow.sent]
    report = parse_report(told)
    assert report.loss >= 90 and report.validity > 1000
    assert parse_report(others) is None and "oc" not in others.replace("proto", "")
    assert parse_report(over).loss == parse_report(over).validity == 0
    assert parse_report(over).seq > report.seq


# A whole gateway.


async def test_what_waits_at_a_real_gateway_is_journaled_in_the_order_of_urgency(gateway, record):
    """Red in one line: the text of the live chat came last, so it would be journaled last."""
    live = Caller("UDP", uri="sip:lena@example.org")
    journaled = "SELECT call_id FROM chats_journal ORDER BY id"
    async with RawSip(gateway.target("udp")) as app:
        await app.exchange(live.start())
        await app.until(lambda: bool(app.requests))
        before = len(record.rows(journaled))
        holding = record.session()
        try:
            holding.execute("LOCK TABLE chats_journal IN EXCLUSIVE MODE")
            new = [caller_number(number) for number in range(NEW_CHATS)]
            for caller in new:
                app.send(caller.start())
            options = make_message(method="OPTIONS", body=b"")
            await app.exchange(options)  # what was sent before it has been read
            app.send(live.say("Ich bin noch da"))
            await app.exchange(make_message(method="OPTIONS", body=b""))
        finally:
            holding.close()
        await eventually(
            lambda: len(record.rows(journaled)) == before + NEW_CHATS + 1, "all are there", 20
        )
    order = [row[0] for row in record.rows(journaled)[before:]]
    # What was on its way to PostgreSQL already, a batch at most, comes before it.
    assert order.index(live.call_id) <= 256
    assert set(order) == {caller.call_id for caller in (live, *new)}


@pytest.mark.conformance("6.1.2.9-2")
async def test_a_gateway_that_has_room_says_so_to_those_who_ask_and_to_nobody_else(gateway):
    async with RawSip(gateway.target("tcp")) as app:
        plain = Caller().start()
        assert "oc-" not in (await app.exchange(plain)).header("via")
        report = parse_report((await app.exchange(offering(Caller().start()))).header("via"))
        assert (report.loss, report.validity) == (0, 0)
