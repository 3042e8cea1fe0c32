"""The fuzz target finds nothing in what we read, and finds a fault that is there."""

import shutil
import subprocess
import sys
from pathlib import Path

from psap.project.environment import PROJECT_ROOT
from tests.support.copies import altered_copy

FAULT = ("    if data[:1] in (b", '    assert b"message/cpim" not in data\n    if data[:1] in (b')


def fuzz(root: Path, directory: Path, seconds: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "tests/fuzz/read_message.py", str(seconds), str(directory)],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=seconds + 60,
    )


def test_nothing_is_found_in_ten_seconds(tmp_path):
    run = fuzz(PROJECT_ROOT, tmp_path, 10)
    assert run.returncode == 0, run.stderr[-3000:]
    assert "Done " in run.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["corpus"]


def test_a_fault_is_found(tmp_path):
    """A reader that fails on one media type, which stands in a seed and in no message of ours."""
    root = altered_copy(tmp_path, {"sipgateway/protocol/message.py": FAULT})
    shutil.copytree(PROJECT_ROOT / "tests", root / "tests")
    seed = root / "tests" / "data" / "captures" / "fault.sip"
    seed.write_bytes(b"MESSAGE sip:112@x SIP/2.0\r\nContent-Type: message/cpim\r\n\r\n")
    run = fuzz(root, tmp_path / "findings", 30)
    assert run.returncode != 0
    assert list((tmp_path / "findings").glob("crash-*"))
