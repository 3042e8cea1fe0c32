"""`bench screen`: from the SIP socket to the document of a browser, with a room full of desks."""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from bench.browser import chromium
from bench.callers import Callers
from bench.children import cpu_seconds_by_program
from bench.desks import Desk, open_desks
from bench.errors import BenchError
from bench.instance import whole_instance
from bench.machine import commit, describe_machine
from bench.programs import require_programs
from bench.sipp import percentile
from bench.steps import report
from psap.project.environment import PROJECT_ROOT, Environment
from psap.project.launch import probes

IDLE_SECONDS = 5.0
WARM_UP_SECONDS = 3.0
LAST_TEXTS_WITHIN = 5.0
PROJECTED_WITHIN = 10.0
# Words of command lines, for the share of the processors that each program took.
PROGRAMS = {
    "sipgateway": "gateway",
    "daphne": "web",
    "postgres": "postgres",
    "chromium": "browsers",
    "celery": "celery",
}
CREATE_CALL_TAKERS = """
import json, sys
from django.contrib.auth.models import Group
from psap.models import CALL_TAKER, User
for number, password in enumerate(json.load(sys.stdin)):
    user = User.objects.create_user(f"desk{number:02d}", password=password)
    user.groups.add(Group.objects.get(name=CALL_TAKER))
"""


@dataclass(frozen=True, slots=True)
class ScreenPlan:
    """What to measure: how many desks and chats, messages a second, for how long."""

    directory: Path
    desks: int
    painting: int
    chats: int
    rate: float
    seconds: float


def measure_screen(plan: ScreenPlan) -> dict[str, Any]:
    """Start a whole instance, the desks and the callers; return the figures as JSON data."""
    require_programs(["chromium"])
    if plan.chats < plan.desks:
        raise BenchError("there must be a chat for each desk")
    plan.directory.mkdir(parents=True, exist_ok=True)
    with whole_instance(plan.directory) as environment:
        machine = describe_machine(environment.state_dir)
        screen = asyncio.run(_measure(plan, environment))
    return {
        "machine": machine,
        "commit": commit(),
        "workload": {
            "desks": plan.desks,
            "painting": plan.painting,
            "browser": "chromium, headless, one context a desk",
            "chats": plan.chats,
            "messagesASecond": plan.rate,
            "seconds": plan.seconds,
            "message": "in-chat/259 over UDP, text/plain; every fifth with PIDF-LO Circle",
            "measured": "socket send to MutationObserver, messages of the chat that a desk shows",
        },
        "screen": screen,
    }


async def _measure(plan: ScreenPlan, environment: Environment) -> dict[str, Any]:
    logins = _create_call_takers(environment, plan.desks)
    callers = await Callers.connect(environment.sip_port, plan.chats)
    try:
        await callers.open_chats()
        chats = await _chat_ids(environment, [c.unique_part for c in callers.everyone])
        async with chromium(plan.directory) as browser:
            url = probes.url(environment)
            report(f"{plan.chats} chats are open, now {plan.desks} desks")
            desks = await open_desks(browser, url, logins, chats[: plan.desks], plan.painting)
            return await _write_and_watch(plan, callers, desks)
    finally:
        callers.close()


async def _write_and_watch(
    plan: ScreenPlan, callers: Callers, desks: Sequence[Desk]
) -> dict[str, Any]:
    begun, used = time.monotonic(), cpu_seconds_by_program(os.getpid(), PROGRAMS)
    await asyncio.sleep(IDLE_SECONDS)
    idle = _cpu_since(begun, used)
    await callers.write(callers.everyone, rate=plan.rate, seconds=WARM_UP_SECONDS)
    begun, used = time.monotonic(), cpu_seconds_by_program(os.getpid(), PROGRAMS)
    report(f"warm, now {plan.rate:.0f} messages a second for {plan.seconds:.0f} s")
    sent = await callers.write(callers.everyone, rate=plan.rate, seconds=plan.seconds)
    cpu = _cpu_since(begun, used)
    expected = sent[: len(desks)]
    seen = await _latencies(desks, expected)
    figures = _figures([value for desk in seen for value in desk])
    painted = [
        value for desk, values in zip(desks, seen, strict=True) if desk.paints for value in values
    ]
    missed = sum(map(len, expected)) - figures["messages"]
    report(f"{figures}, {missed} missed, cpu {cpu}, idle {idle}")
    return {
        **figures,
        "missed": missed,
        "painted": _figures(painted),
        "sent": sum(map(len, sent)),
        "refused": len(callers.refused),
        "cpu": cpu,
        "idleCpu": idle,
    }


def _cpu_since(begun: float, used: Mapping[str, float]) -> dict[str, float]:
    """Return the processors that each program has taken since then."""
    took = time.monotonic() - begun
    now = cpu_seconds_by_program(os.getpid(), PROGRAMS)
    return {name: round((seconds - used[name]) / took, 2) for name, seconds in now.items()}


def _figures(times: Sequence[float]) -> dict[str, Any]:
    """Return the percentiles of some response times in ms, None where there are none."""
    ordered = sorted(times)
    if not ordered:
        return {"p50Ms": None, "p99Ms": None, "maxMs": None, "messages": 0}
    return {
        "p50Ms": round(percentile(ordered, 0.5), 1),
        "p99Ms": round(percentile(ordered, 0.99), 1),
        "maxMs": round(ordered[-1], 1),
        "messages": len(ordered),
    }


async def _latencies(desks: Sequence[Desk], expected: Sequence[Sequence[str]]) -> list[list[float]]:
    """Collect how late each desk saw what it was sent; waits a little for the last texts."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + LAST_TEXTS_WITHIN
    while True:
        late: list[list[float]] = []
        for desk, stamps in zip(desks, expected, strict=True):
            seen = await desk.seen()
            late.append([seen[stamp] for stamp in stamps if stamp in seen])
        complete = all(len(v) == len(e) for v, e in zip(late, expected, strict=True))
        if complete or loop.time() > deadline:
            return late
        await asyncio.sleep(0.2)


def _create_call_takers(environment: Environment, count: int) -> list[tuple[str, str]]:
    passwords = [f"bench password {number:02d}" for number in range(count)]
    done = subprocess.run(  # noqa: S603
        [sys.executable, str(PROJECT_ROOT / "manage.py"), "shell", "-c", CREATE_CALL_TAKERS],
        env={**os.environ, "PSAP_STATE_DIR": str(environment.state_dir), "DATABASE_URL": ""},
        input=json.dumps(passwords),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise BenchError(f"the call-takers cannot be created: {done.stderr.strip()[-300:]}")
    return [(f"desk{number:02d}", password) for number, password in enumerate(passwords)]


async def _chat_ids(environment: Environment, unique_parts: Sequence[str]) -> list[str]:
    """Return the chats' ids in the order of their call identifiers, once all are projected."""
    deadline = time.monotonic() + PROJECTED_WITHIN
    with psycopg.connect(environment.database_url, autocommit=True) as connection:
        while True:
            rows = connection.execute(
                "SELECT unique_part, id FROM chats_chat WHERE unique_part = ANY(%s)",
                [list(unique_parts)],
            ).fetchall()
            if len(rows) == len(unique_parts):
                ids = dict(rows)
                return [str(ids[unique_part]) for unique_part in unique_parts]
            if time.monotonic() > deadline:
                raise BenchError("chats were acknowledged and are not in the record")
            await asyncio.sleep(0.05)
