"""The arrows between packages (docs/design.md), and that a broken one does not go unnoticed."""

import ast
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("psap", "chats", "sipgateway", "transfer_api")
LINT = (
    "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
)
# Each line breaks one contract of pyproject.toml, in that order.
BREAKS = (
    ("chats/services/chain.py", "import sipgateway.apps"),
    ("psap/roles.py", "import chats.models"),
    ("psap/models/trunk.py", "import psap.project.environment"),
    ("chats/models/chat.py", "import chats.services.chain"),
    ("sipgateway/protocol/__init__.py", "import django.conf"),
    ("sipgateway/simulator/__init__.py", "import sipgateway.protocol"),
    ("sipgateway/apps.py", "import sipgateway.simulator"),
)
PROTOCOL_MAY_IMPORT = {"lxml"}
SIMULATOR_MAY_IMPORT = {"rich"}
INPUT_AND_OUTPUT = {"asyncio", "socket", "ssl", "select", "selectors", "threading", "subprocess"}


def _lint(root: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", LINT],
        cwd=root,
        env={"PYTHONPATH": str(root), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )


def _imports(package: str) -> Iterator[tuple[Path, str]]:
    """Yield file and full name of each import below a package."""
    for path in sorted((ROOT / package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                yield from ((path, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                assert not node.level, f"{path}: relative import"
                yield path, node.module or ""


def _foreign(package: str, allowed: set[str]) -> list[str]:
    """Return what a package imports beyond itself, the standard library and `allowed`."""
    own = package.replace("/", ".")
    return [
        f"{path.relative_to(ROOT)}: {name}"
        for path, name in _imports(package)
        if name != own
        and not name.startswith(f"{own}.")
        and name.split(".")[0] not in sys.stdlib_module_names | allowed
    ]


def test_the_layers_hold():
    linted = _lint(ROOT)
    assert linted.returncode == 0, linted.stdout + linted.stderr


def test_every_broken_arrow_is_noticed(tmp_path: Path):
    for package in PACKAGES:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / package, tmp_path / package, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for file, line in BREAKS:
        with (tmp_path / file).open("a") as source:
            source.write(f"\n{line}\n")
    linted = _lint(tmp_path)
    assert f"Contracts: 0 kept, {len(BREAKS)} broken" in linted.stdout, linted.stdout


def test_the_protocol_core_imports_the_standard_library_and_lxml_alone():
    assert _foreign("sipgateway/protocol", PROTOCOL_MAY_IMPORT) == []


def test_the_protocol_core_does_no_input_and_output():
    used = {name.split(".")[0] for _path, name in _imports("sipgateway/protocol")}
    assert not used & INPUT_AND_OUTPUT


def test_the_simulator_shares_no_module_with_the_gateway():
    assert _foreign("sipgateway/simulator", SIMULATOR_MAY_IMPORT) == []


@pytest.mark.parametrize("package", PACKAGES)
def test_nobody_but_its_command_imports_the_simulator(package: str):
    command = ROOT / "sipgateway/management/commands/simulate.py"
    guilty = [
        path
        for path, name in _imports(package)
        if name.startswith("sipgateway.simulator")
        and path != command
        and ROOT / "sipgateway/simulator" not in path.parents
    ]
    assert guilty == []
