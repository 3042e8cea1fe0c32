"""`bench transfer`: how long an app is between two control rooms, from the 266 to the 265."""

import asyncio
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from bench.errors import BenchError
from bench.instance import whole_instance
from bench.machine import commit, describe_machine
from bench.sipp import percentile
from bench.steps import report
from psap.project.environment import PROJECT_ROOT, Environment
from sipgateway.simulator import lmpe
from sipgateway.simulator.app import SimulatedApp
from sipgateway.simulator.transport import Target

HOST = "127.0.0.1"
MANAGE = (sys.executable, str(PROJECT_ROOT / "manage.py"))
# Both show the certificate of one `devca`; it names this.
CERTIFICATE_NAME = "localhost"
PEER = "The other room"
PATIENCE = 30.0
SERVES_WITHIN = 20.0
# Stays for all transfers, so that none pays for the start of a process.
CALL_TAKER = """
import json, sys
from datetime import UTC, datetime
from chats.services.transfers.request import request_transfer
print("ready", flush=True)
for line in sys.stdin:
    chat, peer = json.loads(line)
    request_transfer(chat_id=chat, call_taker=None, peer_id=peer, reason="bench",
        text="One moment.", override=True, at_once=True, now=datetime.now(UTC))
    print("asked", flush=True)
"""


@dataclass(frozen=True, slots=True)
class TransferPlan:
    """What to measure: how many transfers, of chats with how many texts, over which transport."""

    directory: Path
    transfers: int
    texts: int
    transport: str


def measure_transfer(plan: TransferPlan) -> dict[str, Any]:
    """Start two instances, introduce them, and hand chats over one after the other."""
    plan.directory.mkdir(parents=True, exist_ok=True)
    certificates = Path(tempfile.mkdtemp(prefix="bench-certificates-", dir=plan.directory))
    try:
        with whole_instance(plan.directory) as ours, whole_instance(plan.directory) as theirs:
            machine = describe_machine(ours.state_dir)
            for room in (ours, theirs):
                _manage(room, "devca", str(certificates), "--install")
            peer = _introduce(ours, theirs)
            _introduce(theirs, ours)
            _wait_until_served(ours)
            with _call_taker(ours) as call_taker:
                result = asyncio.run(_measure(plan, ours, call_taker, peer))
    finally:
        shutil.rmtree(certificates, ignore_errors=True)
    return {
        "machine": machine,
        "commit": commit(),
        "workload": {
            "transfers": plan.transfers,
            "textsOfAChat": plan.texts,
            "transport": plan.transport,
            "between": "two instances on loopback, mutual TLS, the peer accepts by its rule",
            "measured": "at the app: arrival of the 266 to arrival of the 265",
        },
        "transfer": result,
    }


async def _measure(
    plan: TransferPlan, ours: Environment, call_taker: "_CallTaker", peer: int
) -> dict[str, Any]:
    await _one(plan, ours, call_taker, peer)  # connections are made, code is loaded
    gaps: list[float] = []
    unfinished = 0
    for number in range(plan.transfers):
        try:
            gaps.append(await _one(plan, ours, call_taker, peer))
        except TimeoutError:
            unfinished += 1
        if number % 20 == 19:
            report(f"{number + 1} of {plan.transfers} transfers")
    if not gaps:
        raise BenchError("no transfer came to its end")
    gaps.sort()
    return {
        "done": len(gaps),
        "unfinished": unfinished,
        "gapMs": {
            "p50": _milliseconds(percentile(gaps, 0.5)),
            "p99": _milliseconds(percentile(gaps, 0.99)),
            "max": _milliseconds(gaps[-1]),
        },
    }


