"""The state directory: what lies there, and that one instance at a time uses it."""

import fcntl
import os
import re

from psap.project.environment import Environment
from psap.project.launch import postgres
from psap.project.launch.errors import LaunchError

# What begins a comment, or ends a value, in the supervisor's configuration.
UNREADABLE_PATH = re.compile(r"\s[;#]|[\r\n]")


def claim_state_dir(environment: Environment) -> int:
    """Make the state directory and lock it for this process; returns the lock's descriptor."""
    if UNREADABLE_PATH.search(str(environment.state_dir)):
        raise LaunchError(
            "PSAP_STATE_DIR has a blank before ; or #, or a line break: "
            f"{str(environment.state_dir)!r}"
        )
    try:
        environment.state_dir.mkdir(parents=True, exist_ok=True)
        log = environment.state_dir / "log"
        log.mkdir(mode=0o700, exist_ok=True)
        log.chmod(0o700)  # names of people who mistyped their password in the wrong field
        lock = os.open(environment.state_dir / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise LaunchError(f"{environment.state_dir} is not usable: {error.strerror}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(lock)
        raise LaunchError(
            f"another instance is running on {environment.state_dir} (PSAP_STATE_DIR)"
        ) from error
    return lock


def make_servers_home(environment: Environment, *, for_tests: bool = False) -> None:
    """Make what the embedded servers need: the sockets' directory and the database cluster."""
    postgres.make_runtime_dir(environment)
    if environment.embedded_database:
        postgres.initialise(environment, for_tests=for_tests)
