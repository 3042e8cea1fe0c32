"""A chat's row is held and a message is poison: everybody else goes on, on record and screen."""

import asyncio
import time
from contextlib import AsyncExitStack, contextmanager
from statistics import median

import psycopg
import pytest

from sipgateway.simulator.transport import Target
from tests.support.caller import Caller, texts_of
from tests.support.eventually import eventually
from tests.support.live_console import LiveConsole, log_in
from tests.support.rawsip import RawSip

pytestmark = pytest.mark.alone

HELD = 12.0
FOLLOWS = 1.0
POISON = "Gift"


def chat_id(instance, caller):
    rows = instance.rows("SELECT id FROM chats_chat WHERE unique_part = %s", caller.unique_part)
    return rows[0][0] if rows else None


def texts_in(instance, caller):
    rows = instance.rows(
        "SELECT text FROM chats_message WHERE chat_id = %s AND direction = 'in' ORDER BY id",
        chat_id(instance, caller),
    )
    return [row[0] for row in rows]


@contextmanager
def poisoned(instance, table, condition):
    """Have PostgreSQL refuse rows of a table for what they hold."""
    instance.execute(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'poison' USING ERRCODE = 'data_exception'; END $$"
    )
    instance.execute(
        f"CREATE TRIGGER poison BEFORE INSERT ON {table} FOR EACH ROW WHEN ({condition})"
        " EXECUTE FUNCTION refuse()"
    )
    try:
        yield
    finally:
        instance.execute("DROP FUNCTION refuse CASCADE")


async def open_chats(app, instance, count):
    callers = [Caller() for _ in range(count)]
    for caller in callers:
        await app.exchange(caller.start())
    await eventually(lambda: all(chat_id(instance, c) for c in callers), "the chats are open")
    return callers


async def send_at_once(app, *messages):
    """Send messages in one segment, so that they are journaled in one batch; wait for all 200s."""
    wanted = len(app.responses) + len(messages)
    app.send(b"".join(messages))
    await app.until(lambda: len(app.responses) >= wanted)
    assert {response.status for response in app.responses} == {200}


async def test_a_held_chat_and_a_poison_message_delay_nobody_else(whole):
    """Red without SKIP LOCKED in LOCK_CHATS, or without halving a batch that is refused."""
    async with AsyncExitStack() as stack:
        app = await stack.enter_async_context(RawSip(Target("tcp", "127.0.0.1", whole.sip_port)))
        cookie = log_in(whole, "calltaker")
        console = await stack.enter_async_context(LiveConsole(whole, cookie))
        held, bad, *others = await open_chats(app, whole, 6)
        chat = chat_id(whole, held)
        delays = []
        holding = psycopg.connect(whole.environment.database_url)
        try:
            holding.execute("SELECT id FROM chats_chat WHERE id = %s FOR UPDATE", (chat,))
            until, number = time.monotonic() + HELD, 1
            with poisoned(whole, "chats_message", f"NEW.text = '{POISON}'"):
                delays.append(await one_round(app, console, held, others, 0, bad.say(POISON)))
            await console.shows(POISON)  # once PostgreSQL takes it
            while time.monotonic() < until:
                await console.next_ping()
                delays.append(await one_round(app, console, held, others, number))
                number += 1
            assert texts_in(whole, held) == ["Hilfe!"]
        finally:
            holding.close()
        expected = ["Hilfe!", *(f"gehalten {n}" for n in range(number))]
        await eventually(lambda: texts_in(whole, held) == expected, "the held chat has caught up")
        await console.shows(expected[-1])

    assert console.texts(chat)[-number:] == expected[1:]
    for caller in others:
        assert texts_in(whole, caller) == ["Hilfe!", *(f"anderer {n}" for n in range(number))]
    assert median(delays) < FOLLOWS, delays
    whole.manage("verifychat", str(chat))


async def one_round(app, console, held, others, number, *poison):
    """Send one batch; returns after how many seconds the last other chat was on the screen."""
    began = time.monotonic()
    messages = [caller.say(f"anderer {number}") for caller in others]
    await send_at_once(app, *messages[:2], held.say(f"gehalten {number}"), *poison, *messages[2:])
    await eventually(
        lambda: shown(console).count(f"anderer {number}") == len(others),
        "all other chats follow on the screen",
    )
    return time.monotonic() - began


def shown(console):
    return [
        frame["message"]["text"]
        for _, frame in console.frames
        if frame.get("ev") == "message-received"
    ]


async def test_a_message_that_the_journal_refuses_is_stored_raw_and_the_others_with_it(whole):
    """Red without halving in JournalWriter._write, or without its `raw_alone`."""
    async with RawSip(Target("tcp", "127.0.0.1", whole.sip_port)) as app:
        first, last, bad = Caller(), Caller(), Caller(unique_part="vergiftet")
        with poisoned(whole, "chats_journal", "strpos(NEW.call_id, 'vergiftet') > 0"):
            await send_at_once(app, first.start("vor"), bad.start("trotzdem"), last.start("nach"))
        for caller, text in ((first, "vor"), (bad, "trotzdem"), (last, "nach")):
            await eventually(
                lambda c=caller, t=text: texts_in(whole, c) == [t], f"{text} is on its chat"
            )


async def test_a_command_on_a_held_chat_is_refused_in_time_and_others_are_not_kept(whole):
    async with AsyncExitStack() as stack:
        app = await stack.enter_async_context(RawSip(Target("tcp", "127.0.0.1", whole.sip_port)))
        cookie = log_in(whole, "calltaker2")
        console = await stack.enter_async_context(LiveConsole(whole, cookie))
        held, other = await open_chats(app, whole, 2)
        for caller in (held, other):
            await console.command("claim", chat=str(chat_id(whole, caller)))
        with psycopg.connect(whole.environment.database_url) as holding:
            holding.execute(
                "SELECT id FROM chats_chat WHERE id = %s FOR UPDATE", (chat_id(whole, held),)
            )
            command = console.command("send", chat=str(chat_id(whole, held)), text="hier?")
            busy = asyncio.create_task(command)
            await asyncio.sleep(0)  # it is sent first
            reply = await console.command("send", chat=str(chat_id(whole, other)), text="dort?")
            assert reply["ok"]
            await app.until(lambda: texts_of(app.requests) == ["dort?"])
            assert (await busy)["code"] == "chat-busy"
