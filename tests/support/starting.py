"""Starts of an instance that are refused."""

import subprocess
from collections.abc import Mapping

from psap.project.environment import PROJECT_ROOT
from tests.support.instance import LAUNCHER


def refused_start(variables: Mapping[str, str]) -> str:
    """Start an instance that may not start; returns the one line that it says (exit code 1)."""
    done = subprocess.run(
        LAUNCHER,
        cwd=PROJECT_ROOT,
        env=dict(variables),
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, ""), done
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    return lines[0]
