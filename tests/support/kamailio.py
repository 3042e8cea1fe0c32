"""Debian's Kamailio with the configuration of deploy/kamailio, on ports of its own.

    with running_kamailio(directory, psap_port=5060) as kamailio:
        kamailio.endpoint            # "ws://127.0.0.1:43211", where apps connect
        kamailio.proxy_uri           # what the PSAP's trunk names as its outbound proxy
        kamailio.kill(); kamailio.start()
        kamailio.log()               # what it has said so far, over all its starts

The files are copied and not changed; what differs from site to site comes as defines (`-A`).
With `tls`, a directory of certificates, the way to the PSAP and back is TLS.
"""

import hashlib
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from psap.project.environment import PROJECT_ROOT
from psap.project.launch.supervision import with_the_launcher
from tests.support.gateway import HOST, options_status
from tests.support.instance import wait_until
from tests.support.ports import free_ports

CONFIGURATION = PROJECT_ROOT / "deploy" / "kamailio"
DOMAIN = "example.org"
PSAP_URI = f"sip:psap@{DOMAIN}"
PASSWORD = "geheim"
SUBSCRIBERS = ("anna", "bert", "psap")
START_SECONDS = 20.0
# The names of the certificates that `manage devca` writes, by those that tls.cfg asks for.
CERTIFICATES = {"ca.pem": "ca.pem", "crl.pem": "crl.pem", "bcf.pem": "client.pem"} | {
    "bcf.key": "client.key"
}


class Kamailio:
    """One Kamailio that the test starts, kills and starts again on the same ports."""

    def __init__(
        self,
        directory: Path,
        *,
        psap_port: int,
        psap_transport: str = "tcp",
        tls: Path | None = None,
        defines: Mapping[str, str] | None = None,
    ) -> None:
        self.port, self.inside_port, self.ws_port = free_ports(3)
        self._home = directory / "kamailio"
        self._log = directory / "kamailio.log"
        self._transport = "tls" if tls else psap_transport
        self._process: subprocess.Popen[bytes] | None = None
        shutil.copytree(CONFIGURATION, self._home)
        self._defines = {
            "BCF_HOST": HOST,
            "BCF_PORT": str(self.port),
            "BCF_INSIDE_PORT": str(self.inside_port),
            "BCF_WS_PORT": str(self.ws_port),
            "BCF_DOMAIN": f'"{DOMAIN}"',
            "BCF_PSAP": f'"sip:{HOST}:{psap_port};transport={self._transport}"',
            "BCF_PSAP_ADDRESS": f'"{HOST}:{psap_port}"',
            "BCF_SUBSCRIBERS": f'"text://{self._home / "subscribers"}"',
            "BCF_CHILDREN": "1",
            **(defines or {}),
        }
        self._enrol()
        if tls is not None:
            self._certify(tls)

    @property
    def endpoint(self) -> str:
        return f"ws://{HOST}:{self.ws_port}"

    @property
    def proxy_uri(self) -> str:
        return f"sip:{HOST}:{self.inside_port};transport={self._transport}"

    def start(self) -> None:
        """Start it and wait until it answers OPTIONS."""
        assert not self.is_running(), "Kamailio is running"
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*self.command, "-DD", "-E", "-m", "32", "-M", "8"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=with_the_launcher,  # ends with tests that are killed
            )
        wait_until(self._serves, START_SECONDS, "Kamailio serves")

    @property
    def command(self) -> list[str]:
        """How it is called; with `-c` beside it, it checks its configuration alone."""
        defines = [word for item in self._defines.items() for word in ("-A", "=".join(item))]
        return ["kamailio", "-f", str(self._home / "kamailio.cfg"), *defines]

    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """End it with all its processes at once, as a crash does."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(10)

    def stop(self) -> None:
        """End it in order, or by force when it hangs."""
        if not self.is_running():
            return
        assert self._process is not None
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self.kill()

    def log(self) -> str:
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def _serves(self) -> bool:
        assert self.is_running(), f"Kamailio ended\n{self.log()[-4000:]}"
        return options_status(self.port, 0.3) == 200

    def _enrol(self) -> None:
        """Give each subscriber a line; `use_domain` makes the domain the realm."""
        rows = self._home / "subscribers" / "subscriber"
        with rows.open("a") as file:
            for number, user in enumerate(SUBSCRIBERS, 1):
                digest = hashlib.md5(f"{user}:{DOMAIN}:{PASSWORD}".encode()).hexdigest()  # noqa: S324
                file.write(f"{number}:{user}:{DOMAIN}:{digest}\n")

    def _certify(self, directory: Path) -> None:
        home = self._home / "tls"
        home.mkdir(exist_ok=True)
        for ours, theirs in CERTIFICATES.items():
            shutil.copyfile(directory / theirs, home / ours)
        self._defines["WITH_TLS"] = "1"


@contextmanager
def running_kamailio(directory: Path, **given: object) -> Iterator[Kamailio]:
    """Run a Kamailio for the duration of a block; `given` goes to `Kamailio`."""
    kamailio = Kamailio(directory, **given)  # type: ignore[arg-type]
    try:
        kamailio.start()
        yield kamailio
    finally:
        kamailio.stop()
