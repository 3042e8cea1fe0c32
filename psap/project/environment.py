"""Where this instance lives: directories, ports and addresses, read from the environment.

Standard library alone, so that the launcher can use it before Django is set up.
"""

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

PROJECT_ROOT = Path(__file__).resolve().parents[2]
DATABASE_NAME = "leitstand"
DATABASE_ROLE = "leitstand"
# sockaddr_un holds 107 bytes; the longest name below a runtime directory is `.s.PGSQL.5432.lock`.
LONGEST_SOCKET_DIR = 85
LONGEST_SOCKET_PATH = 107


@dataclass(frozen=True, slots=True)
class Environment:
    """One instance's settings from `PSAP_*`, `DATABASE_URL` and `REDIS_URL`."""

    state_dir: Path
    host: str
    http_port: int
    sip_port: int
    sips_port: int
    peer_port: int
    peer_socket: Path | None
    public_uri: str
    outbound_proxy: str
    database_url: str
    redis_url: str
    embedded_database: bool
    embedded_redis: bool

    @property
    def runtime_dir(self) -> Path:
        """Directory of the Unix sockets of the embedded servers, short enough for sockaddr_un."""
        return runtime_dir(self.state_dir)


def runtime_dir(state_dir: Path) -> Path:
    """Name the sockets' directory: in the state directory, else a short one in the temp folder."""
    inside = state_dir / "run"
    if len(os.fsencode(inside)) <= LONGEST_SOCKET_DIR:
        return inside
    digest = hashlib.sha256(os.fsencode(state_dir)).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"leitstand-{os.getuid()}-{digest}"


def read_environment(environ: dict[str, str] | None = None) -> Environment:
    """Read the environment; raises ValueError naming the variable that makes no sense."""
    env = dict(os.environ) if environ is None else environ
    state_dir = Path(env.get("PSAP_STATE_DIR") or PROJECT_ROOT / "var").expanduser().resolve()
    sockets = runtime_dir(state_dir)
    host = env.get("PSAP_HOST") or "127.0.0.1"
    sip_port = _port(env, "PSAP_SIP_PORT", 5060)
    shown_host = f"[{host}]" if ":" in host else host
    return Environment(
        state_dir=state_dir,
        host=host,
        http_port=_port(env, "PSAP_HTTP_PORT", 8000),
        sip_port=sip_port,
        sips_port=_port(env, "PSAP_SIPS_PORT", 5061),
        peer_port=_port(env, "PSAP_PEER_PORT", 8443),
        peer_socket=_socket(env, "PSAP_PEER_SOCKET"),
        public_uri=env.get("PSAP_PUBLIC_URI") or f"sip:psap@{shown_host}:{sip_port}",
        outbound_proxy=env.get("PSAP_OUTBOUND_PROXY") or "",
        database_url=env.get("DATABASE_URL")
        or f"postgresql://{DATABASE_ROLE}@{quote(str(sockets), safe='')}/{DATABASE_NAME}",
        redis_url=env.get("REDIS_URL") or f"unix://{sockets / 'redis.sock'}",
        embedded_database=not env.get("DATABASE_URL"),
        embedded_redis=not env.get("REDIS_URL"),
    )


def _port(env: dict[str, str], name: str, default: int) -> int:
    value = env.get(name) or str(default)
    if not value.isascii() or not value.isdigit() or not 0 < int(value) < 65536:
        raise ValueError(f"{name} is no port number: {value!r}")
    return int(value)


def _socket(env: dict[str, str], name: str) -> Path | None:
    value = env.get(name)
    if not value:
        return None
    path = Path(value).expanduser().absolute()
    if len(os.fsencode(path)) > LONGEST_SOCKET_PATH:
        raise ValueError(f"{name} is too long for a socket: {value!r}")
    return path
