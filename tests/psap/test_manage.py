"""`manage.py` as an operator meets it when nothing is running."""

import os
import subprocess
import sys

from psap.project.environment import PROJECT_ROOT


def test_a_database_that_is_away_is_one_line_and_exit_code_1():
    done = subprocess.run(
        [sys.executable, "manage.py", "peer", "list"],
        cwd=PROJECT_ROOT,
        env=os.environ | {"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nowhere"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: the database does not answer")
    assert done.stdout == ""
