"""Calling over TLS: the proxy's name is checked, and only a trunk that allows it falls back."""

import asyncio
import socket
from contextlib import asynccontextmanager

import pytest

from psap.models import Trunk
from sipgateway.simulator.message import encode_response, parse_message
from tests.support.caller import Caller, texts_of
from tests.support.eventually import eventually
from tests.support.gateway import running_gateway
from tests.support.pki import Authority
from tests.support.rawsip import RawSip
from tests.support.tls import (
    OURS,
    TRUNK,
    Pki,
    TlsPeer,
    change_trunk,
    listening,
    make_tls_trunk,
    running_proxy,
)

# Where a fallback goes: port 5060 of a host of our own, which nobody else listens on.
FALLBACK_HOST = "127.0.61.1"


@pytest.fixture(scope="module")
def serving(record, tmp_path_factory):
    with running_gateway(record.database_url, tmp_path_factory.mktemp("gateway")) as running:
        yield running


@pytest.fixture(scope="module")
def authorities(record):
    made = Pki()
    make_tls_trunk(record, made, allowed_names="esrp.example.org proxy.example.org")
    return made


@pytest.fixture
async def pki(serving, authorities):
    await listening(serving.sips_port)
    return authorities


@asynccontextmanager
async def chat_whose_app_is_gone(serving, record, pki):
    """A chat over TLS that a call-taker has answered, its connection closed; gives its id."""
    caller = Caller("TLS")
    async with TlsPeer(serving.tls_target(), pki.context()) as peer:
        await peer.exchange(caller.start())
        await peer.until(lambda: bool(peer.requests))
    chat = record.chat_id(caller.call_id)
    record.claim(chat)
    yield chat
    record.close_chat(chat)


async def told_to_use(record, proxy_uri, *, fallback=""):
    """Have the trunk use a proxy, and wait until the gateway has read it."""
    change_trunk(record, outbound_proxy=proxy_uri, fallback=fallback)
    seen = record.value("SELECT max(beat_at) FROM psap_serviceprocess WHERE name = 'gateway'")
    for _ in range(2):  # one that began before the change may end after it
        await eventually(
            lambda: record.value(
                "SELECT max(beat_at) > %s FROM psap_serviceprocess WHERE name = 'gateway'",
                seen,  # noqa: B023
            ),
            "the gateway has read it",
        )
        seen = record.value("SELECT max(beat_at) FROM psap_serviceprocess WHERE name = 'gateway'")


def status_of(record, chat, text):
    return dict(record.outgoing(chat)).get(text)


@pytest.mark.parametrize(
    ("names", "uri"),
    [
        (["127.0.0.1"], "sips:127.0.0.1:{}"),
        (["127.0.0.1"], "sip:127.0.0.1:{};transport=tls"),
        (["127.0.0.1"], "sip:127.0.0.1:{}"),
        (["localhost"], "sips:localhost:{}"),
        (["proxy.example.org"], "sips:127.0.0.1:{}"),
    ],
)
async def test_a_text_leaves_by_the_proxy_over_tls_with_our_certificate(
    serving, record, pki, names, uri
):
    shown = pki.authority.issue(*names)
    async with (
        running_proxy(shown, pki.authority) as proxy,
        chat_whose_app_is_gone(serving, record, pki) as chat,
    ):
        await told_to_use(record, uri.format(proxy.port))
        record.send(chat, "Hören Sie mich?")
        record.send(chat, "Hallo?")
        await proxy.until(lambda: texts_of(proxy.requests) == ["Hören Sie mich?", "Hallo?"])
        assert proxy.connections == 1  # one connection for both
        assert OURS in proxy.names
        assert f"TLS {'127.0.0.1'}:{serving.sips_port}" in proxy.requests[0].header("via")
        await eventually(lambda: status_of(record, chat, "Hallo?") == "delivered", "delivered")
    assert not record.value("SELECT unprotected FROM chats_chat WHERE id = %s", chat)


@pytest.mark.conformance("6.1.1-6")
@pytest.mark.parametrize("why", ["another name", "another authority", "no TLS", "it refuses us"])
async def test_where_no_tls_gets_through_nothing_is_sent_at_all(serving, record, pki, why):
    """Red without `TlsGate.admit` on what we open, or where anything falls back by itself."""
    shown = pki.authority.issue("127.0.0.1")
    if why == "another name":
        shown = pki.authority.issue("somebody.example.org")
    elif why == "another authority":
        shown = Authority("Other CA").issue("127.0.0.1")
    trusts = Authority("Other CA") if why == "it refuses us" else pki.authority
    async with (
        running_proxy(None if why == "no TLS" else shown, trusts) as proxy,
        running_proxy(None, pki.authority, host=FALLBACK_HOST, port=5060) as plain,
        chat_whose_app_is_gone(serving, record, pki) as chat,
    ):
        await told_to_use(record, f"sips:127.0.0.1:{proxy.port}")
        record.send(chat, "Geheim")
        await eventually(lambda: cause_of(record, chat), "the attempt failed", within=15)
        assert "no TLS" in cause_of(record, chat) or why == "it refuses us"
        assert texts_of(proxy.requests) == texts_of(plain.requests) == []
        assert status_of(record, chat, "Geheim") == "queued"
    assert not record.value("SELECT unprotected FROM chats_chat WHERE id = %s", chat)


def cause_of(record, chat):
    return record.value(
        "SELECT o.cause FROM chats_outboxentry o JOIN chats_message m ON m.id = o.message_id"
        " WHERE m.chat_id = %s AND o.cause <> '' ORDER BY m.id DESC",
        chat,
    )


@pytest.mark.conformance("6.1.1-3", "6.1.1-5")
@pytest.mark.parametrize("transport", ["tcp", "udp"])
async def test_where_the_trunk_allows_it_the_text_falls_back_and_the_record_says_so(
    serving, record, pki, transport
):
    stranger = Authority("Other CA").issue(FALLBACK_HOST)
    received: list[bytes] = []
    async with (
        running_proxy(stranger, pki.authority, host=FALLBACK_HOST) as tls,
        listener(transport, pki, received),
        chat_whose_app_is_gone(serving, record, pki) as chat,
    ):
        await told_to_use(record, f"sips:{FALLBACK_HOST}:{tls.port}", fallback=transport)
        record.send(chat, "Im Klartext")
        await eventually(lambda: any(b"Im Klartext" in data for data in received), "it came", 15)
        await eventually(
            lambda: record.value("SELECT unprotected FROM chats_chat WHERE id = %s", chat),
            "the chat is marked",
        )
        record.send(chat, "Noch einmal")
        await eventually(lambda: any(b"Noch einmal" in data for data in received), "it too", 15)
    events = record.rows(
        "SELECT data FROM chats_chatevent WHERE chat_id = %s AND kind = 'chat-unprotected'", chat
    )
    assert events == [({"transport": transport},)]
    record.verify(chat)


@asynccontextmanager
async def listener(transport, pki, received):
    """Something on port 5060 of the fallback's host that keeps what comes."""
    if transport == "tcp":
        async with running_proxy(None, pki.authority, host=FALLBACK_HOST, port=5060) as proxy:
            proxy.received = lambda request: received.append(request.body)
            yield
        return
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bound:
        bound.bind((FALLBACK_HOST, 5060))
        bound.setblocking(False)
        loop = asyncio.get_running_loop()

        def take():
            data, address = bound.recvfrom(65535)
            received.append(data)
            bound.sendto(encode_response(parse_message(data), 200, "proxy"), address)

        loop.add_reader(bound, take)
        try:
            yield
        finally:
            loop.remove_reader(bound)


async def test_a_plain_trunk_with_a_certificate_calls_its_proxy_over_tls(serving, record, pki):
    shown = pki.authority.issue("127.0.0.1")
    caller = Caller()
    async with running_proxy(shown, pki.authority) as proxy:
        record.run(_give_the_default_trunk_a_certificate)
        await told_to_use_default(record, f"sip:127.0.0.1:{proxy.port};transport=tls")
        async with RawSip(serving.target()) as app:
            await app.exchange(caller.start())
            await app.until(lambda: bool(app.requests))
        chat = record.chat_id(caller.call_id)
        record.claim(chat)
        record.send(chat, "Über TLS")
        await proxy.until(lambda: texts_of(proxy.requests) == ["Über TLS"])
        assert OURS in proxy.names
    record.run(
        lambda: Trunk.objects.filter(name="default").update(outbound_proxy="", certificate=None)
    )


def _give_the_default_trunk_a_certificate():
    secure, default = Trunk.objects.get(name=TRUNK), Trunk.objects.get(name="default")
    default.certificate = secure.certificate
    default.save(update_fields=["certificate"])
    default.authorities.set(secure.authorities.all())


async def told_to_use_default(record, uri):
    record.run(lambda: Trunk.objects.filter(name="default").update(outbound_proxy=uri))
    await told_to_use(record, "")
