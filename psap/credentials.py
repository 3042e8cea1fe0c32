"""The demo users' passwords in `credentials.json`, readable by the instance's owner alone."""

import json
import os
import secrets
from collections.abc import Iterable
from pathlib import Path


def read_credentials(path: Path) -> dict[str, str]:
    """Return the passwords by user name; an absent file is an empty one."""
    try:
        return {str(name): str(value) for name, value in json.loads(path.read_text()).items()}
    except FileNotFoundError:
        return {}


def draw_credentials(usernames: Iterable[str]) -> dict[str, str]:
    """Return a fresh password of 120 bits for each name."""
    return {name: secrets.token_urlsafe(15) for name in usernames}


def write_credentials(path: Path, credentials: dict[str, str]) -> None:
    """Put the file in place in one step, with mode 0600 from its first byte on."""
    growing = path.with_suffix(".new")
    growing.unlink(missing_ok=True)
    descriptor = os.open(growing, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(credentials, file, indent=2)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    growing.replace(path)
