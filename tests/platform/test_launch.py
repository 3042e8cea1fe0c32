"""Parts of the launcher on their own."""

import os
import shlex
import shutil
import subprocess
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from supervisor.options import ServerOptions

from psap.project.environment import LONGEST_SOCKET_DIR, read_environment
from psap.project.launch import readiness
from psap.project.launch.account import Account, command_prefix, database_account
from psap.project.launch.errors import LaunchError
from psap.project.launch.postgres import binaries
from psap.project.launch.state import claim_state_dir
from psap.project.launch.supervision import programs, write_configuration
from psap.project.launch.watch import DeathCounter


def _environment(tmp_path: Path, **variables: str):
    state_dir = tmp_path / "100% of it"
    state_dir.mkdir()
    (state_dir / "run").mkdir()
    (state_dir / "postgres").mkdir()
    return read_environment({"PSAP_STATE_DIR": str(state_dir), **variables})


def test_three_deaths_within_a_minute_are_reported_once_a_minute():
    deaths = DeathCounter()
    assert [deaths.died("web", now) for now in (0, 1, 2, 3, 50, 61, 62)] == [
        False, False, True, False, False, False, True,
    ]  # fmt: skip


def test_rare_deaths_and_those_of_different_programs_are_not_reported():
    deaths = DeathCounter()
    assert not any(deaths.died("web", now) for now in (0, 40, 80, 120))
    assert not any(deaths.died(name, 121) for name in ("gateway", "worker", "beat"))


def test_servers_of_ones_own_replace_the_embedded_ones(tmp_path: Path):
    environment = _environment(
        tmp_path, DATABASE_URL="postgresql://db.example/x", REDIS_URL="redis://r.example"
    )
    names = [program.name for program in programs(environment)]
    assert names == ["gateway", "registrar", "web", "peerapi", "worker", "beat"]


def test_the_supervisor_listens_on_a_unix_socket_alone_and_takes_any_path(tmp_path: Path):
    text = write_configuration(_environment(tmp_path)).read_text()
    assert "inet_http_server" not in text
    assert "100%% of it" in text
    assert "100% of it" not in text


def test_the_supervisor_reads_back_the_paths_that_were_written(
    tmp_path: Path, request: pytest.FixtureRequest
):
    """Red while the percent sign of a log file, which supervisor expands twice, is doubled once."""
    environment = _environment(tmp_path)
    (environment.state_dir / "log").mkdir()
    environment.runtime_dir.mkdir(parents=True, exist_ok=True)
    request.addfinalizer(lambda: shutil.rmtree(environment.runtime_dir))
    options = ServerOptions()
    options.realize(["-n", "-c", str(write_configuration(environment))])
    configs = [
        config for group in options.process_group_configs for config in group.process_configs
    ]
    assert {config.name: config.stdout_logfile for config in configs} == {
        program.name: str(environment.state_dir / "log" / f"{program.name}.log")
        for program in programs(environment)
    }
    for program, config in zip(programs(environment), configs, strict=True):
        assert shlex.split(config.command) == list(map(str, program.command))


@pytest.mark.parametrize("name", ["state #1", "state ;1", "line\nbreak"])
def test_a_path_that_the_supervisor_would_misread_is_refused(tmp_path: Path, name: str):
    environment = read_environment({"PSAP_STATE_DIR": str(tmp_path / name)})
    with pytest.raises(LaunchError, match="PSAP_STATE_DIR"):
        claim_state_dir(environment)
    assert not environment.state_dir.exists()


def test_logs_are_for_the_owner_alone(tmp_path: Path):
    environment = read_environment({"PSAP_STATE_DIR": str(tmp_path / "state")})
    os.close(claim_state_dir(environment))
    assert (environment.state_dir / "log").stat().st_mode & 0o777 == 0o700


def test_sockets_of_a_deep_state_directory_go_to_a_short_path():
    deep = read_environment({"PSAP_STATE_DIR": "/tmp/" + "d" * 200})  # noqa: S108
    assert len(str(deep.runtime_dir)) <= LONGEST_SOCKET_DIR


def test_an_account_enters_what_is_open_to_all_and_what_is_its_own(tmp_path: Path):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    owner = closed.stat()
    others = Account(owner.st_uid + 1, owner.st_gid + 1)
    assert others.may_enter(Path("/usr/bin"))
    assert not others.may_enter(closed)


def test_the_database_account_runs_binaries_behind_a_closed_directory(tmp_path: Path):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    program = closed / "pg_config"  # looks with access(2) for itself
    program.symlink_to(binaries() / "pg_config")
    prefix = command_prefix(database_account(), [closed, binaries()])
    shown = subprocess.run(
        [*prefix, str(program), "--bindir"], capture_output=True, text=True, check=False
    )
    assert shown.stdout.strip() == str(binaries()), shown.stderr


@pytest.mark.parametrize("silent", ["web", "gateway", "peerapi"])
def test_a_start_that_takes_too_long_names_what_does_not_answer_and_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, silent: str
):
    environment = _environment(tmp_path)
    monkeypatch.setattr(readiness, "PATIENCE", 0.05)
    monkeypatch.setattr(readiness.probes, "web_answers", lambda _: silent != "web")
    monkeypatch.setattr(readiness.probes, "gateway_answers", lambda _: silent != "gateway")
    monkeypatch.setattr(readiness.probes, "peers_answered", lambda _: True)
    beating = {"worker", "beat", "peerapi"} - {silent}
    monkeypatch.setattr(readiness.probes.BeatReader, "beating", lambda _: iter(beating))
    stop = SimpleNamespace(requested=False, wait=time.sleep)
    starting = readiness.Readiness(environment, SimpleNamespace(), stop)
    with pytest.raises(LaunchError, match=f"no answer from {silent}; see .*/log/{silent}.log"):
        starting.wait_for_programs()


def test_a_port_for_peers_that_stays_closed_does_not_keep_callers_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    asked: list[float] = []
    monkeypatch.setattr(readiness, "PATIENCE_WITH_PEERS", 0.3)
    monkeypatch.setattr(readiness.probes, "web_answers", lambda _: True)
    monkeypatch.setattr(readiness.probes, "gateway_answers", lambda _: True)
    monkeypatch.setattr(
        readiness.probes, "peers_answered", lambda _: bool(asked.append(time.monotonic()))
    )
    beating = ("worker", "beat", "peerapi")
    monkeypatch.setattr(readiness.probes.BeatReader, "beating", lambda _: iter(beating))
    stop = SimpleNamespace(requested=False, wait=time.sleep)
    readiness.Readiness(_environment(tmp_path), SimpleNamespace(), stop).wait_for_programs()
    assert 2 <= len(asked) and asked[-1] - asked[0] >= 0.3
