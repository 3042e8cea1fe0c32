"""The other side: Kamailio 5.6 storing every MESSAGE with `msilo` in the same PostgreSQL."""

import contextlib
import secrets
import socket
from collections.abc import Iterator
from pathlib import Path

from bench.children import Child, running
from bench.instance import Instance
from bench.programs import KAMAILIO_SCHEMA, kamailio_modules

CHILDREN = (2, 4, 8)
DATABASE = "kamailio"
ROLE = "leitstand"
HOST = "127.0.0.1"
# Transactions stay for some seconds after their answer: the default of 64 MiB is full after a few
# thousand messages, and then Kamailio refuses what it could well have stored.
SHARED_MEMORY_MIB = 2048
TEMPLATE = Path(__file__).parent / "kamailio.cfg.in"


def create_database(instance: Instance) -> None:
    """Make Kamailio's database with its own schema for PostgreSQL."""
    with instance.connect("postgres", "postgres") as connection:
        connection.execute(f"CREATE DATABASE {DATABASE} OWNER {ROLE}")
    with instance.connect(DATABASE, ROLE) as connection:
        for name in ("standard-create.sql", "msilo-create.sql"):
            connection.execute((KAMAILIO_SCHEMA / name).read_text())


def stored_messages(instance: Instance) -> int:
    """Count the messages in the silo."""
    with instance.connect(DATABASE, ROLE) as connection:
        row = connection.execute("SELECT count(*) FROM silo").fetchone()
    return int(row[0]) if row else 0


def empty_silo(instance: Instance) -> None:
    """Give the next number of children the same empty table."""
    with instance.connect(DATABASE, ROLE) as connection:
        connection.execute("TRUNCATE silo")


@contextlib.contextmanager
def kamailio(instance: Instance, *, children: int, port: int) -> Iterator[Child]:
    """Run Kamailio with `children` UDP workers and return once it answers."""
    configuration = instance.environment.state_dir / f"kamailio-{children}.cfg"
    text = TEMPLATE.read_text()
    for name, value in (
        ("CHILDREN", children),
        ("HOST", HOST),
        ("PORT", port),
        ("MODULES", kamailio_modules()),
        ("USER", ROLE),
        ("DATABASE", DATABASE),
    ):
        text = text.replace(f"@{name}@", str(value))
    configuration.write_text(text)
    command = ["kamailio", "-DD", "-E", "-m", str(SHARED_MEMORY_MIB), "-f", str(configuration)]
    command += ["-Y", str(instance.environment.state_dir)]
    variables = {**instance.variables(), "PGHOST": str(instance.environment.runtime_dir)}
    log = instance.logs / f"kamailio-{children}.log"
    with running(f"Kamailio with {children} children", command, log, variables) as child:
        child.wait_until(lambda: _answers(port), 15)
        yield child


def _answers(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.settimeout(0.5)
        probe.connect((HOST, port))
        own = probe.getsockname()[1]
        request = (
            f"OPTIONS sip:{HOST}:{port} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP {HOST}:{own};branch=z9hG4bK{secrets.token_hex(8)}\r\n"
            f"From: <sip:bench@{HOST}>;tag={secrets.token_hex(4)}\r\n"
            f"To: <sip:{HOST}:{port}>\r\nCall-ID: {secrets.token_hex(8)}\r\n"
            "CSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
        )
        try:
            probe.send(request.encode())
            return probe.recv(65536).startswith(b"SIP/2.0 ")
        except OSError:
            return False
