"""Whom the gateway trusts, as an administrator wrote it."""

import psycopg
import pytest

from psap.models import Trunk
from sipgateway.configuration import load_configuration


async def configured(record, networks):
    record.run(lambda: Trunk.objects.update(trusted_networks=networks))
    async with await psycopg.AsyncConnection.connect(record.database_url) as connection:
        return (await load_configuration(connection)).trunk_of("default")


async def test_a_network_that_is_none_costs_itself_alone(record):
    """Red when it raises: the gateway could not start, and one that ran ended."""
    trunk = await configured(record, "nonsense 192.0.2.0/24")
    assert trunk.trusts("192.0.2.7")
    assert not trunk.trusts("198.51.100.7")


@pytest.mark.parametrize("host", ["192.0.2.7", "::ffff:192.0.2.7"])
async def test_an_ipv4_peer_of_a_socket_for_both_is_known(record, host):
    assert (await configured(record, "192.0.2.0/24")).trusts(host)


@pytest.mark.parametrize("host", ["", "localhost", "192.0.2.700", "\0"])
async def test_what_is_no_address_is_not_trusted(record, host):
    assert not (await configured(record, "0.0.0.0/0 ::/0")).trusts(host)
