"""Connections that never finish their handshake cost the others nothing, and end by themselves."""

import asyncio
import socket

import pytest

from sipgateway import tls_connection
from tests.support.caller import Caller
from tests.support.gateway import running_gateway
from tests.support.rawsip import RawSip
from tests.support.tls import TlsPeer, listening

HALF_OPEN = 1000
# Record header and the beginning of a ClientHello that promises more.
BEGINNING = bytes.fromhex("16030102000100") + b"\1\xfc\3\3"


@pytest.fixture(scope="module")
def serving(record, tmp_path_factory, pki):
    with running_gateway(record.database_url, tmp_path_factory.mktemp("gateway")) as running:
        yield running


async def test_a_thousand_half_open_connections_keep_nobody_waiting(serving, pki):
    await listening(serving.sips_port)
    target = serving.tls_target()
    loop = asyncio.get_running_loop()
    half_open = []
    try:
        for number in range(HALF_OPEN):
            opened = socket.create_connection((target.host, target.port), 5)
            opened.setblocking(False)
            half_open.append(opened)
            if number % 2:
                opened.send(BEGINNING)
        async with asyncio.timeout(5):
            async with TlsPeer(target, pki.context()) as peer:
                assert (await peer.exchange(Caller("TLS").start())).status == 200
            async with RawSip(serving.target()) as peer:
                assert (await peer.exchange(Caller().start())).status == 200
        async with asyncio.timeout(tls_connection.HANDSHAKE_TIMEOUT + 10):
            for opened in half_open:
                await _until_closed(loop, opened)
    finally:
        for opened in half_open:
            opened.close()
    async with TlsPeer(target, pki.context()) as peer:
        assert (await peer.exchange(Caller("TLS").start())).status == 200


async def _until_closed(loop, opened):
    try:
        while await loop.sock_recv(opened, 1024):
            pass
    except ConnectionError:
        pass
