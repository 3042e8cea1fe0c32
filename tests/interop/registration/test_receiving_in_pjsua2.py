"""Accounts that receive in pjsua2: the same record and outbox, and limits that show."""

import pytest

from sipgateway.simulator import lmpe
from sipgateway.simulator.transport import Target
from tests.support.accounts import (
    EMERGENCY,
    PSAP,
    TEN_KILOBYTES,
    change,
    ours,
    registered,
    state,
)
from tests.support.caller import Caller, texts_of
from tests.support.eventually import eventually
from tests.support.instance import wait_until
from tests.support.rawsip import RawSip
from tests.support.record import GREETING
from tests.support.redirects import seen_configuration


async def test_a_chat_in_pjsua2_is_on_the_record_marked_and_answered(
    record, core, gateway, registrar
):
    record.configure(heartbeat_interval=1)
    await eventually(lambda: seen_configuration(record), "the gateway has read it", 10)
    with registered(record, core, receive_in_pjsua2=True):
        assert core.bindings() != [ours(gateway)]
        async with RawSip(core.target()) as app:
            caller = Caller(uri=f"sip:anna@127.0.0.1:{app.local[1]};transport=tcp")
            assert (await app.exchange(caller.start(uri=EMERGENCY))).status == 200
            await app.until(lambda: texts_of(app.requests, lmpe.START) == [GREETING])
            assert app.requests[0].header("reply-to") == PSAP
            chat = record.chat_id(caller.call_id)
            record.claim(chat)
            record.send(chat, "Grüß Gott, wo sind Sie?")
            await app.until(lambda: texts_of(app.requests) == ["Grüß Gott, wo sind Sie?"])
            await app.exchange(caller.say("Am Hauptplatz", uri=EMERGENCY))
            await eventually(lambda: len(record.texts_in(caller.call_id)) == 2, "it is there")
            flags = record.rows(
                "SELECT flags FROM chats_message WHERE chat_id = %s AND direction = 'in'", chat
            )
            assert all("acknowledged-before-commit" in row[0] for row in flags)
            await eventually(
                lambda: {s for _, s in record.outgoing(chat)} == {"delivered"}, "all is delivered"
            )
            await app.until(lambda: bool(texts_of(app.requests, lmpe.HEARTBEAT)))
    record.configure(heartbeat_interval=15)


@pytest.mark.parametrize("transport", ["tcp", "udp"])
async def test_ten_kilobytes_in_pjsua2_fail_visibly(record, core, gateway, registrar, transport):
    """The call-taker sees what is left, marked; the alarm says so; over TCP the app gets 513."""
    with registered(record, core, receive_in_pjsua2=True, registrars=core.uri(transport)):
        async with RawSip(core.target(transport)) as app:
            kind = transport.upper()
            uri = f"sip:bert@127.0.0.1:{app.local[1]};transport={transport}"
            caller = Caller(kind, uri=uri)
            answer = await app.exchange(caller.start(TEN_KILOBYTES, uri=EMERGENCY), 10)
            assert answer.status == (513 if transport == "tcp" else 200)
            chat = await eventually(lambda: record.chat_id(caller.call_id), "the chat is there")
            text, flags = record.rows(
                "SELECT text, flags FROM chats_message WHERE chat_id = %s AND direction = 'in'",
                chat,
            )[0]
            assert text.startswith("Hilfe! xxx")
            assert "truncated" in flags
            assert ("acknowledged-before-commit" in flags) == (transport == "udp")
            await eventually(
                lambda: record.value(
                    "SELECT figures->>'cut_at' FROM psap_serviceprocess WHERE name = 'registrar'"
                    " ORDER BY beat_at DESC LIMIT 1"
                ),
                "the cut is counted",
            )


async def test_a_text_that_is_too_long_for_pjsua2_fails_for_the_call_taker(
    record, core, gateway, registrar
):
    with registered(record, core, receive_in_pjsua2=True):
        async with RawSip(core.target()) as app:
            caller = Caller(uri=f"sip:cora@127.0.0.1:{app.local[1]};transport=tcp")
            await app.exchange(caller.start(uri=EMERGENCY))
            await app.until(lambda: bool(app.requests))
            chat = record.chat_id(caller.call_id)
            record.claim(chat)
            record.send(chat, "x" * 5000)
            await eventually(lambda: record.outgoing(chat)[-1][1] == "failed", "it has failed")
            cause = record.value("SELECT cause FROM chats_outboxentry ORDER BY message_id DESC")
            assert cause == "413 pjsua2 sends no message of this length"


async def test_a_message_to_a_urn_is_rescued_and_answered(record, core, gateway, registrar):
    """pjsua2 throws it away without an answer; its log has it."""
    with registered(record, core, receive_in_pjsua2=True, registrars=core.uri("udp")):
        (binding,) = core.bindings()
        port = int(binding.partition("@")[2].partition(";")[0].partition(":")[2])
        async with RawSip(Target("udp", "127.0.0.1", port)) as app:
            caller = Caller("UDP", uri=f"sip:emil@127.0.0.1:{app.local[1]}")
            assert (await app.exchange(caller.start(uri="urn:service:sos"))).status == 200
            chat = await eventually(lambda: record.chat_id(caller.call_id), "the chat is there")
            flags = record.value("SELECT flags FROM chats_message WHERE chat_id = %s", chat)
            assert "acknowledged-before-commit" not in flags


async def test_an_account_that_is_switched_off_waits_for_what_is_under_way(
    record, core, gateway, registrar
):
    """Red when it is ended at once: at the answer pjsua2 ends the whole process."""
    with registered(record, core, receive_in_pjsua2=True) as number:
        async with RawSip(core.target()) as app:
            caller = Caller(uri=f"sip:fini@127.0.0.1:{app.local[1]};transport=tcp")
            await app.exchange(caller.start(uri=EMERGENCY))
            await app.until(lambda: bool(app.requests))
            chat = record.chat_id(caller.call_id)
            record.claim(chat)
            await eventually(
                lambda: record.outgoing(chat) == [(GREETING, "delivered")], "it is greeted"
            )
            app.answer_status = None
            record.send(chat, "Noch da?")
            await app.until(lambda: texts_of(app.requests) == ["Noch da?"])
            change(record, number, enabled=False)
            await eventually(lambda: state(record, number) == "off", "it is off")
            app.answer(next(r for r in app.requests if r.body == b"Noch da?"))
            await eventually(lambda: record.outgoing(chat)[-1][1] == "delivered", "it is delivered")
            assert registrar.is_running()


async def test_what_pjsua2_has_taken_survives_a_gateway_that_is_down(
    record, core, gateway, registrar
):
    with registered(record, core, receive_in_pjsua2=True):
        gateway.kill()
        async with RawSip(core.target()) as app:
            caller = Caller(uri=f"sip:dora@127.0.0.1:{app.local[1]};transport=tcp")
            assert (await app.exchange(caller.start(uri=EMERGENCY))).status == 200
            wait_until(
                lambda: record.value(
                    "SELECT count(*) FROM chats_journal WHERE call_id = %s", caller.call_id
                ),
                5,
                "it is journaled",
            )
            gateway.start()
            await app.until(lambda: bool(app.requests), 10)
            assert record.chat_id(caller.call_id)
