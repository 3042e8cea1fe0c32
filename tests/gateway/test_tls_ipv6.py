"""IPv4 and IPv6, over every transport, from one address for both."""

import pytest

from sipgateway.simulator.transport import Target
from tests.support.caller import Caller, texts_of
from tests.support.gateway import running_gateway
from tests.support.rawsip import RawSip
from tests.support.tls import TlsPeer, listening


@pytest.fixture(scope="module")
def everywhere(record, tmp_path_factory, pki):
    directory = tmp_path_factory.mktemp("gateway")
    with running_gateway(record.database_url, directory, PSAP_HOST="::") as gateway:
        yield gateway


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
async def test_a_chat_both_ways(everywhere, record, pki, transport, host):
    caller = Caller(transport.upper())
    port = everywhere.sips_port if transport == "tls" else everywhere.port
    target = Target(transport, host, port)
    if transport == "tls":
        await listening(port, host)
    peer = TlsPeer(target, pki.context()) if transport == "tls" else RawSip(target)
    async with peer:
        assert (await peer.exchange(caller.start())).status == 200
        await peer.until(lambda: bool(peer.requests))
        chat = record.chat_id(caller.call_id)
        record.claim(chat)
        record.send(chat, "Ich höre Sie")
        await peer.until(lambda: texts_of(peer.requests) == ["Ich höre Sie"])
