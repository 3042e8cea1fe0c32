"""Running SIPp for one step and reading its statistics (SIPp 3.6, Debian sip-tester)."""

import contextlib
import csv
import math
import os
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.children import end, last_line
from bench.errors import BenchError
from bench.workload import SCENARIOS, Workload

HOST = "127.0.0.1"
UNANSWERED_AFTER_MS = 3000
SOCKET_BUFFER = 4 * 2**20
# SIPp writes its response times in blocks and drops a last one that is not full.
TIMES_AT_ONCE = 10


@dataclass(frozen=True, slots=True)
class Totals:
    """What SIPp counted: messages sent, answered, not answered, and how long all took."""

    sent: int
    answered: int
    failed: int
    rate: float


def read_totals(path: Path) -> Totals:
    """Read the last line of a statistics file (`-trace_stat`).

    The rate is that of all calls over the whole time, the wait for the last answers included.
    """
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter=";"))
    if not rows:
        raise BenchError(f"SIPp left no statistics in {path}")
    last = rows[-1]
    return Totals(
        sent=int(last["OutgoingCall(C)"]),
        answered=int(last["SuccessfulCall(C)"]),
        failed=int(last["FailedCall(C)"]),
        rate=float(last["CallRate(C)"]),
    )


def read_response_times(path: Path) -> list[float]:
    """Read the milliseconds from request to answer of each message (`-trace_rtt`), sorted."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        rows = csv.reader(file, delimiter=";")
        next(rows, None)
        return sorted(float(row[1]) for row in rows if len(row) > 1)


def percentile(ordered: Sequence[float], share: float) -> float:
    """Return the value that `share` of the sorted values do not exceed; NaN when there are none."""
    if not ordered:
        return math.nan
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


@dataclass(frozen=True, slots=True)
class Sipp:
    """SIPp on one local UDP port against one address; it answers what the PSAP sends."""

    workload: Workload
    port: int
    target_port: int

    def run(self, scenario: Path, *, rate: int, messages: int, strict: bool) -> Totals:
        """Send `messages` at `rate` a second and return once each is answered or given up.

        With `strict` nothing is retransmitted, so that a lost message counts as unanswered.
        """
        stem = scenario.with_suffix("")
        statistics, times = Path(f"{stem}.csv"), self.response_times(scenario)
        for stale in (statistics, times):
            stale.unlink(missing_ok=True)
        # -l: never wait for answers before the next message, whatever the delay.
        command = ["sipp", f"{HOST}:{self.target_port}", "-i", HOST, "-p", str(self.port)]
        command += ["-sf", str(scenario), "-inf", str(self.workload.chats)]
        command += ["-oocsf", str(SCENARIOS / "answer.xml"), "-nd"]
        command += ["-r", str(rate), "-m", str(messages), "-l", str(messages)]
        command += ["-recv_timeout", str(UNANSWERED_AFTER_MS), "-buff_size", str(SOCKET_BUFFER)]
        command += ["-trace_stat", "-stf", str(statistics), "-fd", "1", "-skip_rlimit"]
        command += ["-trace_err", "-error_file", f"{stem}.err", "-nostdin"]
        command += ["-watchdog_minor_maxtriggers", "100000", "-watchdog_major_maxtriggers", "1000"]
        if strict:
            command += ["-nr", "-trace_rtt", "-rtt_freq", str(TIMES_AT_ONCE)]
        log = Path(f"{stem}.log")
        with log.open("wb") as output:
            process = subprocess.Popen(  # noqa: S603
                command,
                cwd=self.workload.directory,
                env={**os.environ, "TERM": "dumb"},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                code = process.wait()
            finally:
                end(process, signal.SIGTERM, 2.0)
        if strict:
            with contextlib.suppress(FileNotFoundError):  # nothing was answered
                Path(f"{stem}_{process.pid}_rtt.csv").replace(times)
        if code not in (0, 1):  # 1: some call failed
            raise BenchError(f"sipp ended with code {code}: {last_line(log)}")
        return read_totals(statistics)

    def response_times(self, scenario: Path) -> Path:
        """Name the file with the response times of the scenario's run."""
        return scenario.with_suffix(".rtt")
