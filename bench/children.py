"""Child processes of a measurement: started with a log, ended whatever happens."""

import contextlib
import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.errors import BenchError

PR_SET_PDEATHSIG = 1
TICKS = os.sysconf("SC_CLK_TCK")
POLL = 0.05


@dataclass(frozen=True, slots=True)
class Child:
    """A running program and the file with what it printed."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def wait_until(self, ready: Callable[[], bool], patience: float) -> None:
        """Return once `ready()`; raises BenchError when the program ends or time runs out."""
        deadline = time.monotonic() + patience
        while not ready():
            if self.process.poll() is not None:
                raise BenchError(f"{self.name} ended at its start: {last_line(self.log)}")
            if time.monotonic() > deadline:
                raise BenchError(f"{self.name} did not answer in {patience:.0f} s, see {self.log}")
            time.sleep(POLL)

    def cpu_seconds(self) -> float:
        """Return the processor time that the program and its descendants have used."""
        return tree_cpu_seconds(self.process.pid)


@contextlib.contextmanager
def running(
    name: str,
    command: Sequence[str],
    log: Path,
    environment: Mapping[str, str],
    *,
    stop_signal: signal.Signals = signal.SIGTERM,
    patience: float = 10.0,
) -> Iterator[Child]:
    """Run a program in a session of its own; on leaving it and what it started are ended."""
    libc = ctypes.CDLL(None)

    def end_with_the_bench() -> None:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)

    with log.open("ab") as output:
        process = subprocess.Popen(  # noqa: S603
            command,
            env=dict(environment),
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=end_with_the_bench,  # noqa: PLW1509
        )
    try:
        yield Child(name, process, log)
    finally:
        end(process, stop_signal, patience)


def end(process: subprocess.Popen[bytes], stop_signal: signal.Signals, patience: float) -> None:
    """End a program politely, after `patience` seconds by force, and then its whole session."""
    if process.poll() is None:
        process.send_signal(stop_signal)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(patience)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def last_line(log: Path) -> str:
    """Return the last line that says something, for a one-line error."""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines()]
    return next((line for line in reversed(lines) if line), f"nothing in {log}")


def tree_cpu_seconds(root: int) -> float:
    """Sum up user and system time of a process and its descendants, the ended ones included."""
    return sum(cpu_seconds_by_pid(root).values())


def cpu_seconds_by_pid(root: int) -> dict[int, float]:
    """Return the processor time of a process and of each descendant that is alive."""
    ticks: dict[int, int] = {}
    parents: dict[int, int] = {}
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            fields = Path(entry.path, "stat").read_text().rpartition(")")[2].split()
            parents[int(entry.name)] = int(fields[1])
            ticks[int(entry.name)] = sum(map(int, fields[11:15]))
    return {pid: t / TICKS for pid, t in ticks.items() if _descends(pid, root, parents)}


def cpu_seconds_by_program(root: int, programs: Mapping[str, str]) -> dict[str, float]:
    """Sum up the processor time below a process by program: word in the command line → name."""
    found = dict.fromkeys([*programs.values(), "other"], 0.0)
    for pid, seconds in cpu_seconds_by_pid(root).items():
        with contextlib.suppress(OSError):
            command = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
            name = next((programs[word] for word in programs if word in command), "other")
            found[name] += seconds
    return found


def _descends(pid: int, root: int, parents: Mapping[int, int]) -> bool:
    while pid != root:
        if pid not in parents:
            return False
        pid = parents[pid]
    return True
