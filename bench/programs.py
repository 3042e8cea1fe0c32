"""The foreign programs that a measurement needs, and the Debian packages that they come in."""

import shutil
from collections.abc import Iterable
from pathlib import Path

from bench.errors import MissingProgramError

PACKAGES = {
    "sipp": "sip-tester",
    "kamailio": "kamailio",
    "chromium": "chromium",
}
KAMAILIO_MODULES = "kamailio-postgres-modules"
KAMAILIO_SCHEMA = Path("/usr/share/kamailio/postgres")
MODULE_DIRECTORIES = (
    "/usr/lib/x86_64-linux-gnu/kamailio/modules",
    "/usr/lib/*-linux-gnu/kamailio/modules",
    "/usr/lib*/kamailio/modules",
)


def require_programs(names: Iterable[str]) -> None:
    """Look for the programs; raises MissingProgramError with the packages to install."""
    missing = [PACKAGES[name] for name in names if shutil.which(name) is None]
    if missing:
        raise MissingProgramError(
            f"missing Debian packages: {' '.join(missing)} (apt-get install {' '.join(missing)})"
        )


def kamailio_modules() -> Path:
    """Return the directory of Kamailio's modules; db_postgres must be among them."""
    for pattern in MODULE_DIRECTORIES:
        for directory in sorted(Path("/").glob(pattern.lstrip("/"))):
            if (directory / "db_postgres.so").is_file() and KAMAILIO_SCHEMA.is_dir():
                return directory
    raise MissingProgramError(
        f"missing Debian package: {KAMAILIO_MODULES} (apt-get install {KAMAILIO_MODULES})"
    )
