"""What the admin changes about trunks works at once, and drops nobody."""

import asyncio
import socket
import ssl

import pytest

from psap.models import Certificate, PeerCertificate, Trunk
from sipgateway.simulator.transport import Target
from tests.support.caller import Caller, texts_of
from tests.support.eventually import eventually
from tests.support.gateway import running_gateway
from tests.support.ports import free_ports
from tests.support.rawsip import RawSip, make_message
from tests.support.tls import (
    ADMITTED,
    OURS,
    TRUNK,
    Pki,
    TlsPeer,
    change_certificate,
    change_revocation_list,
    change_trunk,
    drop_tls_trunk,
    listening,
    make_tls_trunk,
)

TAKEN_UP_WITHIN = 10.0


@pytest.fixture(scope="module")
def serving(record, tmp_path_factory):
    with running_gateway(record.database_url, tmp_path_factory.mktemp("gateway")) as running:
        yield running


@pytest.fixture
async def pki(serving, record):
    """A TLS trunk of the test's own, listening, and gone afterwards."""
    made = Pki()
    make_tls_trunk(record, made)
    await listening(serving.sips_port)
    yield made
    drop_tls_trunk(record)
    await eventually(lambda: not is_open(serving.sips_port), "it is closed")


async def until_shown(target, context, serial_number):
    """Wait until new connections are shown another certificate of ours."""

    async def shown():
        async with TlsPeer(target, context) as peer:
            return int(peer.transport.get_extra_info("peercert")["serialNumber"], 16)

    async with asyncio.timeout(TAKEN_UP_WITHIN):
        while await shown() != serial_number:
            pass


async def chat_over(peer, record, caller):
    await peer.exchange(caller.start())
    await peer.until(lambda: bool(peer.requests))
    chat = record.chat_id(caller.call_id)
    record.claim(chat)
    return chat


async def goes_on(peer, record, caller, chat, text):
    """Whether the chat goes on both ways over a connection that has been open all the time."""
    assert (await peer.exchange(caller.say(f"{text}?"))).status == 200
    record.send(chat, text)
    await peer.until(lambda: text in texts_of(peer.requests))


async def test_a_new_certificate_is_shown_to_new_connections_and_the_old_ones_stay(
    serving, record, pki
):
    target, caller = serving.tls_target(), Caller("TLS")
    renewed = pki.authority.issue(OURS)
    async with TlsPeer(target, pki.context()) as peer:
        chat = await chat_over(peer, record, caller)
        change_certificate(record, renewed)
        await until_shown(target, pki.context(), renewed.serial_number)
        await goes_on(peer, record, caller, chat, "Noch da")


async def test_a_new_list_ends_whom_it_revokes_and_nobody_else(serving, record, pki):
    target, caller, other = serving.tls_target(), Caller("TLS"), Caller("TLS")
    stolen = pki.authority.issue(ADMITTED)
    async with TlsPeer(target, pki.context()) as good, TlsPeer(target, pki.context(stolen)) as bad:
        chat = await chat_over(good, record, caller)
        await bad.exchange(other.start())
        change_revocation_list(record, pki.authority.revocation_list(stolen))
        await bad.closed()
        await goes_on(good, record, caller, chat, "Ich bin da")
        with pytest.raises((ssl.SSLError, ConnectionError, TimeoutError)):
            async with TlsPeer(target, pki.context(stolen)) as again:
                await again.exchange(other.say("Und ich?"), within=2)


async def test_a_name_that_is_taken_off_is_out_and_one_that_is_added_is_in(serving, record, pki):
    target = serving.tls_target()
    second = pki.authority.issue("second.example.org")
    async with TlsPeer(target, pki.context()) as peer:
        await peer.exchange(Caller("TLS").start())
        change_trunk(record, allowed_names="second.example.org")
        await peer.closed()
    async with TlsPeer(target, pki.context(second)) as peer:
        assert (await peer.exchange(Caller("TLS").start())).status == 200


async def test_a_trunk_for_tls_1_3_alone_takes_no_1_2(serving, record, pki):
    """Red when the oldest version is not the trunk's."""
    older = pki.context(maximum_version=ssl.TLSVersion.TLSv1_2)
    async with TlsPeer(serving.tls_target(), older) as peer:
        assert (await peer.exchange(Caller("TLS").start())).status == 200
        change_trunk(record, tls_version="1.3")
        with pytest.raises(ssl.SSLError, match="PROTOCOL_VERSION"):
            async with asyncio.timeout(TAKEN_UP_WITHIN):
                while True:
                    async with TlsPeer(serving.tls_target(), older):
                        pass
        assert (await peer.exchange(Caller("TLS").start())).status == 200
    async with TlsPeer(serving.tls_target(), pki.context()) as peer:
        assert peer.session.version() == "TLSv1.3"


async def test_a_certificate_that_cannot_be_used_leaves_the_last_one_in_service(
    serving, record, pki
):
    change_certificate_past_the_admin(record, pki.peer.private_key)
    await eventually(lambda: "its certificates cannot be used" in serving.log(), "it is told")
    async with TlsPeer(serving.tls_target(), pki.context()) as peer:
        assert (await peer.exchange(Caller("TLS").start())).status == 200


