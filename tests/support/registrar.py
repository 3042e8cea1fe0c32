"""A registrar process alone: `manage.py sipregistrar` beside a gateway of the tests.

with running_registrar(gateway, directory) as registrar:
    registrar.terminate()            # SIGTERM; returns the exit code
    registrar.restart()
    registrar.log()
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from psap.project.environment import PROJECT_ROOT
from tests.support.gateway import GatewayProcess


class RegistrarProcess:
    """One registrar on the database and the bridge of a gateway."""

    def __init__(self, gateway: GatewayProcess, directory: Path) -> None:
        self._variables = gateway.variables
        self._log = directory / "registrar.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start it; that it works shows in what it writes."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "manage.py", "sipregistrar"],
                cwd=PROJECT_ROOT,
                env=self._variables,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def terminate(self, seconds: float = 5.0) -> int:
        """Send SIGTERM and return the exit code."""
        assert self._process is not None
        self._process.terminate()
        return self._process.wait(seconds)

    def kill(self) -> None:
        """End it at once, as a crash does."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(5)

    def log(self) -> str:
        return self._log.read_text(errors="replace") if self._log.exists() else ""


@contextmanager
def running_registrar(gateway: GatewayProcess, directory: Path) -> Iterator[RegistrarProcess]:
    """Run a registrar for the duration of a block; no test may have made it die."""
    registrar = RegistrarProcess(gateway, directory)
    registrar.start()
    try:
        yield registrar
        assert registrar.is_running(), registrar.log()[-4000:]
    finally:
        if registrar.is_running():
            try:
                registrar.terminate()
            except subprocess.TimeoutExpired:
                registrar.kill()
                raise
