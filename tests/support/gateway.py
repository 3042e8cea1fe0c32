"""A gateway process alone: `manage.py sipgateway` on a port of its own, on the tests' database.

    gateway = GatewayProcess(database_url, tmp_path)
    gateway.start()                       # returns when OPTIONS is answered with 200
    gateway.target("tcp")                 # where callers call
    gateway.kill(); gateway.start()       # the same port again
    gateway.log()                         # what it has said so far, over all its starts

`root` is the project that it runs from: another than ours shows that a test can fail (`copies`).
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings

from psap.project.environment import PROJECT_ROOT
from sipgateway.simulator.transport import Target
from tests.support.instance import instance_variables, wait_until
from tests.support.ports import free_ports
from tests.support.rawsip import make_message

HOST = "127.0.0.1"
START_SECONDS = 20.0


class GatewayProcess:
    """One gateway that the test starts, kills and starts again."""

    def __init__(self, database_url: str, directory: Path, *, root: Path = PROJECT_ROOT) -> None:
        ports = free_ports(4)
        self.port, self.sips_port = ports[1], ports[2]
        self._root = root
        self._log = directory / f"gateway-{self.port}.log"
        self._process: subprocess.Popen[bytes] | None = None
        self.starts = 0
        self.variables = instance_variables(directory, ports) | {
            "PYTHONPATH": str(root),
            "DJANGO_SETTINGS_MODULE": "psap.project.settings",
            "DATABASE_URL": database_url,
            "REDIS_URL": settings.ENVIRONMENT.redis_url,
        }

    def target(self, transport: str = "tcp") -> Target:
        return Target(transport, HOST, self.port)

    def tls_target(self) -> Target:
        return Target("tls", HOST, self.sips_port)

    def launch(self, **variables: str) -> None:
        """Start the process without waiting for it."""
        assert not self.is_running(), "the gateway is running"
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "manage.py", "sipgateway"],
                cwd=self._root,
                env=self.variables | variables,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.starts += 1

    def start(self, **variables: str) -> None:
        """Start the process and wait until it answers OPTIONS with 200."""
        self.launch(**variables)
        wait_until(self._serves, START_SECONDS, f"the gateway serves\n{self.log()[-2000:]}")

    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def send_signal(self, number: int) -> None:
        assert self._process is not None
        os.kill(self._process.pid, number)

    def wait_for_end(self, seconds: float = 10.0) -> int:
        """Wait until the process has ended; returns its exit code, -9 after a SIGKILL."""
        assert self._process is not None
        return self._process.wait(seconds)

    def kill(self) -> None:
        """End it at once, as a crash does."""
        self.send_signal(signal.SIGKILL)
        self.wait_for_end()

    def restart(self) -> None:
        """Crash and come back."""
        self.kill()
        self.start()

    def stop(self) -> int:
        """End it in order, or by force when it hangs; returns the exit code."""
        if not self.is_running():
            return 0
        self.send_signal(signal.SIGCONT)
        self.send_signal(signal.SIGTERM)
        try:
            return self.wait_for_end()
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def log(self) -> str:
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def _serves(self) -> bool:
        assert self.is_running(), f"the gateway ended\n{self.log()[-4000:]}"
        return options_status(self.port, 0.3) == 200


@contextmanager
def running_gateway(
    database_url: str, directory: Path, *, root: Path = PROJECT_ROOT, **variables: str
) -> Iterator[GatewayProcess]:
    """Run a gateway for the duration of a block."""
    gateway = GatewayProcess(database_url, directory, root=root)
    try:
        gateway.start(**variables)
        yield gateway
        gateway.stop()
    finally:
        if gateway.is_running():
            gateway.kill()


def options_status(port: int, patience: float = 1.0) -> int | None:
    """Ask with OPTIONS over UDP; returns the status, None when no answer comes in time."""
    request = make_message(method="OPTIONS", body=b"")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.connect((HOST, port))
        deadline = time.monotonic() + patience
        try:
            asking.send(request)
            asking.settimeout(max(deadline - time.monotonic(), 0.01))
            return int(asking.recv(65535).split(b" ", 2)[1])
        except OSError:  # silence, or nobody listens yet
            return None
