"""The interface for peers as a program of an instance: where it listens, and when it cannot."""

import http.client
import json
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from psap.project.environment import read_environment
from psap.project.launch import probes
from psap.project.launch.errors import LaunchError
from psap.project.launch.ports import require_free_socket
from tests.support.instance import Instance, free_ports, instance_variables, wait_until
from tests.support.starting import refused_start

pytestmark = pytest.mark.together("e2e")


def ask(instance: Instance, path: str, method: str = "GET", shown: str = "") -> tuple[int, dict]:
    """Ask the port for peers as somebody who has the demo's certificates."""
    made = instance.state_dir / "devca"
    context = ssl.create_default_context(cafile=str(made / "ca.pem"))
    if shown:
        context.load_cert_chain(made / f"{shown}.pem", made / f"{shown}.key")
    port = instance.environment.peer_port
    connection = http.client.HTTPSConnection("localhost", port, context=context, timeout=10)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def test_the_demo_listens_for_peers_and_knows_none_yet(instance: Instance):
    assert ask(instance, "/healthz") == (200, {"status": "ok"})
    status, problem = ask(instance, "/transfer/v1/negotiation", "POST", "client")
    assert status == 401
    assert "none of the names of your certificate (client.example.org)" in problem["detail"]


def test_what_is_killed_listens_again(instance: Instance):
    instance.wait_until_restarted("peerapi", instance.kill("peerapi"))
    wait_until(lambda: probes.peers_answered(instance.environment), 20, "peers get through")


@pytest.fixture
def broken_certificate(instance: Instance) -> Iterator[None]:
    """Our certificate for peers cannot be read for the duration of a test."""
    change = "UPDATE psap_certificate SET chain = {} WHERE name = 'development'"
    instance.execute(change.format("'x' || chain"))
    try:
        instance.wait_until_restarted("peerapi", instance.kill("peerapi"))
        yield
    finally:
        instance.execute(change.format("substr(chain, 2)"))
        wait_until(lambda: _takes(instance), 20, "the port is open again")


def _takes(instance: Instance) -> bool:
    return probes._takes_connections(instance.environment, instance.environment.peer_port)


def _alarms(instance: Instance) -> list[str]:
    code = "from django.utils import timezone\nfrom psap.programs import port_for_peers\n"
    code += "print([a.code for a in port_for_peers(timezone.now())])"
    return json.loads(instance.manage("shell", "-v", "0", "-c", code).stdout.replace("'", '"'))


@pytest.mark.usefixtures("broken_certificate")
def test_a_certificate_that_cannot_be_used_is_told_and_keeps_nothing_else_from_starting(
    instance: Instance,
):
    """Red when the port alone decides: the chats would wait for a matter between PSAPs."""
    wait_until(lambda: probes.peers_answered(instance.environment), 20, "it counts as up")
    assert not _takes(instance)
    assert _alarms(instance) == ["peer-port-closed"]


def test_without_a_certificate_there_is_no_port_and_nothing_to_complain_of(instance: Instance):
    rows = instance.execute("SELECT peer_certificate_id FROM psap_psap")
    instance.execute("UPDATE psap_psap SET peer_certificate_id = NULL")
    try:
        wait_until(lambda: not _takes(instance), 10, "the port is closed")
        assert probes.peers_answered(instance.environment)
        assert _alarms(instance) == []
    finally:
        instance.execute("UPDATE psap_psap SET peer_certificate_id = %s", list(rows[0]))
        wait_until(lambda: _takes(instance), 10, "the port is open again")


# PSAP_PEER_SOCKET


def _with_socket(tmp_path: Path, path: Path) -> None:
    variables = {"PSAP_STATE_DIR": str(tmp_path / "state"), "PSAP_PEER_SOCKET": str(path)}
    require_free_socket(read_environment(variables))


def test_a_socket_that_nobody_listens_on_any_more_is_no_obstacle(tmp_path: Path):
    path = tmp_path / "peers.sock"
    _with_socket(tmp_path, path)
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    _with_socket(tmp_path, path)
    _with_socket(tmp_path, tmp_path / "state" / "run" / "peers.sock")  # made at the start


def test_a_socket_that_cannot_be_made_is_refused_before_anything_starts(tmp_path: Path):
    with pytest.raises(LaunchError, match="lies in no directory"):
        _with_socket(tmp_path, tmp_path / "nowhere" / "peers.sock")
    (tmp_path / "file").write_text("")
    with pytest.raises(LaunchError, match="something else than a socket"):
        _with_socket(tmp_path, tmp_path / "file")
    with socket.socket(socket.AF_UNIX) as taken:
        taken.bind(str(tmp_path / "peers.sock"))
        taken.listen()
        with pytest.raises(LaunchError, match=r"peers\.sock \(PSAP_PEER_SOCKET\) is taken"):
            _with_socket(tmp_path, tmp_path / "peers.sock")


def test_a_path_that_no_socket_can_have_is_one_clear_line(tmp_path: Path):
    variables = instance_variables(tmp_path / "state", free_ports(4))
    long = f"/tmp/{'s' * 120}"  # noqa: S108
    complaint = refused_start(variables | {"PSAP_PEER_SOCKET": long})
    assert complaint == f"error: PSAP_PEER_SOCKET is too long for a socket: '{long}'"
