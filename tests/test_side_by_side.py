"""Tests side by side: files stay whole, and what measures runs by itself at the end."""

import os
import subprocess
import sys
from pathlib import Path

from psap.project.environment import PROJECT_ROOT

TESTS = """
import os, time, pathlib, pytest
HERE = pathlib.Path(__file__).parent

def note(what):
    with (HERE / "log").open("a") as log:
        log.write(f"begin {{what}} {{os.environ['PYTEST_XDIST_WORKER']}}\\n")
    time.sleep(0.05)
    with (HERE / "log").open("a") as log:
        log.write(f"end {{what}}\\n")

{marks}
@pytest.mark.parametrize("number", range(3))
def test_it(number):
    note("{name}")
"""


def run(folder: Path, processes: int) -> list[list[str]]:
    """Run the tests of a folder; returns what they noted, word by word."""
    options = ["-p", "no:cacheprovider", "-p", "xdist", "-p", "tests.support.side_by_side"]
    command = [sys.executable, "-m", "pytest", "-q", "-n", str(processes), *options]
    command += ["-c", str(folder / "pytest.ini"), "--rootdir", str(folder), str(folder / "tests")]
    outside = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_XDIST")}
    done = subprocess.run(
        command,
        cwd=PROJECT_ROOT,
        env=outside | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return [line.split() for line in (folder / "tests" / "log").read_text().splitlines()]


def written(folder: Path, **marks: str) -> Path:
    (folder / "tests").mkdir()
    (folder / "pytest.ini").write_text("[pytest]\naddopts = --strict-markers\n")
    for name, mark in marks.items():
        (folder / "tests" / f"test_{name}.py").write_text(TESTS.format(name=name, marks=mark))
    return folder


def test_what_measures_begins_when_all_else_is_over(tmp_path: Path):
    alone = "pytestmark = pytest.mark.alone"
    marks = {"alone_a": alone, "b": "", "c": "", "d": "", "alone_e": alone}
    notes = run(written(tmp_path, **marks), processes=3)
    kinds = [words[1] for words in notes]
    last_other = max(place for place, kind in enumerate(kinds) if not kind.startswith("alone"))
    first_alone = min(place for place, kind in enumerate(kinds) if kind.startswith("alone"))
    assert last_other < first_alone
    assert len(notes) == 2 * 3 * len(marks)
    measured = notes[first_alone:]
    assert [words[0] for words in measured] == ["begin", "end"] * 6
    assert len({words[2] for words in measured if words[0] == "begin"}) == 1


def test_a_file_stays_in_one_process(tmp_path: Path):
    marks = {"a": "", "b": "", "c": "", "d": ""}
    begun = [words for words in run(written(tmp_path, **marks), 3) if words[0] == "begin"]
    for name in marks:
        assert len({words[2] for words in begun if words[1] == name}) == 1
    assert len({words[2] for words in begun}) > 1


def test_one_process_that_is_left_does_all(tmp_path: Path):
    marks = {"a": "", "alone_b": "pytestmark = pytest.mark.alone"}
    for processes in (1, 2):
        folder = tmp_path / str(processes)
        folder.mkdir()
        kinds = [words[1] for words in run(written(folder, **marks), processes)]
        assert kinds == ["a"] * 6 + ["alone_b"] * 6
