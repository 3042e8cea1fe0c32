"""How an instance ends and starts again: nothing stays behind, whatever happened to it."""

import os
import signal
import time
from pathlib import Path

from psap.project.environment import PROJECT_ROOT
from psap.project.launch.survivors import find_survivors
from tests.support.instance import Instance, running_instance, wait_until
from tests.support.processes import alive, descendants, processor_seconds

# The promise is ten seconds.
LONGEST_END = 10.0
# Of processor time, which other work on the machine does not stretch much: on two idle cores the
# five seconds that it takes are two and a half on the clock.
DEAREST_WARM_START = 12.0


def _stop_and_measure(instance: Instance, number: int) -> tuple[int, float, set[int]]:
    started = descendants(instance.process.pid)
    assert len(started) > 6
    begin = time.monotonic()
    code = instance.stop(number)
    return code, time.monotonic() - begin, alive(started)


def test_an_instance_starts_beside_another_ends_cleanly_and_starts_again_quickly(
    instance: Instance, tmp_path: Path
):
    with running_instance(tmp_path / "state", command=[str(PROJECT_ROOT / "bin/run")]) as first:
        credentials = first.credentials
        assert credentials != instance.credentials
        assert first.pids().keys() == instance.pids().keys()
        code, seconds, left = _stop_and_measure(first, signal.SIGINT)
        assert (code, left) == (0, set())
        assert seconds < LONGEST_END
    with running_instance(tmp_path / "state") as second:
        assert second.credentials == credentials
        started = descendants(second.process.pid) | {second.process.pid}
        assert sum(map(processor_seconds, started)) < DEAREST_WARM_START
        for program in ("web", "postgres", "worker"):
            second.kill(program, signal.SIGSTOP)
        code, seconds, left = _stop_and_measure(second, signal.SIGTERM)
        assert (code, left) == (0, set())
        assert seconds < LONGEST_END


def test_when_the_launcher_is_killed_all_of_it_ends_and_the_next_start_copes(tmp_path: Path):
    state_dir = tmp_path / "state"
    with running_instance(state_dir) as first:
        os.kill(first.process.pid, signal.SIGKILL)
        first.process.wait()
    with running_instance(state_dir) as second:
        supervisor = second.environment.runtime_dir / "supervisor.pid"
        os.kill(int(supervisor.read_text()), signal.SIGKILL)
        assert second.process.wait(20) == 1
        wait_until(lambda: not find_survivors(state_dir), 1, "nothing is left")
        assert second.output[-1].startswith("error: the supervisor died; see ")
    with running_instance(state_dir) as third:
        assert third.pids()["postgres"]
