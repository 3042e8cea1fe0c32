"""Copies of the project with a safeguard taken out: what a test must then find."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from psap.project.environment import PROJECT_ROOT

NEEDED = ("manage.py", "psap", "chats", "sipgateway", "transfer_api", "templates", "static")


def altered_copy(directory: Path, changes: Mapping[str, tuple[str, str]]) -> Path:
    """Copy the project and replace, in each named file, one text that stands there exactly once."""
    root = directory / "project"
    root.mkdir()
    for name in NEEDED:
        source = PROJECT_ROOT / name
        if source.is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(source, root / name, ignore=ignored)
        elif source.exists():
            shutil.copy(source, root / name)
    for name, (before, after) in changes.items():
        path = root / name
        source_code = path.read_text()
        assert source_code.count(before) == 1, f"{before!r} is not once in {name}"
        path.write_text(source_code.replace(before, after))
        assert after in path.read_text()
    return root
