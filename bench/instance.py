"""A fresh instance for one measurement: servers as bin/run starts them, and the gateway."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from bench.children import Child, last_line, running
from bench.errors import BenchError
from bench.machine import filesystem_of
from psap.project.environment import PROJECT_ROOT, Environment, read_environment
from psap.project.launch import postgres, probes, redis_server
from psap.project.launch.errors import LaunchError
from psap.project.launch.supervision import program_variables

START_PATIENCE = 90.0
MEMORY_FILESYSTEMS = {"tmpfs", "ramfs"}
STATED_SETTINGS = (
    "server_version",
    "fsync",
    "synchronous_commit",
    "full_page_writes",
    "wal_sync_method",
    "shared_buffers",
    "max_wal_size",
    "commit_delay",
    "max_connections",
)


@dataclass(frozen=True, slots=True)
class Instance:
    """Directories, ports and the servers of a running instance."""

    environment: Environment
    database: Child

    @property
    def logs(self) -> Path:
        return self.environment.state_dir / "log"

    def variables(self) -> dict[str, str]:
        """Return the environment variables of the instance's programs."""
        return {
            **program_variables(self.environment),
            "PSAP_HOST": self.environment.host,
            "PSAP_HTTP_PORT": str(self.environment.http_port),
            "PSAP_SIP_PORT": str(self.environment.sip_port),
        }

    def connect(self, database: str = "leitstand", role: str = "leitstand") -> psycopg.Connection:
        """Open a connection of our own for counting and for the projector's lag."""
        return psycopg.connect(
            host=str(self.environment.runtime_dir), dbname=database, user=role, autocommit=True
        )

    def postgres_settings(self) -> dict[str, Any]:
        """Return the settings of the server that durability and speed depend on."""
        with self.connect() as connection:
            rows = connection.execute(
                "SELECT name, current_setting(name) FROM pg_settings WHERE name = ANY(%s)",
                [list(STATED_SETTINGS)],
            ).fetchall()
        return dict(sorted(rows))


@contextlib.contextmanager
def fresh_instance(parent: Path) -> Iterator[Instance]:
    """Start PostgreSQL and Redis in a new state directory; all of it is gone afterwards."""
    parent.mkdir(parents=True, exist_ok=True)
    if filesystem_of(parent) in MEMORY_FILESYSTEMS:
        raise BenchError(f"{parent} is in memory; name a directory on a disk with --directory")
    state = Path(tempfile.mkdtemp(prefix="bench-", dir=parent))
    state.chmod(0o755)
    environment = _environment(state)
    try:
        (state / "log").mkdir()
        postgres.make_runtime_dir(environment)
        postgres.initialise(environment)
        with contextlib.ExitStack() as stack:
            yield Instance(environment, _start_servers(environment, stack))
    except LaunchError as error:
        raise BenchError(str(error)) from error
    finally:
        shutil.rmtree(state, ignore_errors=True)
        shutil.rmtree(environment.runtime_dir, ignore_errors=True)


def _start_servers(environment: Environment, stack: contextlib.ExitStack) -> Child:
    variables = program_variables(environment)
    logs = environment.state_dir / "log"
    database = stack.enter_context(
        running(
            "PostgreSQL",
            postgres.server_command(environment),
            logs / "postgres.log",
            variables,
            stop_signal=signal.SIGINT,
        )
    )
    stack.enter_context(
        running("Redis", redis_server.server_command(environment), logs / "redis.log", variables)
    )

    def takes_connections() -> bool:
        try:
            psycopg.connect(environment.database_url).close()
        except psycopg.OperationalError:
            return False
        return True

    database.wait_until(takes_connections, 30)
    return database


def _environment(state: Path) -> Environment:
    return read_environment(
        {
            "PSAP_STATE_DIR": str(state),
            "PSAP_HOST": "127.0.0.1",
            "PSAP_HTTP_PORT": str(free_port(socket.SOCK_STREAM)),
            "PSAP_SIP_PORT": str(free_port(socket.SOCK_DGRAM)),
        }
    )


def free_port(kind: socket.SocketKind) -> int:
    """Return a port that nobody holds now."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def prepare(instance: Instance) -> None:
    """Migrate the database and seed the demo PSAP, as bin/run does."""
    log = instance.logs / "prepare.log"
    with log.open("ab") as output:
        done = subprocess.run(  # noqa: S603
            [sys.executable, "-m", "psap.project.launch.prepare"],
            env=instance.variables(),
            cwd=PROJECT_ROOT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if done.returncode:
        raise BenchError(f"the database cannot be prepared: {last_line(log)}")


@contextlib.contextmanager
def gateway(instance: Instance) -> Iterator[Child]:
    """Run one gateway and return once it answers OPTIONS over UDP and TCP."""
    command = [sys.executable, str(PROJECT_ROOT / "manage.py"), "sipgateway"]
    log = instance.logs / "gateway.log"
    with running("the gateway", command, log, instance.variables()) as child:
        child.wait_until(lambda: probes.gateway_answers(instance.environment), 30)
        yield child


@contextlib.contextmanager
def whole_instance(parent: Path) -> Iterator[Environment]:
    """Run everything as bin/run does, in a new state directory; all is gone afterwards."""
    state = Path(tempfile.mkdtemp(prefix="bench-", dir=parent))
    state.chmod(0o755)
    variables = {
        "PSAP_STATE_DIR": str(state),
        "PSAP_HOST": "127.0.0.1",
        "PSAP_HTTP_PORT": str(free_port(socket.SOCK_STREAM)),
        "PSAP_SIP_PORT": str(free_port(socket.SOCK_DGRAM)),
        "PSAP_SIPS_PORT": str(free_port(socket.SOCK_STREAM)),
        "PSAP_PEER_PORT": str(free_port(socket.SOCK_STREAM)),
    }
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PSAP_", "DATABASE_URL", "REDIS_URL", "DJANGO_"))
    }
    command = [sys.executable, "-m", "psap.project.launch"]
    environ = {**inherited, **variables, "PYTHONPATH": str(PROJECT_ROOT)}
    try:
        with running("the instance", command, state / "launch.log", environ) as child:
            child.wait_until(lambda: _is_ready(child), START_PATIENCE)
            yield read_environment(variables)
    finally:
        shutil.rmtree(state, ignore_errors=True)


def _is_ready(child: Child) -> bool:
    return any(line.startswith("READY ") for line in child.log.read_text().splitlines())
