"""A start on the wire: the 200, and the automatic start/257 that follows (clause 6.2.2)."""

import pytest

from sipgateway.simulator import lmpe
from sipgateway.simulator.app import SimulatedApp
from tests.support.caller import Caller, kind_of
from tests.support.eventually import eventually
from tests.support.rawsip import RawSip
from tests.support.record import GREETING, PUBLIC_URI

BOTH = pytest.mark.parametrize("transport", ["udp", "tcp"])


@pytest.mark.conformance("5.4-4", "6.2.2-1", "6.2.2-2", "6.2.2-3", "6.2.2-4")
@BOTH
async def test_a_start_is_greeted_with_text_reply_to_and_msg_id_1(gateway, record, transport):
    async with SimulatedApp(gateway.target(transport)) as app:
        response = await app.start("Hilfe 🚑")
        greeting = await app.wait_for_type(lmpe.START)
        await app.say("Ich bin hier")
        await app.stop()

    assert response.status == 200
    assert (greeting.text, greeting.msg_id, greeting.reply_to) == (GREETING, 1, PUBLIC_URI)
    assert greeting.call_id == app.call_id
    assert [m.msg_type for m in app.received if m.msg_type != lmpe.HEARTBEAT] == [lmpe.START]
    assert app.failures == []
    chat = await eventually(lambda: record.chat_id(app.call_id), "the chat is there")
    await eventually(
        lambda: record.outgoing(chat) == [(GREETING, "delivered")], "the greeting is delivered"
    )


@pytest.mark.conformance("6.2.2-3")
async def test_the_greeting_comes_after_the_200_of_the_start(gateway):
    caller = Caller()
    async with RawSip(gateway.target()) as app:
        arrived = []
        received = app._received
        app._link._receive = lambda data, send: (arrived.append(data[:11]), received(data, send))
        await app.exchange(caller.start())
        await app.until(lambda: bool(app.requests))

    assert arrived == [b"SIP/2.0 200", b"MESSAGE sip"]


@pytest.mark.conformance("6.1.2.5-1", "6.1.2.7-10", "6.1.2.8-3", "6.2.2-4")
async def test_what_we_send_is_what_known_apps_can_read(gateway):
    """No Contact, no P-Asserted-Identity, purposes unquoted, Reply-To as a bare addr-spec."""
    caller = Caller()
    async with RawSip(gateway.target()) as app:
        await app.exchange(caller.start())
        await app.until(lambda: bool(app.requests))

    request = app.requests[0]
    assert request.uri == caller.uri
    assert not request.has("contact") and not request.has("p-asserted-identity")
    assert request.header("content-type") == "text/plain;charset=utf-8"
    assert request.header("resource-priority") == "esnet.1"
    assert "tag=" in request.header("from") and "tag=" not in request.header("to")
    assert [value.split(";")[1] for value in request.values("call-info")] == [
        "purpose=EmergencyCallData.CallId",
        "purpose=EmergencyCallData.MsgId",
        "purpose=EmergencyCallData.MsgType",
    ]


async def test_an_app_that_restarts_is_greeted_again_with_the_next_msg_id(gateway, record):
    caller = Caller()
    async with RawSip(gateway.target()) as app:
        await app.exchange(caller.start())
        await app.until(lambda: len(app.requests) == 1)
        await app.exchange(caller.start("Noch einmal"))
        await app.until(lambda: len(app.requests) == 2)

    assert [lmpe.identify(request).msg_id for request in app.requests] == [1, 2]
    assert [kind_of(request) for request in app.requests] == [lmpe.START, lmpe.START]
    assert len(record.chat_ids(caller.call_id)) == 1


async def test_the_chat_rings_until_it_has_a_disposition(gateway, record):
    caller = Caller()
    async with RawSip(gateway.target()) as app:
        await app.exchange(caller.start())
        await app.until(lambda: len(app.requests) == 1)
        await app.exchange(caller.stop())
        chat = record.chat_id(caller.call_id)
        await eventually(lambda: record.export(chat)["session"] == "stopped", "the chat has ended")
        assert record.value("SELECT ringing_since FROM chats_chat WHERE id = %s", chat)
        record.claim(chat)
        record.close_chat(chat)

    export = record.export(chat)
    assert (export["endedBy"], export["disposition"], export["owner"]) == (
        *("caller", "resolved"),
        "cora",
    )
