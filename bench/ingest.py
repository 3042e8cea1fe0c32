"""`bench ingest`: how many messages a second are taken durably, beside Kamailio's msilo."""

import math
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, LiteralString

import psycopg

from bench import kamailio
from bench.errors import BenchError
from bench.instance import Instance, free_port, fresh_instance, gateway, prepare
from bench.ladder import Climb, Step, climb
from bench.machine import commit, describe_machine
from bench.programs import kamailio_modules, require_programs
from bench.sipp import UNANSWERED_AFTER_MS, Sipp
from bench.steps import Side
from bench.workload import SEED, Workload, write_workload

OPENED_A_SECOND = 300
PROJECTED_WITHIN = 60.0
# SIPp reads the kernel's coarse clock: its response times come in these steps.
CLOCK_MONOTONIC_COARSE = 6
LAG = """
SELECT coalesce(extract(epoch FROM clock_timestamp() - min(journal.received_at)), 0)
  FROM chats_journal journal
  LEFT JOIN chats_message message ON message.journal_id = journal.id
 WHERE journal.id > coalesce((SELECT max(journal_id) FROM chats_projectionmark), 0)
   AND message.id IS NULL
"""
MESSAGES_IN = "SELECT count(*) FROM chats_message WHERE direction = 'in'"
GREETINGS = """
SELECT count(*) FILTER (WHERE status = 'delivered'), count(*) FROM chats_message
 WHERE direction = 'out' AND type = 257
"""


@dataclass(frozen=True, slots=True)
class IngestPlan:
    """What to measure: seconds a step, the first rate and the highest, who takes part."""

    directory: Path
    seconds: int
    start: int
    highest: int
    chats: int
    sides: tuple[str, ...]
    children: tuple[int, ...]


def measure_ingest(plan: IngestPlan) -> dict[str, Any]:
    """Measure both sides on one PostgreSQL server and return the figures as JSON data."""
    require_programs(["sipp", *(["kamailio"] if "kamailio" in plan.sides else [])])
    if "kamailio" in plan.sides:
        kamailio_modules()
    with fresh_instance(plan.directory) as instance:
        workload = write_workload(instance.environment.state_dir / "sipp", chats=plan.chats)
        result: dict[str, Any] = {
            "machine": describe_machine(instance.environment.state_dir),
            "commit": commit(),
            "workload": _describe(plan),
            "postgres": instance.postgres_settings(),
        }
        ours = _measure_ours(plan, instance, workload) if "ours" in plan.sides else None
        theirs = _measure_kamailio(plan, instance, workload) if "kamailio" in plan.sides else None
    result["ours"], result["kamailioMsilo"] = ours, theirs
    both = ours and theirs and theirs["rate"]
    result["ratio"] = round(ours["rate"] / theirs["rate"], 2) if both else None
    return result


def _describe(plan: IngestPlan) -> dict[str, Any]:
    return {
        "generator": "sipp 3.6, UDP, open loop, no retransmissions",
        "chats": plan.chats,
        "message": "in-chat/259, multipart/mixed: text/plain and PIDF-LO Circle, about 2 kB",
        "stepSeconds": plan.seconds,
        "unansweredAfterMs": UNANSWERED_AFTER_MS,
        "seed": SEED,
        "responseTimeStepMs": round(time.clock_getres(CLOCK_MONOTONIC_COARSE) * 1000, 3),
    }


def _measure_ours(plan: IngestPlan, instance: Instance, workload: Workload) -> dict[str, Any]:
    prepare(instance)
    sipp = Sipp(workload, free_port(socket.SOCK_DGRAM), instance.environment.sip_port)
    with gateway(instance) as child, instance.connect() as connection:
        opened = sipp.run(
            workload.scenario("start"), rate=OPENED_A_SECOND, messages=plan.chats, strict=False
        )
        if opened.failed:
            raise BenchError(f"{opened.failed} of {plan.chats} chats could not be opened")
        _wait(lambda: _scalar(connection, LAG) == 0, "the projector did not take up the starts")
        delivered, greetings = connection.execute(GREETINGS).fetchone() or (0, 0)
        before = int(_scalar(connection, MESSAGES_IN))
        found = climb(
            Side(
                "ours",
                sipp,
                plan.seconds,
                {"gateway": child, "postgres": instance.database},
                lambda: _scalar(connection, LAG),
            ).measure,
            start=plan.start,
            highest=plan.highest,
        )
        _wait(lambda: _scalar(connection, LAG) == 0, "the projector did not catch up")
        on_chats = int(_scalar(connection, MESSAGES_IN)) - before
    answered = sum(step.sent - step.failed for step in found.steps)
    return {
        **_figures(found),
        "answered": answered,
        "onChats": on_chats,
        "greetings": {"queued": greetings, "deliveredAtStart": delivered},
    }


def _measure_kamailio(plan: IngestPlan, instance: Instance, workload: Workload) -> dict[str, Any]:
    kamailio.create_database(instance)
    runs = []
    for children in plan.children:
        kamailio.empty_silo(instance)
        port = free_port(socket.SOCK_DGRAM)
        sipp = Sipp(workload, free_port(socket.SOCK_DGRAM), port)
        with kamailio.kamailio(instance, children=children, port=port) as child:
            watched = {"kamailio": child, "postgres": instance.database}
            found = climb(
                Side(f"kamailio/{children}", sipp, plan.seconds, watched).measure,
                start=plan.start,
                highest=plan.highest,
            )
        answered = sum(step.sent - step.failed for step in found.steps)
        stored = kamailio.stored_messages(instance)
        runs.append(
            {"children": children, **_figures(found), "answered": answered, "stored": stored}
        )
    best = max(runs, key=lambda run: run["rate"])
    return {**best, "runs": runs}


def _figures(found: Climb) -> dict[str, Any]:
    best = found.best
    return {
        "rate": round(best.rate) if best else 0,
        "p50Ms": best.p50_ms if best else None,
        "p99Ms": best.p99_ms if best else None,
        "failed": best.failed if best else found.steps[-1].failed,
        "endedBy": found.ended_by,
        "steps": [_step(step) for step in found.steps],
    }


def _step(step: Step) -> dict[str, Any]:
    return {
        "target": step.target,
        "rate": round(step.rate),
        "sent": step.sent,
        "failed": step.failed,
        "p50Ms": None if math.isnan(step.p50_ms) else step.p50_ms,
        "p99Ms": None if math.isnan(step.p99_ms) else step.p99_ms,
        "lagSeconds": round(step.lag, 3),
        "cpu": step.cpu,
    }


def _scalar(connection: psycopg.Connection, query: LiteralString) -> float:
    row = connection.execute(query).fetchone()
    return float(row[0]) if row else 0.0


def _wait(condition: Callable[[], bool], otherwise: str) -> None:
    deadline = time.monotonic() + PROJECTED_WITHIN
    while not condition():
        if time.monotonic() > deadline:
            raise BenchError(otherwise)
        time.sleep(0.1)
