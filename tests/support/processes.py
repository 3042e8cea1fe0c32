"""Looking at processes through /proc."""

import os
from pathlib import Path


def parents() -> dict[int, int]:
    """Return pid → parent's pid of all processes that are not zombies."""
    found = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[0] != "Z":
            found[int(status.parent.name)] = int(fields[1])
    return found


def descendants(ancestor: int) -> set[int]:
    """Return the pids of all that a process started, directly or not."""
    table = parents()
    found: set[int] = set()
    grown = {ancestor}
    while grown:
        grown = {pid for pid, parent in table.items() if parent in grown} - found
        found |= grown
    return found


def alive(pids: set[int]) -> set[int]:
    return pids & parents().keys()


def user_of(pid: int) -> int:
    return Path(f"/proc/{pid}").stat().st_uid


def processor_seconds(pid: int) -> float:
    """Return the processor time of a process and of its children that have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def command_of(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
