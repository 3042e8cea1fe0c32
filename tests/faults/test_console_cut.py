"""A console that loses its socket shows all it missed, once, in order."""

import pytest

from sipgateway.simulator.transport import Target
from tests.support.caller import Caller
from tests.support.eventually import eventually
from tests.support.instance import Instance
from tests.support.live_console import LiveConsole, log_in
from tests.support.rawsip import RawSip

MISSED = 25


@pytest.fixture
def caller():
    return Caller()


async def test_a_console_that_lost_its_socket_catches_up_once_and_in_order(
    instance: Instance, caller
):
    """Red when catch-up and live events overlap, or when the hub skips what committed late."""
    cookie = log_in(instance, "calltaker")
    app = RawSip(Target("tcp", "127.0.0.1", instance.sip_port))
    async with app, LiveConsole(instance, cookie) as before:
        await app.exchange(caller.start())
        opened = await before.until(
            lambda frame: (
                frame.get("ev") == "chat-opened" and frame["card"]["callId"] == caller.call_id
            )
        )
        chat = int(opened["chat"])
        await app.until(lambda: bool(app.requests))
        await before.until(lambda frame: frame.get("ev") == "delivery-changed")
        before.lose()
        await eventually(before.closed.is_set, "the socket is lost")
        seen = before.seqs(chat)[-1]
        texts = [f"verpasst {number}" for number in range(MISSED)]
        for text in texts:
            assert (await app.exchange(caller.say(text))).status == 200
        async with LiveConsole(instance, cookie) as after:
            app.send(caller.say("während der Rückkehr"))
            reply = await after.command("catch-up", seen={str(chat): seen})
            assert reply["ok"]
            await app.exchange(caller.say("danach"))
            await after.shows("danach")

    assert after.texts(chat) == [*texts, "während der Rückkehr", "danach"]
    assert after.seqs(chat) == list(range(seen + 1, after.seqs(chat)[-1] + 1))
