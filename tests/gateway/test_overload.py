"""More comes than can be taken: who is put off, how, and what is said upstream."""

import re
from contextlib import contextmanager

import pytest

from sipgateway.configuration import Configuration
from sipgateway.figures import GatewayFigures
from sipgateway.intake import Intake
from sipgateway.overload import Overload
from sipgateway.passing_back import PassingBack
from sipgateway.presence import Presence
from sipgateway.protocol.overload import parse_report
from sipgateway.testcalls import TakenTests
from sipgateway.trunks import TrunkSettings
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
from tests.support.eventually import eventually
from tests.support.rawsip import RawSip, make_message

OFFER = ';oc;oc-algo="loss"'
NEW_CHATS = 1500


@pytest.fixture
def presence():
    return Presence()


@pytest.fixture
def queue(presence, monkeypatch):
    return small_queue(presence, monkeypatch)


def offering(request):
    """Add the offer of overload control to a request's Via."""
    return request.replace(b";branch=", f"{OFFER};branch=".encode(), 1)


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
