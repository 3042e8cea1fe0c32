"""A whole running instance for end-to-end tests, as `bin/run` starts it.

    with running_instance() as instance:
        instance.url                      # "http://127.0.0.1:43211/"
        instance.sip_port                 # UDP and TCP on 127.0.0.1
        instance.credentials["calltaker"] # password
        instance.state_dir                # its PSAP_STATE_DIR, with log/*.log
        instance.manage("exportchat", "1").stdout
        instance.pids()                   # {"web": 4711, "gateway": …, "postgres": …, …}
        instance.kill("gateway")          # SIGKILL to that program; the supervisor restarts it
        instance.kill("redis", signal.SIGSTOP)
        instance.wait_until_restarted("gateway", old_pid)
        with instance.held_down("redis"): # killed, and not restarted until the block ends
        instance.execute("SELECT …", [])  # rows, by a connection of its own to its PostgreSQL

`running_instance(variables={"PSAP_OUTBOUND_PROXY": "sip:…"})` sets variables of its environment.
The fixture `instance` (tests/conftest.py) is one instance for the whole session: share it where a
test leaves it as it was, and start one of your own where it kills or reconfigures.
"""

import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from psap.credentials import read_credentials
from psap.project.environment import PROJECT_ROOT, Environment, read_environment
from psap.project.launch.supervision import (
    SERVERS,
    Supervisor,
    SupervisorSilent,
    control_socket,
    with_the_launcher,
)
from tests.support.ports import free_ports
from tests.support.processes import descendants

LAUNCHER = (sys.executable, "-m", "psap.project.launch")
OWN_VARIABLES = ("PSAP_", "DATABASE_URL", "REDIS_URL", "DJANGO_")
START_SECONDS = 150.0
ANSWER_SECONDS = 20.0
LOOK_AGAIN = 0.02


def wait_until(condition: Callable[[], object], seconds: float, what: str) -> None:
    """Return once `condition()` is true; fails the test after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(LOOK_AGAIN)


def instance_variables(state_dir: Path, ports: Sequence[int]) -> dict[str, str]:
    """Return the environment of an instance of its own, free of what the tests run on."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(OWN_VARIABLES)}
    names = ("PSAP_HTTP_PORT", "PSAP_SIP_PORT", "PSAP_SIPS_PORT", "PSAP_PEER_PORT")
    return {
        **inherited,
        "PYTHONPATH": str(PROJECT_ROOT),
        "PSAP_STATE_DIR": str(state_dir),
        **{name: str(port) for name, port in zip(names, ports, strict=True)},
    }


