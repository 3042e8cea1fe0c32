"""Two instances on one machine become each other's peers, as docs/operations.md says."""

from collections.abc import Iterator

import pytest

from tests.support.instance import Instance, running_instance, wait_until

pytestmark = pytest.mark.together("e2e")

PASSES = ["agreement", "URL", "certificate", "identity", "schemas"]


def introduce(one: Instance, other: Instance, name: str) -> None:
    """Enter the other as a peer, with nothing but what the demo has."""
    one.manage(
        "peer", "add", name,
        "--uri", f"sip:psap@127.0.0.1:{other.sip_port}",
        "--url", f"https://127.0.0.1:{other.environment.peer_port}/",
        "--cert-name", "localhost",
    )  # fmt: skip


def check(one: Instance, name: str) -> tuple[int, list[str], str]:
    """Return what `peer check` exits with, the steps that were well, and the last thing it saw."""
    done = one.manage("peer", "check", name, check=False)
    steps = [line.split(maxsplit=1) for line in done.stdout.splitlines()]
    well = [rest.partition(":")[0] for verdict, rest in steps if verdict == "ok"]
    return done.returncode, well, steps[-1][1]


@pytest.fixture(scope="module")
def east(instance: Instance) -> Iterator[Instance]:
    """A second instance, with the development certificates of the first."""
    with running_instance() as running:
        running.manage("devca", str(instance.state_dir / "devca"), "--install")
        yield running


@pytest.fixture
def peers(instance: Instance, east: Instance) -> Iterator[None]:
    introduce(instance, east, "East")
    introduce(east, instance, "West")
    try:
        yield
    finally:
        for one in (instance, east):
            one.execute("DELETE FROM psap_peer")


@pytest.mark.usefixtures("peers")
def test_the_demo_s_certificates_are_enough_for_mutual_tls(instance: Instance, east: Instance):
    for one, name in ((instance, "East"), (east, "West")):
        wait_until(lambda i=one, n=name: check(i, n)[0] == 0, 20, f"{name} answers")
        code, well, seen = check(one, name)
        assert (code, well) == (0, PASSES), seen


@pytest.mark.usefixtures("peers")
def test_a_peer_without_agreement_is_refused_at_its_next_request(
    instance: Instance, east: Instance
):
    wait_until(lambda: check(instance, "East")[0] == 0, 20, "East answers")
    east.execute("UPDATE psap_peer SET agreement = false")
    code, well, seen = check(instance, "East")
    assert (code, well) == (1, PASSES[:3])
    assert "401" in seen and "no agreement" in seen


@pytest.mark.usefixtures("peers")
def test_a_name_that_is_not_the_peer_s_is_refused(instance: Instance, east: Instance):
    east.execute("UPDATE psap_peer SET certificate_names = 'somebody.example.org'")
    wait_until(lambda: "identity" in check(instance, "East")[2], 20, "it is refused")
    code, well, seen = check(instance, "East")
    assert (code, well) == (1, PASSES[:3])
    assert "401" in seen and "none of the names" in seen
