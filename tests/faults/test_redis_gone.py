"""Redis dead, and hung, for 16 s each: intake goes on and no screen loses its connection.

Redis carries wake-ups and Celery's queue alone. Red when a console sits in a channel group, or
when anybody awaits a publish.
"""

import time
from contextlib import AsyncExitStack

import pytest

from sipgateway.simulator.transport import Target
from tests.support.caller import Caller, texts_of
from tests.support.live_console import LiveConsole, log_in
from tests.support.rawsip import RawSip

pytestmark = pytest.mark.alone

GONE = 16.0
FOLLOWS = 2.0
LONGEST = 15.0  # for a single one, on a busy machine; a console that waits for Redis never follows
SERVING = ("gateway", "web")


@pytest.mark.parametrize("fault", ["held_down", "hung"])
async def test_without_redis_intake_goes_on_and_consoles_follow_within_two_seconds(whole, fault):
    pids, delays = whole.pids(), Delays()
    async with AsyncExitStack() as stack:
        app = await stack.enter_async_context(RawSip(Target("tcp", "127.0.0.1", whole.sip_port)))
        connected = LiveConsole(whole, log_in(whole, "calltaker"))
        await stack.enter_async_context(connected)
        with getattr(whole, fault)("redis"):
            until = time.monotonic() + GONE
            caller, chat = await rings(app, connected, delays)
            newcomer = LiveConsole(whole, log_in(whole, "calltaker2"))
            await stack.enter_async_context(newcomer)
            assert (await newcomer.command("claim", chat=chat))["ok"]
            number = 0
            while time.monotonic() < until:
                await both_ways(app, caller, chat, connected, newcomer, number, delays)
                await newcomer.next_ping()
                number += 1
        await both_ways(app, caller, chat, connected, newcomer, number, delays)
        assert not connected.closed.is_set() and not newcomer.closed.is_set()
        assert delays.are_short(), delays.seconds
        assert len(connected.seqs(int(chat))) == len(set(connected.seqs(int(chat))))

    assert {name: whole.pids()[name] for name in SERVING} == {name: pids[name] for name in SERVING}
    whole.manage("verifychat", chat)


class Delays:
    """What people waited for, one after the other, in seconds."""

    def __init__(self):
        self.seconds = []

    async def of(self, wait):
        began = time.monotonic()
        result = await wait
        self.seconds.append(time.monotonic() - began)
        return result

    def are_short(self):
        """Whether nine of ten were; a busy machine may make one late."""
        late = [delay for delay in self.seconds if delay > FOLLOWS]
        return len(late) * 10 <= len(self.seconds)


async def rings(app, console, delays):
    """Start a chat that rings on the console; returns its caller and id."""
    caller = Caller()
    assert (await app.exchange(caller.start())).status == 200
    opened = await delays.of(
        console.until(
            lambda frame: (
                frame.get("ev") == "chat-opened" and frame["card"]["callId"] == caller.call_id
            ),
            LONGEST,
        )
    )
    await app.until(lambda: bool(app.requests), LONGEST)
    return caller, opened["chat"]


async def both_ways(app, caller, chat, connected, newcomer, number, delays):
    """Have the caller write and the newcomer answer, each seen in time."""
    text, answer = f"Ruf {number}", f"Antwort {number}"
    assert (await delays.of(app.exchange(caller.say(text), LONGEST))).status == 200
    await delays.of(connected.shows(text, LONGEST))
    await newcomer.shows(text, LONGEST)
    assert (await newcomer.command("send", chat=chat, text=answer))["ok"]
    await delays.of(app.until(lambda: texts_of(app.requests)[-1:] == [answer], LONGEST))
    await delays.of(
        connected.until(
            lambda frame: (
                frame.get("ev") == "delivery-changed"
                and frame["message"]["text"] == answer
                and frame["message"]["status"] == "delivered"
            ),
            LONGEST,
        )
    )
