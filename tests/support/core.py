"""A SIP core for registrations: Debian's Kamailio as registrar, with digest, bindings in memory.

with running_core(directory) as core:
    core.uri("tcp")              # "sip:127.0.0.1:43211;transport=tcp", for SipAccount.registrars
    core.bindings("psap")        # the Contact URIs bound to psap@core.example.org
    core.kill(); core.start()    # the same ports again, all bindings forgotten
    core.log()
"""

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from psap.project.environment import PROJECT_ROOT
from sipgateway.simulator.transport import Target
from tests.support.gateway import HOST, options_status
from tests.support.instance import wait_until
from tests.support.pki import Authority
from tests.support.ports import free_ports

CONFIGURATION = PROJECT_ROOT / "tests" / "interop" / "registration" / "kamailio.cfg"
DOMAIN = "core.example.org"
PASSWORD = "geheim"
START_SECONDS = 20.0
_CONTACT = re.compile(r"^\s*Address: (\S+)", re.MULTILINE)


class Core:
    """One Kamailio that the test starts, kills and starts again on the same port."""

    def __init__(self, directory: Path, authority: Authority | None = None) -> None:
        self.port, self._tls_port = free_ports(2)
        self._tls: dict[str, str] = {}
        if authority is not None:
            certificate, trusted = directory / "core.pem", directory / "ca.pem"
            certificate.write_text(authority.issue(HOST, DOMAIN).combined)
            trusted.write_text(authority.certificate)
            self._tls = {
                "CORE_TLS_PORT": str(self._tls_port),
                "CORE_CERTIFICATE": f'"{certificate}"',
                "CORE_AUTHORITY": f'"{trusted}"',
            }
        self._log = directory / f"core-{self.port}.log"
        self._control = directory / f"core-{self.port}.sock"
        self._process: subprocess.Popen[bytes] | None = None

    def uri(self, transport: str = "tcp") -> str:
        port = self._tls_port if transport == "tls" else self.port
        return f"sip:{HOST}:{port};transport={transport}"

    def target(self, transport: str = "tcp") -> Target:
        return Target(transport, HOST, self.port)

    def start(self) -> None:
        """Start it and wait until it answers OPTIONS."""
        assert not self.is_running(), "Kamailio is running"
        defines = {
            "CORE_HOST": HOST,
            "CORE_PORT": str(self.port),
            "CORE_DOMAIN": f'"{DOMAIN}"',
            "CORE_PASSWORD": f'"{PASSWORD}"',
            "CORE_CONTROL": f'"unix:{self._control}"',
            **self._tls,
        }
        words = [word for item in defines.items() for word in ("-A", "=".join(item))]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                ["kamailio", "-f", str(CONFIGURATION), *words, "-DD", "-E", "-m", "32", "-M", "8"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        wait_until(self._serves, START_SECONDS, "Kamailio serves")

    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """End it with all its processes at once; its bindings are gone with it."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(10)

    def restart(self) -> float:
        """Kill it and start it again; returns when it was killed, on the monotonic clock."""
        self.kill()
        killed = time.monotonic()
        self.start()
        return killed

    def bindings(self, user: str = "psap") -> list[str]:
        """Return the Contacts that are bound to a user's address of record."""
        shown = subprocess.run(
            ["kamcmd", "-s", f"unix:{self._control}", "ul.lookup", "location", user],
            capture_output=True,
            text=True,
            check=False,
        )
        return _CONTACT.findall(shown.stdout)

    def log(self) -> str:
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def _serves(self) -> bool:
        assert self.is_running(), f"Kamailio ended\n{self.log()[-4000:]}"
        return options_status(self.port, 0.3) == 200


@contextmanager
def running_core(directory: Path, authority: Authority | None = None) -> Iterator[Core]:
    """Run a core for the duration of a block; with an authority also over TLS."""
    core = Core(directory, authority)
    try:
        core.start()
        yield core
    finally:
        if core.is_running():
            core.kill()