@dataclass
class Instance:
    """One launcher in the foreground and all that it started."""

    process: subprocess.Popen[str]
    variables: dict[str, str]
    environment: Environment
    output: list[str] = field(default_factory=list)
    seconds_to_ready: float = 0.0

    @property
    def url(self) -> str:
        return f"http://{self.environment.host}:{self.environment.http_port}/"

    @property
    def http_port(self) -> int:
        return self.environment.http_port

    @property
    def sip_port(self) -> int:
        return self.environment.sip_port

    @property
    def state_dir(self) -> Path:
        return self.environment.state_dir

    @property
    def credentials(self) -> dict[str, str]:
        return read_credentials(self.state_dir / "credentials.json")

    def pids(self) -> dict[str, int]:
        """Return the pid of each program by its name, 0 while it is down."""
        supervisor = Supervisor(control_socket(self.environment))
        deadline = time.monotonic() + ANSWER_SECONDS
        while True:
            code = self.process.poll()
            assert code is None, f"the launcher ended with {code}: {self.output}"
            try:
                statuses = supervisor.statuses()
            except SupervisorSilent:  # it gives up after a second, which a busy machine may take
                if time.monotonic() > deadline:
                    raise
                time.sleep(LOOK_AGAIN)
            else:
                return {name: status.pid for name, status in statuses.items()}

    def kill(self, program: str, number: int = signal.SIGKILL) -> int:
        """Send a signal to a program (by default SIGKILL) and return the pid that got it."""
        pid = self.pids()[program]
        os.kill(pid, number)
        return pid

    def wait_until_restarted(self, program: str, old_pid: int, seconds: float = 10.0) -> int:
        """Wait until the program runs as another process than `old_pid`; returns its pid."""
        wait_until(lambda: self.pids()[program] not in (0, old_pid), seconds, f"{program} is back")
        return self.pids()[program]

    @contextmanager
    def held_down(self, program: str) -> Iterator[None]:
        """SIGKILL a server with all its children and keep the supervisor from restarting it.

        Stopped first, so that it never gets to see that the supervisor has it end in order.
        """
        supervisor = Supervisor(control_socket(self.environment))
        victims = self._stop_still(program)
        supervisor._ask("stopProcess", f"{SERVERS}:{program}", False)
        for pid in victims:
            os.kill(pid, signal.SIGKILL)
        try:
            wait_until(lambda: self.pids()[program] == 0, 10, f"{program} is down")
            yield
        finally:
            supervisor._ask("startProcess", f"{SERVERS}:{program}", False)

    @contextmanager
    def hung(self, program: str) -> Iterator[None]:
        """SIGSTOP a program with all its children until the block ends."""
        stopped = self._stop_still(program)
        try:
            yield
        finally:
            for pid in stopped:
                os.kill(pid, signal.SIGCONT)

    def _stop_still(self, program: str) -> list[int]:
        """SIGSTOP a program, then its children, of which it makes no more; returns all pids."""
        leader = self.kill(program, signal.SIGSTOP)
        children = descendants(leader)
        for pid in children:
            os.kill(pid, signal.SIGSTOP)
        return [leader, *children]

    def manage(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run `manage.py` on this instance; with `check` a failure fails the test."""
        done = subprocess.run(
            [sys.executable, str(PROJECT_ROOT / "manage.py"), *arguments],
            env=self.variables,
            capture_output=True,
            text=True,
            check=False,
        )
        assert not check or done.returncode == 0, done.stderr
        return done

    def execute(self, statement: str, parameters: Sequence[object] = ()) -> list[tuple]:
        """Run one SQL statement and return its rows."""
        with psycopg.connect(self.environment.database_url, autocommit=True) as connection:
            cursor = connection.execute(statement, parameters)
            return cursor.fetchall() if cursor.description else []

    def rows(self, statement: str, *parameters: object) -> list[tuple]:
        """Run one SQL statement, its parameters beside it, and return its rows."""
        return self.execute(statement, parameters)

    def stop(self, number: int = signal.SIGINT, seconds: float = 12.0) -> int:
        """Tell the launcher to end and return its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(seconds)


@contextmanager
def running_instance(
    state_dir: Path | None = None,
    variables: Mapping[str, str] | None = None,
    command: Sequence[str] = LAUNCHER,
) -> Iterator[Instance]:
    """Start an instance, wait until it is READY, and end it afterwards.

    Without `state_dir` it gets one that is deleted afterwards. A start that fails fails the test
    with what the launcher and the programs said.
    """
    home = Path(tempfile.mkdtemp(prefix="leitstand-"))
    try:
        environ = instance_variables(state_dir or home / "state", free_ports(4))
        environ |= variables or {}
        instance = Instance(_launch(command, environ), environ, read_environment(environ))
        try:
            _wait_for_ready(instance)
            yield instance
        finally:
            try:
                instance.stop()
            except subprocess.TimeoutExpired:
                instance.process.kill()
                raise
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _launch(command: Sequence[str], environ: Mapping[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        list(command),
        cwd=PROJECT_ROOT,
        env=dict(environ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        preexec_fn=with_the_launcher,  # a test process that is killed leaves nothing behind
    )


def _wait_for_ready(instance: Instance) -> None:
    """Collect what the launcher prints until the last demo login; it goes on collecting later."""
    started = time.monotonic()
    lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()

    def read() -> None:
        assert instance.process.stdout is not None
        for line in instance.process.stdout:
            instance.output.append(line.rstrip("\n"))
            lines.put(line)
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    try:
        while (line := lines.get(timeout=START_SECONDS)) is not None:
            if line.startswith("READY "):
                instance.seconds_to_ready = time.monotonic() - started
                return
    except queue.Empty:
        pass
    logs = sorted((instance.state_dir / "log").glob("*.log"))
    tails = [f"--- {log.name}\n{log.read_text(errors='replace')[-2000:]}" for log in logs]
    raise AssertionError("\n".join(["the instance did not start", *instance.output, *tails]))
