"""The supervisor (supervisord): its configuration, starting it, and asking it over its socket."""

import contextlib
import ctypes
import http.client
import os
import shlex
import signal
import socket
import subprocess
import sys
import xmlrpc.client
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from psap.project.environment import PROJECT_ROOT, Environment
from psap.project.launch import postgres, redis_server
from psap.project.launch.survivors import MARK

SERVERS = "servers"
PROGRAMS = "programs"
SUPERVISORD = "psap.project.launch.supervisord"
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)


@dataclass(frozen=True, slots=True)
class Program:
    """A program under the supervisor; those of the group `programs` start once all is prepared."""

    name: str
    group: str
    command: Sequence[str]
    stop_signal: str = "TERM"
    stop_seconds: int = 3


@dataclass(frozen=True, slots=True)
class ProgramStatus:
    """What the supervisor says about a program: its state (RUNNING, BACKOFF, …) and pid or 0."""

    name: str
    state: str
    pid: int


def programs(environment: Environment) -> list[Program]:
    """Return all programs of the instance, in the order in which they start."""
    python = sys.executable
    django = [python, str(PROJECT_ROOT / "manage.py")]
    celery = [python, "-m", "celery", "--quiet", "-A", "psap.project.celery"]
    schedule = environment.state_dir / "beat"
    worker = ["worker", "--pool=threads", "--concurrency=4", "--loglevel=warning"]
    worker += ["--without-mingle", "--without-gossip", "--without-heartbeat"]
    beat = [
        "beat",
        f"--schedule={schedule}",
        "--max-interval=1",
        "--loglevel=warning",
        "--pidfile=",
    ]
    web = [python, "-m", "daphne", "--verbosity=0", f"--bind={environment.host}"]
    web += [f"--port={environment.http_port}", "psap.project.asgi:application"]
    found = []
    if environment.embedded_database:
        command = postgres.server_command(environment)
        found.append(Program("postgres", SERVERS, command, stop_signal="INT"))
    if environment.embedded_redis:
        found.append(Program("redis", SERVERS, redis_server.server_command(environment)))
    return [
        *found,
        Program("gateway", PROGRAMS, [*django, "sipgateway"]),
        Program("registrar", PROGRAMS, [*django, "sipregistrar"], stop_seconds=4),
        Program("web", PROGRAMS, web),
        Program("peerapi", PROGRAMS, [*django, "peerapi"]),
        Program("worker", PROGRAMS, [*celery, *worker], stop_signal="QUIT"),
        Program("beat", PROGRAMS, [*celery, *beat]),
    ]


def write_configuration(environment: Environment) -> Path:
    """Write supervisord.conf into the state directory and return its path.

    Groups stop one after the other, the programs of a group together: at most four and three
    seconds before SIGKILL, also when everything hangs.
    """
    logs = environment.state_dir / "log"
    main: dict[str, object] = {
        "logfile": logs / "supervisor.log",
        "logfile_maxbytes": "10MB",
        "logfile_backups": 3,
        "pidfile": environment.runtime_dir / "supervisor.pid",
        "childlogdir": logs,
        "silent": "true",
    }
    if os.geteuid() == 0:
        main["user"] = "root"
    sections: dict[str, dict[str, object]] = {
        "supervisord": main,
        "unix_http_server": {"file": control_socket(environment), "chmod": "0700"},
        "rpcinterface:supervisor": {
            "supervisor.rpcinterface_factory": "supervisor.rpcinterface:make_main_rpcinterface"
        },
    }
    wanted = programs(environment)
    for program in wanted:
        sections[f"program:{program.name}"] = {
            "command": shlex.join(program.command),
            "directory": PROJECT_ROOT,
            "autostart": str(program.group == SERVERS).lower(),
            "autorestart": "true",
            "startsecs": 1,
            "startretries": 1_000_000,
            "stopsignal": program.stop_signal,
            "stopwaitsecs": program.stop_seconds,
            "stopasgroup": str(program.name != "postgres").lower(),
            "killasgroup": "true",
            "redirect_stderr": "true",
            # supervisor expands this one value a second time
            "stdout_logfile": str(logs / f"{program.name}.log").replace("%", "%%"),
            "stdout_logfile_maxbytes": "10MB",
            "stdout_logfile_backups": 3,
        }
    for priority, group in enumerate((SERVERS, PROGRAMS), start=1):
        names = ",".join(program.name for program in wanted if program.group == group)
        if names:
            sections[f"group:{group}"] = {"programs": names, "priority": priority}
    path = environment.state_dir / "supervisord.conf"
    path.write_text("\n".join(_section(name, values) for name, values in sections.items()))
    return path


def _section(name: str, values: dict[str, object]) -> str:
    lines = (f"{key} = {str(value).replace('%', '%%')}\n" for key, value in values.items())
    return f"[{name}]\n{''.join(lines)}"


def control_socket(environment: Environment) -> Path:
    return environment.runtime_dir / "supervisor.sock"


def with_the_launcher() -> None:
    """In a new child: have the kernel send it SIGTERM should we die without a word (prctl(2))."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def start_supervisor(environment: Environment) -> subprocess.Popen[bytes]:
    """Start supervisord in a session of its own: a Ctrl-C reaches it through us alone."""
    configuration = write_configuration(environment)
    with (environment.state_dir / "log" / "supervisor.out").open("wb") as output:
        return subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", SUPERVISORD, "-n", "-c", str(configuration)],
            cwd=PROJECT_ROOT,
            env=program_variables(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=with_the_launcher,
        )


def program_variables(environment: Environment) -> dict[str, str]:
    """Return the environment variables of the instance's programs."""
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "psap.project.settings",
        "PSAP_STATE_DIR": str(environment.state_dir),
        "PYTHONPATH": str(PROJECT_ROOT),
        "PYTHONUNBUFFERED": "1",
        MARK: str(environment.state_dir),
    }


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=1)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class _UnixTransport(xmlrpc.client.Transport):
    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = str(path)

    def make_connection(self, host: object) -> http.client.HTTPConnection:
        return _UnixConnection(self._path)


class SupervisorSilent(Exception):
    """supervisord did not answer, or not as it should."""


class Supervisor:
    """The running supervisord, asked over its Unix socket; SupervisorSilent without an answer."""

    def __init__(self, path: Path) -> None:
        proxy = xmlrpc.client.ServerProxy("http://localhost", transport=_UnixTransport(path))
        self._supervisor = proxy.supervisor

    def wake(self) -> None:
        """Make supervisord look at its programs now: without a question it does once a second."""
        with contextlib.suppress(SupervisorSilent):
            self._ask("getState")

    def statuses(self) -> dict[str, ProgramStatus]:
        """Return the state of each program by its name."""
        rows = self._ask("getAllProcessInfo")
        found = (ProgramStatus(row["name"], row["statename"], row["pid"]) for row in rows)
        return {status.name: status for status in found}

    def start_programs(self) -> None:
        """Start what waited for the database to be prepared."""
        self._ask("startProcessGroup", PROGRAMS, False)

    def _ask(self, method: str, *arguments: object) -> Any:
        try:
            return getattr(self._supervisor, method)(*arguments)
        except (OSError, http.client.HTTPException, xmlrpc.client.Error) as error:
            raise SupervisorSilent(method) from error