def change_certificate_past_the_admin(record, private_key):

    record.run(lambda: Certificate.objects.update(private_key=private_key))


async def test_a_trunk_moves_to_another_port_and_its_connections_live_on(serving, record, pki):
    caller = Caller("TLS")
    [port] = free_ports(1)
    async with TlsPeer(serving.tls_target(), pki.context()) as peer:
        chat = await chat_over(peer, record, caller)
        change_trunk(record, port=port)
        await listening(port)
        await eventually(lambda: not is_open(serving.sips_port), "the old port is closed")
        await goes_on(peer, record, caller, chat, "Umgezogen")
    async with TlsPeer(Target("tls", "127.0.0.1", port), pki.context()) as peer:
        assert (await peer.exchange(Caller("TLS").start())).status == 200


async def test_a_trunk_that_is_switched_off_stops_listening_and_drops_nobody(serving, record, pki):
    caller = Caller("TLS")
    async with TlsPeer(serving.tls_target(), pki.context()) as peer:
        chat = await chat_over(peer, record, caller)
        change_trunk(record, enabled=False)
        await eventually(lambda: not is_open(serving.sips_port), "it is closed")
        await goes_on(peer, record, caller, chat, "Weiter")


async def test_a_second_plain_trunk_has_its_own_port_and_whom_it_trusts(serving, record):
    [port] = free_ports(1)
    record.run(
        lambda: Trunk.objects.create(name="north", port=port, trusted_networks="192.0.2.0/24")
    )
    await listening(port)
    for transport in ("udp", "tcp"):
        caller = Caller(transport.upper())
        headers = (("P-Asserted-Identity", "<sip:real@example.org>"),)
        async with RawSip(Target(transport, "127.0.0.1", port)) as peer:
            await peer.exchange(caller.start(headers=headers))
            await peer.until(lambda peer=peer: bool(peer.requests))
            assert f":{port}" in peer.requests[0].header("via")
        found = record.rows(
            "SELECT trunk, asserted_uri FROM chats_chat WHERE id = %s",
            record.chat_id(caller.call_id),
        )
        assert found == [("north", "")]
    async with RawSip(serving.target()) as peer:  # the first one trusts this network
        caller = Caller()
        await peer.exchange(caller.start(headers=headers))
        await peer.until(lambda: bool(peer.requests))
    chat = record.chat_id(caller.call_id)
    assert record.rows("SELECT trunk, asserted_uri FROM chats_chat WHERE id = %s", chat) == [
        ("default", "sip:real@example.org")
    ]
    record.run(lambda: Trunk.objects.filter(name="north").delete())
    await eventually(lambda: not is_open(port), "it is closed")


async def test_a_port_that_is_taken_is_tried_again_until_it_is_free(serving, record):
    [port] = free_ports(1)
    with socket.create_server(("127.0.0.1", port)):
        record.run(lambda: Trunk.objects.create(name="late", port=port))
        await eventually(lambda: f"not listening on port {port}" in serving.log(), "it is told")
    async with RawSip(serving.target()) as peer:
        assert (await peer.exchange(Caller().start())).status == 200
    await listening(port)
    record.run(lambda: Trunk.objects.filter(name="late").delete())


async def test_what_peers_have_shown_is_on_the_list(serving, record, pki):
    async with TlsPeer(serving.tls_target(), pki.context()) as peer:
        await peer.exchange(Caller("TLS").start())

    def seen():
        return record.run(lambda: list(PeerCertificate.objects.filter(names=ADMITTED, trunk=TRUNK)))

    shown = await eventually(seen, "it is written down")
    assert all(len(row.fingerprint) == 64 and row.not_after for row in shown)


async def test_what_came_before_a_trunk_was_known_to_be_off_is_not_taken(record, tmp_path, serving):
    """Red when the port that is open at first counts as a trunk."""
    serving.stop()
    caller = Caller()
    record.run(lambda: Trunk.objects.filter(name="default").update(enabled=False))
    with record.session() as holding:  # the gateway cannot read the trunks yet
        holding.execute("LOCK TABLE psap_trunk IN ACCESS EXCLUSIVE MODE")
        serving.launch()
        await listening(serving.port)
        async with RawSip(serving.target()) as peer, RawSip(serving.target("udp")) as sender:
            peer.send(caller.start())
            sender.send(caller.start())
            assert (await peer.exchange(make_message(method="OPTIONS", body=b""))).status
            holding.rollback()
            await peer.closed()
            await eventually(lambda: not is_open(serving.port), "it is closed")
    record.run(lambda: Trunk.objects.filter(name="default").update(enabled=True))
    await listening(serving.port)
    async with RawSip(serving.target()) as peer:
        later = Caller()
        await peer.exchange(later.start())
    await eventually(lambda: record.chat_id(later.call_id), "what came later is there")
    assert record.chat_id(caller.call_id) is None


def is_open(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 0.5).close()
    except OSError:
        return False
    return True
