"""A TLS proxy in front of the interface for peers, with the configuration of deploy/peers.

    with running_proxy("haproxy", directory, certificates=made, socket_path=path) as proxy:
        proxy.port      # where peers connect, on 127.0.0.1
        proxy.log()     # what it has said

The files are those that are published; only port and places differ.
"""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from psap.project.environment import PROJECT_ROOT
from psap.project.launch.supervision import with_the_launcher
from tests.support.instance import free_ports, wait_until

CONFIGURATION = PROJECT_ROOT / "deploy" / "peers"
PUBLISHED = {"haproxy": "haproxy.cfg", "nginx": "nginx.conf"}
PROXIES = tuple(PUBLISHED)


@dataclass(frozen=True, slots=True)
class PeerProxy:
    """A running proxy."""

    port: int
    log_file: Path

    def log(self) -> str:
        return self.log_file.read_text(errors="replace")


@contextmanager
def running_proxy(
    name: str, directory: Path, *, certificates: Path, socket_path: Path
) -> Iterator[PeerProxy]:
    """Start HAProxy or nginx with certificates as `manage devca` writes them."""
    home = directory / name
    home.mkdir()
    for file in ("ca.pem", "crl.pem"):
        shutil.copy(certificates / file, home)
    ours = [(certificates / file).read_text() for file in ("psap.pem", "psap.key")]
    (home / "peers.pem").write_text("".join(ours))
    (port,) = free_ports(1)
    configuration = _configured(name, home, port, socket_path)
    proxy = PeerProxy(port, home / "log")
    with proxy.log_file.open("wb") as log:
        process = subprocess.Popen(
            _command(name, home, configuration),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            preexec_fn=with_the_launcher,
        )
    try:
        wait_until(lambda: takes_connections(port) or process.poll() is not None, 10, name)
        assert process.poll() is None, proxy.log()
        yield proxy
    finally:
        process.terminate()
        process.wait(10)


def takes_connections(port: int) -> bool:
    """Whether somebody listens on a port of 127.0.0.1."""
    try:
        socket.create_connection(("127.0.0.1", port), 0.5).close()
    except OSError:
        return False
    return True


def _configured(name: str, home: Path, port: int, socket_path: Path) -> Path:
    """Write the published file with the places and the port of this test."""
    text = (CONFIGURATION / PUBLISHED[name]).read_text()
    text = text.replace("/run/leitstand/peers.sock", str(socket_path))
    if name == "nginx":
        shutil.copy(CONFIGURATION / "client_cert.js", home)
        text = text.replace("modules/", "/usr/lib/nginx/modules/")
        text = text.replace("listen 8443", f"listen 127.0.0.1:{port}")
        ours = "".join(
            f"{kind}_temp_path {home}/{kind};\n"
            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        text = text.replace("http {\n", f"http {{\naccess_log {home}/access;\n{ours}")
    else:
        text = text.replace("bind :8443", f"bind 127.0.0.1:{port}")
    written = home / PUBLISHED[name]
    written.write_text(text.replace(f"/etc/{name}/leitstand", str(home)))
    return written


def _command(name: str, home: Path, configuration: Path) -> list[str]:
    if name == "haproxy":
        return ["haproxy", "-db", "-f", str(configuration)]
    directives = f"daemon off; pid {home}/pid; error_log stderr;"
    if os.geteuid() == 0:  # its workers would be somebody who cannot enter this directory
        directives += " user root;"
    return ["nginx", "-p", str(home), "-c", str(configuration), "-g", directives]
