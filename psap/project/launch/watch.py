"""Watching the running programs: quick restarts, and a word when one keeps dying."""

import os
import subprocess
import sys
import time
from collections import defaultdict, deque

from psap.project.environment import Environment
from psap.project.launch.errors import LaunchError
from psap.project.launch.stopping import Stop
from psap.project.launch.supervision import ProgramStatus, Supervisor, SupervisorSilent

MANY_DEATHS = 3
WITHIN = 60.0


class DeathCounter:
    """Counts a program's deaths; says so when there were three within a minute, once a minute."""

    def __init__(self) -> None:
        self._deaths: defaultdict[str, deque[float]] = defaultdict(
            lambda: deque(maxlen=MANY_DEATHS)
        )
        self._said: dict[str, float] = {}

    def died(self, name: str, now: float) -> bool:
        """Note a death at the monotonic time `now`; returns whether it is time to say so."""
        deaths = self._deaths[name]
        deaths.append(now)
        often = len(deaths) == MANY_DEATHS and now - deaths[0] <= WITHIN
        if not often or now - self._said.get(name, -WITHIN) < WITHIN:
            return False
        self._said[name] = now
        return True


class Watch:
    """Holds a descriptor of each program's process (pidfd_open) and so learns of its end at once.

    supervisord itself looks only once a second; a question over its socket makes it look, and
    start the program again, without that delay.
    """

    def __init__(self, environment: Environment, supervisor: Supervisor) -> None:
        self._logs = environment.state_dir / "log"
        self._supervisor = supervisor
        self._pids: dict[str, int] = {}
        self._processes: dict[int, str] = {}
        self._deaths = DeathCounter()

    def run(self, process: subprocess.Popen[bytes], stop: Stop) -> None:
        """Return when a stop was requested; raises LaunchError when the supervisor itself died."""
        while not stop.requested:
            if process.poll() is not None:
                raise LaunchError(f"the supervisor died; see {self._logs / 'supervisor.log'}")
            settled = self._look()
            for descriptor in stop.wait(1.0 if settled else 0.05, self._processes):
                del self._processes[descriptor]
                os.close(descriptor)

    def _look(self) -> bool:
        """Ask for all programs; returns whether all of them run."""
        try:
            statuses = self._supervisor.statuses().values()
        except SupervisorSilent:
            return True
        for status in statuses:
            self._note(status)
        return all(status.state in ("RUNNING", "BACKOFF") for status in statuses)

    def _note(self, status: ProgramStatus) -> None:
        before = self._pids.get(status.name, 0)
        if status.pid == before:
            return
        self._pids[status.name] = status.pid
        if status.pid:
            self._watch(status)
        if before and self._deaths.died(status.name, time.monotonic()):
            log = self._logs / f"{status.name}.log"
            print(f"warning: {status.name} keeps dying; see {log}", file=sys.stderr)  # noqa: T201

    def _watch(self, status: ProgramStatus) -> None:
        try:
            descriptor = os.pidfd_open(status.pid)
        except OSError:  # it is gone again, or the kernel is older than 5.3
            return
        self._processes[descriptor] = status.name
