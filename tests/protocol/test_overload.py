"""Overload control in Via (RFC 7339): what is offered, said, believed and held back."""

import pytest

from sipgateway.protocol.overload import (
    LossClient,
    LossController,
    Report,
    offers_loss_control,
    parse_report,
    retry_after,
    stamped_with_report,
)
from sipgateway.protocol.via import parse_via

TOP = "SIP/2.0/TCP bcf.example.org:5060;branch=z9hG4bKx"


@pytest.mark.conformance("6.1.2.9-2")
@pytest.mark.parametrize(
    ("via", "offers"),
    [
        (TOP + ';oc;oc-algo="loss"', True),
        (TOP + ';oc;oc-algo="loss,rate"', True),
        (TOP + ';OC; oc-algo = "rate, LOSS"', True),
        (TOP + ";oc;oc-algo=loss", True),
        (TOP + ';oc;oc-algo="rate"', False),
        (TOP + ';oc-algo="loss"', False),
        (TOP + ";oc", False),
        (TOP, False),
        ("SIP/2.0/UDP oc-algo.example.org;branch=z9hG4bKoc", False),
        (TOP + ", SIP/2.0/TCP app;branch=z9hG4bKy;oc;oc-algo=loss", False),
    ],
)
def test_a_client_offers_control_by_oc_and_the_loss_algorithm_in_its_own_via(via, offers):
    assert offers_loss_control(via) is offers


def test_a_report_takes_the_place_of_the_offer_and_leaves_everything_else():
    via = TOP + ';oc;received=192.0.2.9;oc-algo="loss,rate", SIP/2.0/TCP app;branch=z9hG4bKy;oc'
    stamped = stamped_with_report(via, Report(20, 2500, (1282321615, 782)))
    assert stamped == (
        TOP + ';received=192.0.2.9;oc=20;oc-algo="loss";oc-validity=2500;oc-seq=1282321615.782'
        ", SIP/2.0/TCP app;branch=z9hG4bKy;oc"
    )
    assert parse_via(stamped).branch == "z9hG4bKx"
    assert parse_report(stamped) == Report(20, 2500, (1282321615, 78200))


@pytest.mark.parametrize(
    ("parameters", "report"),
    [
        (";oc=20;oc-algo=loss", Report(20, 500)),
        (";oc=0;oc-algo=loss;oc-validity=0;oc-seq=1.5", Report(0, 0, (1, 50000))),
        (";oc=100", Report(100, 500)),
        (";oc=101;oc-algo=loss", None),
        (";oc=-1;oc-algo=loss", None),
        (";oc=²;oc-algo=loss", None),
        (";oc;oc-algo=loss", None),
        (';oc=20;oc-algo="rate"', None),
        (";oc=20;oc-validity=soon", None),
        (";branch2=oc", None),
        (";oc=20;oc-seq=x.y", Report(20, 500)),
    ],
)
def test_of_a_response_only_what_is_a_number_counts(parameters, report):
    assert parse_report(TOP + parameters) == report


def flood(controller, *, offered, capacity, seconds, queue=0.0, start=0.0):
    """Run a server and its obedient clients, second by second."""
    waits, served = [], 0.0
    for second in range(seconds):
        arrivals = offered * (1 - controller.report.loss / 100)
        queue += arrivals
        done = min(queue, capacity)
        served, queue = served + done, queue - done
        waits.append(queue / capacity)
        controller.update(wait=waits[-1], arrivals=arrivals, capacity=capacity, now=start + second)
    return waits, served / seconds, queue


@pytest.mark.parametrize("times", [1.5, 3, 10])
def test_under_ten_times_the_load_the_capacity_is_used_and_waiting_ends(times):
    controller = LossController()
    waits, goodput, queue = flood(controller, offered=times * 1000, capacity=1000, seconds=60)
    assert goodput >= 900
    assert max(waits[40:]) < 3
    assert controller.is_active
    flood(controller, offered=500, capacity=1000, seconds=20, queue=queue, start=60)
    assert controller.report.loss == 0 and controller.report.validity == 0


def test_nothing_is_asked_for_while_nothing_waits():
    controller = LossController()
    flood(controller, offered=900, capacity=1000, seconds=30)
    assert controller.report == Report(0, 0, (0, 0))


def test_the_number_of_a_report_rises_with_each_change_also_when_the_clock_stands_still():
    controller, numbers = LossController(), []
    for wait in (2.0, 2.0, 0.0, 0.0, 3.0, 2.0):
        numbers.append(controller.update(wait=wait, arrivals=3000, capacity=1000, now=5.0))
    seqs = [report.seq for report in numbers]
    assert seqs == sorted(seqs)
    changes = [(a, b) for a, b in zip(numbers, numbers[1:], strict=False) if a.loss != b.loss]
    assert changes and all(a.seq < b.seq for a, b in changes)


def test_what_may_be_left_out_bears_the_share_of_all():
    client = LossClient()
    client.receive(Report(30, 60_000, (1, 0)), now=0.0)
    sent = 0
    for _ in range(500):
        client.sent(0.0)
        sent += client.admits(0.0)
    assert 190 <= sent <= 210  # 30 % of 1000 requests, all of them heartbeats
    client.receive(Report(100, 60_000, (2, 0)), now=0.0)
    assert not any([client.admits(0.0) for _ in range(10)])


def test_a_report_ends_by_itself_by_a_newer_one_and_never_by_an_older_one():
    client = LossClient()
    client.receive(Report(40, 1000, (5, 0)), now=10.0)
    client.receive(Report(90, 1000, (4, 99999)), now=10.5)
    assert client.loss(10.9) == 40
    assert client.loss(11.0) == 0
    client.receive(Report(40, 1000, (6, 0)), now=12.0)
    client.receive(Report(0, 0, (7, 0)), now=12.1)
    assert client.loss(12.2) == 0
    client.receive(Report(40, 1000, (6, 0)), now=12.3)  # delayed on its way
    assert client.loss(12.4) == 0


def test_those_refused_together_do_not_come_back_together():
    times = {retry_after(20_000, 2000.0, spread=number / 10) for number in range(11)}
    assert min(times) == 10 and max(times) == 22 and len(times) > 8
    assert retry_after(0, 0.0, spread=0.0) == 1
    assert retry_after(10**9, 1.0, spread=1.0) == 60
