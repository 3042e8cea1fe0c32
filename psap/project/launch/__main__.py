"""Run one instance in the foreground: `python -m psap.project.launch`, which is `bin/run`.

Exit code 0 after SIGINT or SIGTERM; 1, with one line on stderr, where it cannot start or go on.
"""

import os
import resource
import shutil
import subprocess
import sys
import time

from psap.credentials import read_credentials
from psap.project.environment import Environment, read_environment
from psap.project.launch import probes
from psap.project.launch.errors import LaunchError
from psap.project.launch.ports import require_free_ports, require_free_socket
from psap.project.launch.readiness import Readiness, start_preparation
from psap.project.launch.state import claim_state_dir, make_servers_home
from psap.project.launch.stopping import Stop
from psap.project.launch.supervision import Supervisor, control_socket, start_supervisor
from psap.project.launch.survivors import end_survivors
from psap.project.launch.watch import Watch

# What a crash of an earlier start left gets this long; then SIGKILL.
PATIENCE_WITH_LEFTOVERS = 8.0
# Everything is to be gone within ten seconds of SIGINT.
PATIENCE_AT_THE_END = 8.0
ENOUGH_DESCRIPTORS = 65536


def main() -> int:
    try:
        environment = read_environment()
    except ValueError as error:
        return _fail(error)
    stop = Stop()
    try:
        lock = claim_state_dir(environment)
    except LaunchError as error:
        return _fail(error)
    try:
        end_survivors(environment.state_dir, PATIENCE_WITH_LEFTOVERS, time.sleep)
        _raise_descriptor_limit()
        require_free_ports(environment)
        require_free_socket(environment)
        make_servers_home(environment)
        _serve(environment, stop)
    except LaunchError as error:
        return _fail(error)
    finally:
        os.close(lock)
    return 0


def _serve(environment: Environment, stop: Stop) -> None:
    """Start everything, say READY, watch until told to stop, end everything."""
    process = start_supervisor(environment)
    supervisor = Supervisor(control_socket(environment))
    try:
        readiness = Readiness(environment, supervisor, stop)
        readiness.wait_for_preparation(start_preparation(environment))
        readiness.start_programs()
        readiness.wait_for_programs()
        if not stop.requested:
            _announce(environment)
            Watch(environment, supervisor).run(process, stop)
    finally:
        _end(environment, process, supervisor)


def _announce(environment: Environment) -> None:
    logins = read_credentials(environment.state_dir / "credentials.json")
    width = max(map(len, logins), default=0)
    lines = [f"READY {probes.url(environment)}"]
    lines += [f"{name:{width}}  {password}" for name, password in logins.items()]
    print("\n".join(lines), flush=True)  # noqa: T201


def _end(
    environment: Environment, process: subprocess.Popen[bytes], supervisor: Supervisor
) -> None:
    deadline = time.monotonic() + PATIENCE_AT_THE_END
    process.terminate()
    while process.poll() is None and time.monotonic() < deadline:
        supervisor.wake()
        time.sleep(0.05)
    process.kill()
    end_survivors(environment.state_dir, 0.5, time.sleep)
    process.wait()
    shutil.rmtree(environment.runtime_dir, ignore_errors=True)


def _raise_descriptor_limit() -> None:
    """Allow as many open sockets as the system lets us, within reason: a live chat may hold one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = ENOUGH_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, ENOUGH_DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _fail(error: Exception) -> int:
    print(f"error: {error}", file=sys.stderr)  # noqa: T201
    return 1


if __name__ == "__main__":
    sys.exit(main())
