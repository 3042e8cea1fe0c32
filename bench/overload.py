"""`bench overload`: what is still taken at many times the sustainable load, and whose."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from bench.children import Child
from bench.errors import BenchError
from bench.flood import Flood
from bench.instance import fresh_instance, gateway, prepare
from bench.machine import commit, describe_machine
from bench.sipp import percentile
from bench.steps import report

WINDOW = 400
LIVE_SHARE = 0.1
PATIENCE = 40.0
# Tens of thousands of chats stay open. Their heartbeats and their loss are no part of the question.
QUIET = "UPDATE psap_psap SET heartbeat_interval = 3600, lost_after = 3600"
FIGURES = "SELECT figures FROM psap_serviceprocess WHERE name = 'gateway'"
TOLD = (
    "leitstand_journal_queue_messages",
    "leitstand_journal_capacity",
    "leitstand_messages_without_room_total",
    "leitstand_retransmissions_total",
    "leitstand_outgoing_requests",
    "leitstand_deliveries_total",
    "leitstand_answers_total",
    "leitstand_projection_backlog_messages",
    "leitstand_projection_lag_seconds",
    "leitstand_overload_active",
    "leitstand_overload_oc_percent",
)


@dataclass(frozen=True, slots=True)
class OverloadPlan:
    """How many times the load, for how long, and how many chats are live meanwhile."""

    directory: Path
    times: float
    seconds: float
    chats: int


def measure_overload(plan: OverloadPlan) -> dict[str, Any]:
    """Find the peak, send many times as much, and see when all is as before; JSON data."""
    with _cores() as cores, fresh_instance(plan.directory) as instance:
        prepare(instance)
        with instance.connect() as configuring:
            configuring.execute(QUIET)
        result: dict[str, Any] = {
            "machine": describe_machine(instance.environment.state_dir),
            "commit": commit(),
            "cores": cores,
            "workload": {
                "generator": "one socket, UDP; live chats repeat as RFC 3261 17.1.2, new do not",
                "liveChats": plan.chats,
                "liveShareOfPeak": LIVE_SHARE,
                "times": plan.times,
                "seconds": plan.seconds,
            },
        }
        with instance.connect() as connection, gateway(instance) as child:
            _use(cores["generator"])
            flood = Flood(instance.environment.sip_port, plan.chats)
            watched = (child, instance.database)
            try:
                result |= _measure(plan, flood, connection, watched)
            finally:
                flood.close()
    return result


def _measure(
    plan: OverloadPlan, flood: Flood, connection: psycopg.Connection, watched: Sequence[Child]
) -> dict[str, Any]:
    used = _Used(watched)
    if not flood.open_chats():
        raise BenchError("the live chats could not be opened")
    flood.closed(WINDOW, plan.seconds / 2)  # the first thousand rows are slower
    used.since_last()
    peak = flood.closed(WINDOW, plan.seconds)
    peak_cost = used.since_last() / max(flood.tally.answered, 1)
    report(f"peak: {peak:.0f} new chats a second")
    goodput = flood.open(plan.times * peak, LIVE_SHARE * peak, plan.seconds)
    tally, during = flood.tally, _figures(connection)
    cost = used.since_last() / max(tally.answered, 1)
    offered = tally.sent / plan.seconds
    report(f"{offered:.0f} a second offered, {goodput:.0f} taken")
    normal = flood.normal_after(PATIENCE)
    flood.drain(PATIENCE)
    used.since_last()
    after = flood.closed(WINDOW, plan.seconds)
    peak_cost = (peak_cost + used.since_last() / max(flood.tally.answered, 1)) / 2
    report(f"peak afterwards: {after:.0f} a second")
    before, peak = peak, (peak + after) / 2  # others may use this machine, too
    seconds = sorted(tally.live_seconds)
    return {
        "peakBefore": round(before),
        "peakAfter": round(after),
        "peak": round(peak),
        "offered": round(offered),
        "offeredTimesPeak": round(offered / peak, 1),
        "goodput": round(goodput),
        "goodputShareOfPeak": round(goodput / peak, 3),
        "processorMicrosAMessage": {"peak": round(peak_cost * 1e6), "overload": round(cost * 1e6)},
        "goodputShareByProcessor": round(peak_cost / cost, 3),
        "live": {
            "sent": tally.live_sent,
            "answered": tally.live_answered,
            "repetitions": tally.repeated,
            "p50Ms": _milliseconds(percentile(seconds, 0.5)),
            "p99Ms": _milliseconds(percentile(seconds, 0.99)),
        },
        "new": {
            "sent": tally.sent - tally.live_sent,
            "answered": tally.answered - tally.live_answered,
        },
        "normalAfterSeconds": None if normal is None else round(normal, 2),
        "gateway": during,
    }


class _Used:
    """Processor time of the gateway and PostgreSQL: what others use here does not count in it."""

    def __init__(self, watched: Sequence[Child]) -> None:
        self._watched = watched
        self._last = 0.0
        self.since_last()

    def since_last(self) -> float:
        """Return the seconds that were used since this was asked last."""
        now = sum(child.cpu_seconds() for child in self._watched)
        passed, self._last = now - self._last, now
        return passed


def _figures(connection: psycopg.Connection) -> dict[str, Any]:
    row = connection.execute(FIGURES).fetchone()
    figures = row[0] if row else {}
    return {name.removeprefix("leitstand_"): figures.get(name) for name in TOLD}


def _milliseconds(seconds: float) -> float | None:
    return None if seconds != seconds else round(1000 * seconds, 1)


@contextmanager
def _cores() -> Iterator[dict[str, list[int]]]:
    """Let what is measured have one core and the generator another, where there are two.

    On one core together, the generator would take from the gateway what it then misses there.
    """
    everything = sorted(os.sched_getaffinity(0))
    instance, generator = (
        (everything[:-1], everything[-1:]) if everything[1:] else (everything,) * 2
    )
    _use(instance)
    try:
        yield {"instance": instance, "generator": generator}
    finally:
        _use(everything)


def _use(cores: list[int]) -> None:
    os.sched_setaffinity(0, cores)
