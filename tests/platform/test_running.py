"""What one running instance offers, and that its supervisor restarts what dies."""

import os
import signal
import stat
import urllib.request
from pathlib import Path

import pytest

from psap.demo import USERS
from psap.project.launch import probes
from tests.support.instance import Instance, instance_variables, wait_until
from tests.support.ports import free_ports
from tests.support.processes import command_of, descendants, user_of
from tests.support.starting import refused_start

pytestmark = pytest.mark.together("e2e")

PROGRAMS = {"postgres", "redis", "gateway", "registrar", "web", "peerapi", "worker", "beat"}


def _status(url: str) -> int:
    with urllib.request.urlopen(url, timeout=5) as response:  # noqa: S310
        return response.status


def test_it_prints_ready_with_its_url_once_and_then_the_demo_logins(instance: Instance):
    logins = [f"{name:10}  {password}" for name, password in instance.credentials.items()]
    wait_until(lambda: len(instance.output) >= 5, 5, "the logins are printed")
    assert instance.output[:5] == [f"READY {instance.url}", *logins]


def test_the_credentials_are_those_of_the_demo_users_and_readable_by_the_owner_alone(
    instance: Instance,
):
    assert set(instance.credentials) == {user.username for user in USERS}
    assert len(set(instance.credentials.values())) == len(USERS)
    mode = (instance.state_dir / "credentials.json").stat().st_mode
    assert stat.S_IMODE(mode) == 0o600


def test_every_program_runs_under_the_supervisor(instance: Instance):
    pids = instance.pids()
    assert set(pids) == PROGRAMS
    assert set(pids.values()) <= descendants(instance.process.pid)
    assert _status(f"{instance.url}healthz") == 200


def test_postgresql_does_not_run_as_root_and_listens_on_no_network(instance: Instance):
    postgres = instance.pids()["postgres"]
    assert user_of(postgres) != 0
    assert "listen_addresses= " in command_of(postgres) + " "
    assert instance.execute("SHOW fsync") == [("on",)]


def test_the_application_is_no_superuser_of_the_database(instance: Instance):
    rows = instance.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
    assert rows == [(False,)]


def test_manage_works_on_the_running_instance(instance: Instance):
    shown = instance.manage(
        "shell",
        "-v",
        "0",
        "-c",
        "from psap.models import Psap as P\nprint(P.objects.get().public_uri)",
    ).stdout
    assert shown.strip() == f"sip:psap@127.0.0.1:{instance.sip_port}"


@pytest.mark.parametrize("program", ["gateway", "postgres", "redis"])
def test_what_is_killed_comes_back(instance: Instance, program: str):
    killed = instance.kill(program)
    instance.wait_until_restarted(program, killed)
    wait_until(lambda: probes.web_answers(instance.environment), 20, "the web answers")
    wait_until(lambda: probes.gateway_answers(instance.environment), 20, "the gateway answers")


def test_a_second_instance_on_the_same_state_directory_is_refused(instance: Instance):
    variables = instance_variables(instance.state_dir, free_ports(4))
    complaint = refused_start(variables)
    assert complaint == (
        f"error: another instance is running on {instance.state_dir} (PSAP_STATE_DIR)"
    )
    assert _status(f"{instance.url}healthz") == 200


@pytest.mark.parametrize(
    ("variable", "port_of"),
    [
        ("PSAP_HTTP_PORT", "http_port"),
        ("PSAP_SIP_PORT", "sip_port"),
        ("PSAP_SIPS_PORT", "sips_port"),
        ("PSAP_PEER_PORT", "peer_port"),
    ],
)
def test_a_taken_port_is_one_clear_line_and_nothing_is_started(
    instance: Instance, tmp_path: Path, variable: str, port_of: str
):
    taken = getattr(instance.environment, port_of)
    variables = instance_variables(tmp_path / "state", free_ports(4)) | {variable: str(taken)}
    assert refused_start(variables) == f"error: port {taken} ({variable}) is taken"
    assert not (tmp_path / "state" / "postgres").exists()


def test_what_is_no_port_number_is_one_clear_line(tmp_path: Path):
    variables = instance_variables(tmp_path / "state", free_ports(4)) | {"PSAP_SIP_PORT": "5o60"}
    assert refused_start(variables) == "error: PSAP_SIP_PORT is no port number: '5o60'"


def test_a_stopped_program_does_not_stop_the_others_from_answering(instance: Instance):
    stopped = instance.kill("worker", signal.SIGSTOP)
    try:
        assert _status(f"{instance.url}healthz") == 200
    finally:
        os.kill(stopped, signal.SIGCONT)
