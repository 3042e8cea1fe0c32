"""Two whole instances, each the other's peer: a chat is redirected and goes on at the second.

No proxy stands between them. The app sends its start|redirect/273 where the specification says,
to the PSAP that redirects it, and that one is its way to the other from then on.
"""

from collections.abc import Iterator

import pytest

from sipgateway.simulator import lmpe
from sipgateway.simulator.app import SimulatedApp
from sipgateway.simulator.transport import Target
from tests.support.instance import Instance, running_instance
from tests.support.live_console import LiveConsole, log_in


@pytest.fixture(scope="module")
def rooms() -> Iterator[tuple[Instance, Instance]]:
    with running_instance() as first, running_instance() as second:
        introduce(first, second)
        introduce(second, first)
        yield first, second


def introduce(room: Instance, other: Instance) -> None:
    room.execute(
        "INSERT INTO psap_peer (name, uris, agreement) VALUES ('The other', %s, true) RETURNING id",
        [uri_of(other)],
    )


def uri_of(room: Instance) -> str:
    return f"sip:psap@127.0.0.1:{room.sip_port}"


def desk_at(room: Instance) -> LiveConsole:
    return LiveConsole(room, log_in(room, "calltaker"))


async def chat_with(desk: LiveConsole, call_id: str) -> str:
    """Wait until the chat rings at a desk, answer it, and return its id."""
    frame = await desk.until(lambda f: f.get("card", {}).get("callId") == call_id)
    assert (await desk.command("claim", chat=frame["chat"]))["ok"]
    return frame["chat"]


@pytest.mark.parametrize("transport", ["tcp", "udp"])
@pytest.mark.conformance("6.2.7-1", "6.2.7-6", "6.2.7-7", "6.2.7-8", "6.2.7-9")
async def test_a_redirected_chat_goes_on_at_the_other_control_room(rooms, transport):
    first, second = rooms
    app = SimulatedApp(Target(transport, "127.0.0.1", first.sip_port))
    async with app, desk_at(first) as here, desk_at(second) as there:
        await app.start()
        await app.wait_for_type(lmpe.START)
        chat = await chat_with(here, app.call_id)
        peer = here.frames[0][1]["peers"][0]["id"]
        answer = await here.command("redirect", chat=chat, peer=peer, text="", override=False)
        assert answer["ok"], answer

        taken = await chat_with(there, app.call_id)
        await app.wait_for(lambda m: m.reply_to == uri_of(second) and m.msg_type == lmpe.START)
        await here.until(lambda f: f.get("ev") == "chat-redirected" and f.get("chat") == chat)
        assert (await app.say("I am at the river.")).status == 200
        came = await there.shows("I am at the river.")
        assert (await there.command("send", chat=taken, text="We are coming."))["ok"]
        await app.wait_for(lambda m: m.text == "We are coming.")
        await app.stop("Thank you.")
        await there.shows("Thank you.")

    assert came["card"]["cameFrom"] == uri_of(first)
    assert app.failures == []
    assert callers_chats(second, app.call_id) == [("stopped", "caller")]
    assert callers_chats(first, app.call_id) == [("redirected", None)]


def callers_chats(room: Instance, call_id: str) -> list[tuple]:
    return room.execute(
        "SELECT session, ended_by FROM chats_chat WHERE call_id = %s ORDER BY id", [call_id]
    )
