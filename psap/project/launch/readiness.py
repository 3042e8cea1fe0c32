"""Waiting until web, gateway, peer interface, worker and beat all answer."""

import subprocess
import sys
import time
from pathlib import Path

from psap.project.environment import PROJECT_ROOT, Environment
from psap.project.launch import probes
from psap.project.launch.errors import LaunchError
from psap.project.launch.stopping import Stop
from psap.project.launch.supervision import (
    Supervisor,
    SupervisorSilent,
    program_variables,
)

PATIENCE = 120.0
PAUSE = 0.1
# A matter between PSAPs keeps no caller waiting: an alarm tells of a port that stays closed.
PATIENCE_WITH_PEERS = 10.0
BEATING = frozenset({"worker", "beat", "peerapi"})


def start_preparation(environment: Environment) -> subprocess.Popen[bytes]:
    """Start migrating and seeding; it waits for the database by itself."""
    with (environment.state_dir / "log" / "prepare.log").open("wb") as log:
        return subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "psap.project.launch.prepare"],
            cwd=PROJECT_ROOT,
            env=program_variables(environment),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


class Readiness:
    """One start's way to READY, with one deadline over all of it."""

    def __init__(self, environment: Environment, supervisor: Supervisor, stop: Stop) -> None:
        self._environment = environment
        self._supervisor = supervisor
        self._stop = stop
        self._deadline = time.monotonic() + PATIENCE
        self._peers_due: float | None = None

    def wait_for_preparation(self, preparation: subprocess.Popen[bytes]) -> None:
        """Return when the database is migrated and seeded, or a stop was requested."""
        while preparation.poll() is None and not self._stop.requested:
            self._check_deadline("the database", "prepare")
            self._supervisor.wake()
            self._stop.wait(PAUSE / 2)
        if preparation.returncode:
            raise LaunchError(f"the database cannot be prepared; see {self._log('prepare')}")

    def start_programs(self) -> None:
        """Have the supervisor start the programs; it may still be on its way up itself."""
        while not self._stop.requested:
            try:
                return self._supervisor.start_programs()
            except SupervisorSilent:
                self._check_deadline("the supervisor", "supervisor")
                self._stop.wait(PAUSE)

    def wait_for_programs(self) -> None:
        """Return when all answer, or a stop was requested."""
        waiting = ["worker", "beat", "peerapi", "gateway", "web"]
        reader = probes.BeatReader(self._environment)
        try:
            while waiting and not self._stop.requested:
                self._check_deadline(" and ".join(waiting), waiting[0])
                beating = set(reader.beating()) if BEATING.intersection(waiting) else set()
                waiting = [name for name in waiting if not self._answers(name, beating)]
                if waiting:
                    self._stop.wait(PAUSE)
        finally:
            reader.close()

    def _answers(self, name: str, beating: set[str]) -> bool:
        if name == "web":
            return probes.web_answers(self._environment)
        if name == "gateway":
            return probes.gateway_answers(self._environment)
        if name == "peerapi":
            return name in beating and self._peers_get_through()
        return name in beating

    def _peers_get_through(self) -> bool:
        """Whether they do, or the program has run for long enough without."""
        now = time.monotonic()
        if self._peers_due is None:
            self._peers_due = now + PATIENCE_WITH_PEERS
        return probes.peers_answered(self._environment) or now > self._peers_due

    def _check_deadline(self, silent: str, log: str) -> None:
        if time.monotonic() > self._deadline:
            raise LaunchError(
                f"not ready after {PATIENCE:.0f} s: no answer from {silent}; see {self._log(log)}"
            )

    def _log(self, name: str) -> Path:
        return self._environment.state_dir / "log" / f"{name}.log"
