"""Finding and ending what belongs to an instance, also what lost its parent.

Every program inherits a mark in its environment. PostgreSQL overwrites its environment with the
title it shows in process lists, but works in its data directory.
"""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

MARK = "LEITSTAND_INSTANCE"


def find_survivors(state_dir: Path) -> dict[int, int]:
    """Return pid → parent's pid of the instance's processes, without ourselves and zombies."""
    mark = f"{MARK}={state_dir}".encode()
    data = str(state_dir / "postgres")
    found = {}
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            belongs = (
                os.readlink(f"{entry.path}/cwd") == data
                if _is_postgres(int(entry.name))
                else mark in Path(entry.path, "environ").read_bytes().split(b"\0")
            )
            fields = Path(entry.path, "stat").read_text().rpartition(")")[2].split()
        except OSError:  # it ended, or belongs to somebody else
            continue
        if belongs and fields[0] != "Z":
            found[int(entry.name)] = int(fields[1])
    return found


def end_survivors(state_dir: Path, patience: float, pause: Callable[[float], object]) -> None:
    """End the instance's processes: politely, and after `patience` seconds by SIGKILL.

    Only those whose parent is gone are asked. A supervisor among them ends its own children, and
    PostgreSQL its; SIGINT is PostgreSQL's fast shutdown.
    """
    asked: set[int] = set()
    deadline = time.monotonic() + patience
    while alive := find_survivors(state_dir):
        insist = time.monotonic() >= deadline
        for pid, parent in alive.items():
            if insist:
                _signal(pid, signal.SIGKILL)
            elif parent not in alive and pid not in asked:
                asked.add(pid)
                _signal(pid, signal.SIGINT if _is_postgres(pid) else signal.SIGTERM)
        pause(0.05)


def _is_postgres(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip() == "postgres"
    except OSError:
        return False


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass
