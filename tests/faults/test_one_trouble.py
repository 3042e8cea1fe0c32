"""A trouble of one redirected chat, one server or one peer stays theirs: nobody else waits."""

import asyncio
import ssl
import time
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from statistics import median

import psycopg
import pytest

from sipgateway.simulator.transport import Target
from tests.faults.test_locked_chat import poisoned
from tests.support.caller import Caller, kind_of, texts_of
from tests.support.gateway import running_gateway
from tests.support.https import https_server
from tests.support.live_console import LiveConsole, log_in
from tests.support.pki import Authority
from tests.support.rawsip import RawSip, make_message
from tests.support.redirects import redirect_scene

pytestmark = pytest.mark.alone

AUTHORITY = Authority()
ROUNDS = 3
BOUND = 1.0
LONGEST = 5.0  # for a single one: a busy machine is no trouble, a lock or a hung server is
WITHIN = 15.0


@pytest.fixture(scope="module")
def gateway(record, tmp_path_factory):
    record.configure(heartbeat_interval=20, redirect_patience=8)
    directory = tmp_path_factory.mktemp("gateway")
    with running_gateway(record.database_url, directory) as running:
        yield running


async def goes_over(scene):
    """Have an app go over; returns after how many seconds it was with the target."""
    began = time.monotonic()
    assert (await scene.app.exchange(scene.go_over())).status == 200
    await scene.until_session("redirected", within=WITHIN)
    return time.monotonic() - began


async def test_a_chat_that_is_held_keeps_no_other_from_being_redirected(gateway, record):
    """Red when the outcome of a relay waits for its chat's row in the one thread that all share."""
    async with AsyncExitStack() as stack:
        held, silent, other = [
            await stack.enter_async_context(redirect_scene(gateway, record)) for _ in range(3)
        ]
        for scene in (held, silent, other):
            await scene.redirected()
        held.target.answer_status = silent.target.answer_status = None
        await held.app.exchange(held.go_over())
        await held.target.until(lambda: bool(held.target.requests))
        await silent.app.exchange(silent.go_over())
        await silent.target.until(lambda: bool(silent.target.requests))
        with record.session() as holding:
            holding.execute("SELECT FROM chats_chat WHERE id = %s FOR UPDATE", (held.chat,))
            held.target.answer_status = 200
            held.target.answer(held.target.requests[0])
            assert await goes_over(other) < LONGEST
            assert held.session() == "redirecting"
        await held.until_session("redirected")
        assert silent.session() == "redirecting"
        for scene in (held, other):
            assert len(scene.events("message-relayed")) == 1
            record.verify(scene.chat)


def hangs(server, _connection, _request):
    """Answer nothing for as long as the server is there."""
    server.closing.wait()


async def test_hung_servers_targets_and_peers_and_poison_delay_nobody_else(whole):
    """Each trouble at once: others' texts are on the screen, and with the app, within a second."""
    async with AsyncExitStack() as stack:
        target = Target("tcp", "127.0.0.1", whole.sip_port)
        app = await stack.enter_async_context(RawSip(target))
        desk = await stack.enter_async_context(LiveConsole(whole, log_in(whole, "calltaker")))
        fine, leaving, held = [await open_chat(app, desk) for _ in range(3)]

        server = stack.enter_context(https_server(AUTHORITY.issue("127.0.0.1"), hangs))
        list_server(whole, server)
        for number in range(20):  # more than there are threads
            location = ("Geolocation", f"<{server.url(f'/{number}')}>")
            await app.exchange(Caller(uri=f"sip:l{number}@127.0.0.1:9").start(headers=(location,)))

        silent = await stack.enter_async_context(RawSip(Target("udp", "127.0.0.1", whole.sip_port)))
        silent.answer_status = None
        await redirect_to(whole, desk, leaving, f"sip:b@127.0.0.1:{silent.local[1]}")
        await app.until(lambda: 274 in map(kind_of, app.requests), WITHIN)
        await app.exchange(leaving.caller.message(273, "Ich gehe"))
        await silent.until(lambda: bool(silent.requests), WITHIN)

        flood = asyncio.create_task(flood_without_reading(whole))
        holding = stack.enter_context(psycopg.connect(whole.environment.database_url))
        holding.execute("SELECT FROM chats_chat WHERE id = %s FOR UPDATE", (held.id,))
        stack.enter_context(poisoned(whole, "chats_message", "NEW.text = 'Gift'"))
        delays = []
        for number in range(ROUNDS):
            poison = Caller(uri="sip:gift@127.0.0.1:9").start("Gift")
            app.send(poison + held.caller.say(f"gehalten {number}"))
            delays.append(await both_ways(app, desk, fine, number))
            await desk.next_ping()
        await flood
    assert median(delays) < BOUND, delays
    assert max(delays) < LONGEST, delays


@dataclass(frozen=True, slots=True)
class OpenChat:
    id: str
    caller: Caller


async def open_chat(app, desk):
    caller = Caller()
    assert (await app.exchange(caller.start())).status == 200
    opened = await desk.until(
        lambda frame: frame.get("ev") == "chat-opened" and frame["card"]["callId"] == caller.call_id
    )
    assert (await desk.command("claim", chat=opened["chat"]))["ok"]
    return OpenChat(opened["chat"], caller)


async def both_ways(app, desk, chat, number):
    """Have the caller write and the call-taker answer; returns the seconds that both took."""
    began = time.monotonic()
    text, answer = f"Ruf {number}", f"Antwort {number}"
    app.send(chat.caller.say(text))
    await desk.shows(text, WITHIN)
    shown = time.monotonic() - began
    assert (await desk.command("send", chat=chat.id, text=answer))["ok"]
    await app.until(lambda: answer in texts_of(app.requests), WITHIN)
    return max(shown, time.monotonic() - began - shown)


def list_server(whole, server):
    whole.execute(
        "WITH a AS (INSERT INTO psap_certificateauthority (name, certificates, revocation_list)"
        " VALUES ('hung', %s, '') RETURNING id),"
        " s AS (INSERT INTO psap_locationserver (host, may_be_private) VALUES (%s, true)"
        " RETURNING id)"
        " INSERT INTO psap_locationserver_authorities"
        " (locationserver_id, certificateauthority_id) SELECT s.id, a.id FROM s, a",
        [AUTHORITY.certificate, f"127.0.0.1:{server.port}"],
    )


async def redirect_to(whole, desk, chat, uri):
    made = whole.execute(
        "INSERT INTO psap_peer (name, uris, agreement) VALUES ('B', %s, true) RETURNING id", [uri]
    )
    reply = await desk.command("redirect", chat=chat.id, peer=str(made[0][0]), text="")
    assert reply["ok"], reply


async def flood_without_reading(whole):
    """Ask over TLS, read no answer, until the connection is given up."""
    made = whole.state_dir / "devca"
    context = ssl.create_default_context(cafile=str(made / "ca.pem"))
    context.load_cert_chain(str(made / "client.pem"), str(made / "client.key"))
    reader, writer = await asyncio.open_connection(
        "127.0.0.1",
        whole.environment.sips_port,
        ssl=context,
        server_hostname="localhost",
        limit=1024,
    )
    asked = make_message(method="OPTIONS", body=b"", transport="TLS")
    with suppress(ConnectionError):
        async with asyncio.timeout(60):
            while not reader.at_eof() and reader.exception() is None:
                writer.write(asked * 20)
                await writer.drain()
                await asyncio.sleep(0.02)
    writer.transport.abort()
