"""Two whole instances, each the other's peer: a chat is redirected and goes on at the second.

No proxy stands between them. The app sends its start|redirect/273 where the specification says,
to the PSAP that redirects it, and that one is its way to the other from then on.
"""

import pytest

from sipgateway.simulator import lmpe
from sipgateway.simulator.app import SimulatedApp
from tests.support.rooms import Room, Rooms, answer

pytestmark = pytest.mark.together("rooms")


@pytest.mark.parametrize("transport", ["tcp", "udp"])
@pytest.mark.conformance("6.2.7-1", "6.2.7-6", "6.2.7-7", "6.2.7-8", "6.2.7-9")
async def test_a_redirected_chat_goes_on_at_the_other_control_room(rooms: Rooms, transport: str):
    first, second = rooms.transferor, rooms.transferee
    app = SimulatedApp(first.sip(transport))
    async with app, first.desk() as here, second.desk() as there:
        await app.start()
        await app.wait_for_type(lmpe.START)
        chat = await answer(here, app.call_id)
        peer = first.peer_id(second)
        said = await here.command("redirect", chat=chat, peer=peer, text="", override=False)
        assert said["ok"], said

        taken = await answer(there, app.call_id)
        await app.wait_for(lambda m: m.reply_to == second.uri and m.msg_type == lmpe.START)
        await here.until(lambda f: f.get("ev") == "chat-redirected" and f.get("chat") == chat)
        assert (await app.say("I am at the river.")).status == 200
        came = await there.shows("I am at the river.")
        assert (await there.command("send", chat=taken, text="We are coming."))["ok"]
        await app.wait_for(lambda m: m.text == "We are coming.")
        await app.stop("Thank you.")
        await there.shows("Thank you.")

    assert came["card"]["cameFrom"] == first.uri
    assert app.failures == []
    assert callers_chats(second, app.call_id) == [("stopped", "caller")]
    assert callers_chats(first, app.call_id) == [("redirected", None)]


def callers_chats(room: Room, call_id: str) -> list[tuple]:
    return room.instance.rows(
        "SELECT session, ended_by FROM chats_chat WHERE call_id = %s ORDER BY id", call_id
    )
