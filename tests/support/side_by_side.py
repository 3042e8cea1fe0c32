"""Tests in several processes side by side (pytest-xdist), out of each other's way.

Each process has its own database (pytest-django), Redis, state directory and ports
(tests/support/ports.py). The tests of a file stay in one process, since they share a gateway or an
instance; files that share what is dear to start stay together:

    pytestmark = pytest.mark.together("rooms")

Files that measure time say so, and run one after the other when all else is over:

    pytestmark = pytest.mark.alone

Loaded by `addopts` in pyproject.toml, before anybody has read the settings.
"""

import os
import re
import shutil
import subprocess
import tempfile
from functools import cache
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

from psap.project.environment import read_environment
from psap.project.launch import redis_server
from psap.project.launch.supervision import with_the_launcher

ALONE = "alone"
# Files of these share an instance, and so a process: each instance computes as long as it is there.
SHARING = ("e2e", "interop")
SAYS = re.compile(r"^pytestmark = .*\bpytest\.mark\.(alone\b|together\(\"(\w+)\"\))", re.MULTILINE)
# Files of the first start whole instances, which computes; others wait, those of the second for
# longest. One of each by turns, the longest first: so there is always something to compute.
COMPUTING = ("e2e", "interop", "platform", "faults", "js")
WAITING = ("transfer_api", "gateway", "chats")


class OwnServers:
    """A Redis and a state directory of this process alone."""

    def __init__(self) -> None:
        # Within that of the testbed, which removes it also when we are killed.
        within = os.environ.get("PSAP_STATE_DIR")
        self._home = Path(tempfile.mkdtemp(prefix="leitstand-tests-", dir=within))
        environment = read_environment({"PSAP_STATE_DIR": str(self._home / "state")})
        environment.state_dir.mkdir()
        environment.runtime_dir.mkdir()
        self._sockets = environment.runtime_dir
        os.environ["PSAP_STATE_DIR"] = str(environment.state_dir)
        os.environ["REDIS_URL"] = environment.redis_url
        self._redis = subprocess.Popen(
            redis_server.server_command(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=with_the_launcher,
        )

    def end(self) -> None:
        self._redis.terminate()
        self._redis.wait()
        for directory in (self._home, self._sockets):
            shutil.rmtree(directory, ignore_errors=True)


own_servers = OwnServers() if "PYTEST_XDIST_WORKER" in os.environ else None


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "alone: of a whole file, which runs when no other does")
    config.addinivalue_line("markers", "together(name): of a file, in one process with others")


def pytest_unconfigure() -> None:
    if own_servers:
        own_servers.end()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Side by side, files that compute and files that wait come by turns."""
    if hasattr(config, "workerinput"):
        files = dict.fromkeys(item.path for item in items)
        areas = {file: file.relative_to(config.rootpath).parts[1] for file in files}
        computing = [file for area in COMPUTING for file in files if areas[file] == area]
        waiting = [file for area in WAITING for file in files if areas[file] == area]
        by_turns = (file for pair in zip_longest(computing, waiting) for file in pair if file)
        turns = {file: turn for turn, file in enumerate(by_turns)}
        items.sort(key=lambda item: turns.get(item.path, len(turns)))


@pytest.hookimpl(tryfirst=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> "AloneLast":
    config.option.loadscopereorder = False
    return AloneLast(config, log)


@cache
def group_of(path: Path) -> str:
    """Return what a file says in its source that it belongs to, else what its directory shares."""
    if said := SAYS.search(path.read_text()):
        return said[2] or ALONE
    return path.parent.name if path.parent.name in SHARING else ""


class AloneLast(LoadScopeScheduling):
    """Gives whole files to the processes; those that run alone to the last that is left."""

    def _split_scope(self, nodeid: str) -> str:
        name = nodeid.partition("::")[0]
        return group_of(self.config.rootpath / name) or name

    def _assign_work_unit(self, node: WorkerController) -> None:
        for scope, unit in list(self.workqueue.items()):
            if all(unit.values()):  # what a process had done that crashed later
                del self.workqueue[scope]
        if not self.workqueue:
            node.shutdown()
            return
        if ALONE in self.workqueue:
            self.workqueue.move_to_end(ALONE)
        if next(iter(self.workqueue)) == ALONE and len(self.nodes) > 1:
            if any(other is not node and not other.shutting_down for other in self.nodes):
                node.shutdown()
            return  # the last one waits until the others are gone
        super()._assign_work_unit(node)

    def remove_node(self, node: WorkerController) -> str | None:
        crashed = super().remove_node(node)
        for other in self.nodes:
            self._reschedule(other)
        return crashed
