"""An instance has TLS out of the box, and needs no plain trunk to be up."""

import ssl
from collections.abc import Iterator

import pytest

from psap.project.launch import probes
from sipgateway.simulator.transport import Target
from tests.support.caller import Caller, kind_of
from tests.support.gateway import options_status
from tests.support.instance import Instance, wait_until
from tests.support.tls import TlsPeer

pytestmark = pytest.mark.together("e2e")


async def test_the_demo_takes_calls_over_tls_with_the_certificates_in_its_state_directory(
    instance: Instance,
):
    made = instance.state_dir / "devca"
    context = ssl.create_default_context(cafile=str(made / "ca.pem"))
    context.load_cert_chain(str(made / "client.pem"), str(made / "client.key"))
    target = Target("tls", "127.0.0.1", instance.environment.sips_port)
    async with TlsPeer(target, context, name="localhost") as peer:
        assert (await peer.exchange(Caller("TLS").start())).status == 200
        await peer.until(lambda: bool(peer.requests))
        assert kind_of(peer.requests[0]) == 257


@pytest.fixture
def tls_alone(instance: Instance) -> Iterator[None]:
    """No plain trunk for the duration of a test."""

    def closed(port: int) -> bool:
        return options_status(port, 0.3) is None

    instance.execute("UPDATE psap_trunk SET enabled = false WHERE name = 'default'")
    try:
        wait_until(lambda: closed(instance.sip_port), 5, "the plain port is closed")
        yield
    finally:
        instance.execute("UPDATE psap_trunk SET enabled = true WHERE name = 'default'")
        wait_until(lambda: not closed(instance.sip_port), 5, "the plain port is open again")


@pytest.mark.usefixtures("tls_alone")
def test_an_instance_without_a_plain_trunk_counts_as_up(instance: Instance):
    """Red when OPTIONS alone decides: such an instance could never be started again."""
    assert probes.gateway_answers(instance.environment)
    instance.execute("UPDATE psap_trunk SET port = %s WHERE name = 'sips'", [instance.sip_port])
    wait_until(lambda: not _takes(instance), 5, "the port for TLS is closed")
    assert probes.gateway_answers(instance.environment)  # nothing is due on either port
    instance.execute("UPDATE psap_trunk SET port = NULL WHERE name = 'sips'")
    wait_until(lambda: _takes(instance), 5, "the port for TLS is open again")


def _takes(instance: Instance) -> bool:
    return probes._takes_connections(instance.environment, instance.environment.sips_port)
