"""Run the checks and tests on servers of their own: `python -m psap.project.launch.testbed`.

This is what `bin/test` does once everything is installed. PostgreSQL and Redis live in a directory
of the temp folder and end with the tests. Arguments go to pytest, and then the linters are left
out. All tests run side by side in some processes (tests/support/side_by_side.py), a choice of them
in one. Exit code: pytest's, else 1 where a linter complained.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psycopg

from psap.project.environment import PROJECT_ROOT, Environment, read_environment
from psap.project.launch import postgres, redis_server
from psap.project.launch.errors import LaunchError
from psap.project.launch.state import claim_state_dir, make_servers_home
from psap.project.launch.supervision import program_variables, with_the_launcher
from psap.project.launch.survivors import end_survivors

LINTERS = (
    ("ruff", "check"),
    ("ruff", "format", "--check"),
    ("mypy",),
    ("lint-imports",),
)
# Tests wait as well as compute: one process more than there are processors, within reason.
PROCESSES = min((os.cpu_count() or 1) + 1, 8)
PATIENCE = 30.0
PATIENCE_AT_THE_END = 5.0


def main() -> int:
    signal.signal(signal.SIGTERM, _interrupt)
    home = Path(tempfile.mkdtemp(prefix="leitstand-test-"))
    try:
        with _servers(home / "state") as environment:
            return _check(environment, sys.argv[1:])
    except LaunchError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


@contextmanager
def _servers(state_dir: Path) -> Iterator[Environment]:
    """Run PostgreSQL (without waiting for the disk) and Redis for the duration of the block."""
    environment = read_environment({"PSAP_STATE_DIR": str(state_dir)})
    claim_state_dir(environment)
    try:
        make_servers_home(environment, for_tests=True)
        _start(environment, "postgres", postgres.server_command(environment, for_tests=True))
        _start(environment, "redis", redis_server.server_command(environment))
        _wait_for_database(environment)
        yield environment
    finally:
        end_survivors(environment.state_dir, PATIENCE_AT_THE_END, time.sleep)
        shutil.rmtree(environment.runtime_dir, ignore_errors=True)


def _start(environment: Environment, name: str, command: Sequence[str]) -> None:
    with (environment.state_dir / "log" / f"{name}.log").open("ab") as log:
        subprocess.Popen(  # noqa: S603
            command,
            env=program_variables(environment),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=with_the_launcher,
        )


def _wait_for_database(environment: Environment) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return psycopg.connect(environment.database_url).close()
        except psycopg.OperationalError as error:
            if time.monotonic() > deadline:
                raise LaunchError(f"PostgreSQL does not answer: {error}") from error
            time.sleep(0.05)


def _check(environment: Environment, arguments: Sequence[str]) -> int:
    variables = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "psap.project.settings",
        "PSAP_STATE_DIR": str(environment.state_dir),
        "DATABASE_URL": environment.database_url,
        "REDIS_URL": environment.redis_url,
    }
    complaints = 0
    if not arguments:
        for linter in LINTERS:
            print(f"--- {' '.join(linter)}", flush=True)  # noqa: T201
            complaints += bool(_run(linter, variables))
    chosen = any(not argument.startswith("--") for argument in arguments)
    spread = () if chosen else ("-n", str(PROCESSES))
    tested = _run((sys.executable, "-m", "pytest", *spread, *arguments), variables)
    return tested or min(complaints, 1)


def _run(command: Sequence[str], variables: dict[str, str]) -> int:
    """Run one check in the foreground; a Ctrl-C reaches it too, and it gets time to end."""
    with subprocess.Popen(command, cwd=PROJECT_ROOT, env=variables) as process:  # noqa: S603
        try:
            return process.wait()
        except KeyboardInterrupt:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
            raise


if __name__ == "__main__":
    sys.exit(main())
