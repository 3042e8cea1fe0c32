"""The database and the registrar die while an account receives in pjsua2."""

from tests.support.accounts import EMERGENCY, registered, until_bound
from tests.support.caller import Caller, texts_of
from tests.support.eventually import eventually
from tests.support.outage import database_out_of_reach
from tests.support.rawsip import RawSip

WITHIN = 15.0


async def test_what_pjsua2_takes_without_a_database_is_on_the_record_once_it_is_back(
    record, core, gateway, registrar
):
    """Red when a batch is let go that PostgreSQL has not taken: pjsua2 has acknowledged it."""
    with registered(record, core, receive_in_pjsua2=True):
        async with RawSip(core.target()) as app:
            caller = Caller(uri=f"sip:emil@127.0.0.1:{app.local[1]};transport=tcp")
            assert (await app.exchange(caller.start(uri=EMERGENCY))).status == 200
            await app.until(lambda: bool(app.requests), WITHIN)
            texts = [f"ohne Datenbank {number}" for number in range(3)]
            with database_out_of_reach(record):
                for text in texts:
                    assert (await app.exchange(caller.say(text, uri=EMERGENCY))).status == 200
            await eventually(
                lambda: record.texts_in(caller.call_id) == ["Hilfe!", *texts], "all is there", 20
            )
            assert registrar.is_running()
            record.verify(record.chat_id(caller.call_id))


async def test_a_registrar_that_is_killed_registers_anew_and_the_chat_goes_on(
    record, core, gateway, registrar
):
    with registered(record, core, receive_in_pjsua2=True):
        async with RawSip(core.target()) as app:
            caller = Caller(uri=f"sip:fritz@127.0.0.1:{app.local[1]};transport=tcp")
            assert (await app.exchange(caller.start(uri=EMERGENCY))).status == 200
            await app.until(lambda: bool(app.requests), WITHIN)
            chat = record.chat_id(caller.call_id)
            record.claim(chat)
            before = core.bindings()
            registrar.kill()
            record.send(chat, "Sind Sie noch da?")
            registrar.start()
            until_bound(core, lambda bound: bool(set(bound) - set(before)), WITHIN)
            answer = await app.exchange(caller.say("Ja", uri=EMERGENCY), WITHIN)
            assert answer.status == 200
            await app.until(lambda: "Sind Sie noch da?" in texts_of(app.requests), WITHIN)
            await eventually(
                lambda: record.texts_in(caller.call_id) == ["Hilfe!", "Ja"], "it is there", WITHIN
            )
            record.verify(chat)
