"""What a figure was measured on: processors, kernel, disk, the state of the sources."""

import os
import platform
import subprocess
import time
from pathlib import Path
from typing import Any

from psap.project.environment import PROJECT_ROOT

SYNC_ROUNDS = 200
BLOCK = b"\0" * 8192


def describe_machine(directory: Path) -> dict[str, Any]:
    """Describe this machine; `directory` is where the database will live.

    `fdatasyncMicros` is the median time of writing one 8 kB block and flushing it: what a COMMIT
    at least waits for, and what the ratio of the two sides depends on most.
    """
    return {
        "cpu": _first_value(Path("/proc/cpuinfo"), "model name"),
        "cores": len(os.sched_getaffinity(0)),
        "memoryMiB": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20,
        "kernel": platform.release(),
        "python": platform.python_version(),
        "filesystem": filesystem_of(directory),
        "fdatasyncMicros": round(flush_time(directory) * 1e6),
        "load1": round(os.getloadavg()[0], 2),
    }


def commit() -> str:
    """Name the commit that was measured; `+changes` when the sources differ from it."""
    head = _git("rev-parse", "--short=12", "HEAD")
    if not head:
        return "unknown"
    return head + ("+changes" if _git("status", "--porcelain", "--untracked-files=no") else "")


def filesystem_of(directory: Path) -> str:
    """Return the type of the file system that holds the directory, such as ext4 or tmpfs."""
    longest, found = -1, "unknown"
    resolved = directory.resolve()
    for line in Path("/proc/mounts").read_text().splitlines():
        _device, mount_point, kind, *_ = line.split()
        if resolved.is_relative_to(mount_point) and len(mount_point) >= longest:
            longest, found = len(mount_point), kind
    return found


def flush_time(directory: Path) -> float:
    """Return the median seconds of one small write with fdatasync in the directory."""
    path = directory / "flush.probe"
    times = []
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        for _ in range(SYNC_ROUNDS):
            begun = time.perf_counter()
            os.pwrite(descriptor, BLOCK, 0)
            os.fdatasync(descriptor)
            times.append(time.perf_counter() - begun)
    finally:
        os.close(descriptor)
        path.unlink()
    return sorted(times)[SYNC_ROUNDS // 2]


def _first_value(path: Path, key: str) -> str:
    for line in path.read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == key:
            return value.strip()
    return platform.machine()


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(  # noqa: S603
            ["git", "-C", str(PROJECT_ROOT), *arguments],  # noqa: S607
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        return ""
    return done.stdout.strip()
