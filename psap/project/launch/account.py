"""The account that runs the embedded PostgreSQL, which refuses to work as root."""

import os
import pwd
import shutil
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from psap.project.launch.errors import LaunchError

# capabilities(7): bits of CapPrm in /proc/self/status.
CAP_DAC_OVERRIDE = 1
CAP_DAC_READ_SEARCH = 2


@dataclass(frozen=True, slots=True)
class Account:
    """A user that is not root."""

    uid: int
    gid: int

    def give(self, directory: Path) -> None:
        """Make the directory this account's alone (root still gets in)."""
        os.chown(directory, self.uid, self.gid)
        directory.chmod(0o700)

    def may_enter(self, path: Path) -> bool:
        """Whether the account gets through all directories above and into `path`."""
        return all(self._may_search(directory.stat()) for directory in (path, *path.parents))

    def _may_search(self, entry: os.stat_result) -> bool:
        if entry.st_uid == self.uid:
            return bool(entry.st_mode & stat.S_IXUSR)
        return bool(entry.st_mode & stat.S_IXOTH)


def database_account() -> Account | None:
    """Return the account to switch to, or None where we are somebody unprivileged already."""
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError as error:
        raise LaunchError("PostgreSQL refuses to run as root, and no user nobody exists") from error
    return Account(entry.pw_uid, entry.pw_gid)


def command_prefix(account: Account | None, directories: Iterable[Path]) -> list[str]:
    """Return what to put before a command that runs as `account` and enters `directories`.

    A clone below /root lies behind a directory with mode 0700. Then the command keeps the one
    capability that lets it pass: to search directories, where we hold that, else the wider one.
    """
    if account is None:
        return []
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise LaunchError("PostgreSQL refuses to run as root, and setpriv (util-linux) is missing")
    prefix = [setpriv, f"--reuid={account.uid}", f"--regid={account.gid}", "--clear-groups"]
    if all(account.may_enter(directory) for directory in directories):
        return [*prefix, "--"]
    capability = _traversal_capability()
    # Without no_setuid_fixup access(2), with which PostgreSQL looks for its own binaries, would
    # leave the capability out of account. Everything but it goes with the exec.
    return [
        *prefix,
        "--securebits=+no_setuid_fixup",
        f"--inh-caps=+{capability}",
        f"--ambient-caps=+{capability}",
        f"--bounding-set=-all,+{capability}",
        "--",
    ]


def _traversal_capability() -> str:
    status = Path("/proc/self/status").read_text()
    permitted = int(status.split("CapPrm:")[1].split()[0], 16)
    for bit, name in ((CAP_DAC_READ_SEARCH, "dac_read_search"), (CAP_DAC_OVERRIDE, "dac_override")):
        if permitted >> bit & 1:
            return name
    raise LaunchError(
        "the user nobody, who runs PostgreSQL, cannot enter the project's or the state directory"
    )