async def _one(plan: TransferPlan, ours: Environment, call_taker: "_CallTaker", peer: int) -> float:
    """Open a chat, write, have it handed over; returns the seconds from 266 to 265."""
    async with SimulatedApp(Target(plan.transport, HOST, ours.sip_port), direct=True) as app:
        await app.start()
        await app.wait_for_type(lmpe.START, PATIENCE)
        for number in range(plan.texts):
            app.walk()
            await app.say(f"Text {number} of a chat that is handed over.")
        chat = await _chat_of(ours, app.call_id, plan.texts + 1)
        await asyncio.to_thread(call_taker.ask, chat, peer)
        await app.wait_for_type(lmpe.START_TRANSFER, PATIENCE)
        return app.counters.transfer_gaps[0]


async def _chat_of(ours: Environment, call_id: str, messages: int) -> int:
    """Return a chat's id once all its messages are on it."""
    async with asyncio.timeout(PATIENCE):
        with psycopg.connect(ours.database_url, autocommit=True) as connection:
            while True:
                found = connection.execute(
                    "SELECT c.id FROM chats_chat c JOIN chats_message m ON m.chat_id = c.id"
                    " WHERE c.call_id = %s AND m.direction = 'in'"
                    " GROUP BY c.id HAVING count(*) >= %s",
                    [call_id, messages],
                ).fetchone()
                if found:
                    return int(found[0])
                await asyncio.sleep(0.01)


class _CallTaker:
    """A process that asks for transfers as the console does."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def ask(self, chat: int, peer: int) -> None:
        assert self._process.stdin is not None  # noqa: S101
        self._process.stdin.write(json.dumps([chat, peer]) + "\n")
        self._process.stdin.flush()
        self.expect("asked")

    def expect(self, word: str) -> None:
        assert self._process.stdout is not None  # noqa: S101
        if self._process.stdout.readline().strip() != word:
            raise BenchError("transfers cannot be asked for")


@contextlib.contextmanager
def _call_taker(room: Environment) -> Iterator[_CallTaker]:
    with subprocess.Popen(  # noqa: S603
        [
            sys.executable,
            str(PROJECT_ROOT / "manage.py"),
            "shell",
            "--no-imports",
            "-c",
            CALL_TAKER,
        ],
        env=_variables(room),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            asker = _CallTaker(process)
            asker.expect("ready")
            yield asker
        finally:
            process.terminate()


def _introduce(room: Environment, other: Environment) -> int:
    """Enter a peer that accepts by its rule, whatever waits there; returns its id."""
    row = {
        "name": PEER,
        "uris": other.public_uri,
        "agreement": True,
        "url": f"https://{HOST}:{other.peer_port}/",
        "certificate_names": CERTIFICATE_NAME,
        "auto_accept": True,
        "auto_accept_limit": 30_000,
    }
    columns, places = ", ".join(row), ", ".join(["%s"] * len(row))
    with psycopg.connect(room.database_url, autocommit=True) as connection:
        made = connection.execute(
            f"INSERT INTO psap_peer ({columns}) VALUES ({places}) RETURNING id",  # noqa: S608
            list(row.values()),
        ).fetchone()
    assert made is not None  # noqa: S101
    return int(made[0])


def _wait_until_served(room: Environment) -> None:
    """Wait until the other room's interface shows the certificate that was just installed."""
    deadline = time.monotonic() + SERVES_WITHIN
    while True:
        try:
            return _manage(room, "peer", "check", PEER)
        except BenchError:
            if time.monotonic() > deadline:
                raise


def _manage(room: Environment, *arguments: str) -> None:
    done = subprocess.run(  # noqa: S603
        [*MANAGE, *arguments],
        env=_variables(room),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise BenchError(f"{arguments[0]} failed: {done.stderr.strip()[-300:]}")


def _variables(room: Environment) -> dict[str, str]:
    """Return the environment of a command on an instance."""
    return {
        **os.environ,
        "PYTHONPATH": str(PROJECT_ROOT),
        "PSAP_STATE_DIR": str(room.state_dir),
        "PSAP_SIP_PORT": str(room.sip_port),
        "PSAP_SIPS_PORT": str(room.sips_port),
        "PSAP_PEER_PORT": str(room.peer_port),
        "DATABASE_URL": "",
        "REDIS_URL": "",
    }


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 1)
