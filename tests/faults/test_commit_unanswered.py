"""PostgreSQL commits, the connection is cut before it says so: nothing is lost, nothing twice."""

from collections import Counter

import pytest

from sipgateway.simulator import lmpe
from tests.support.caller import kind_of, texts_of
from tests.support.eventually import eventually
from tests.support.forgetful import DJANGO, forgetful_proxy
from tests.support.gateway import options_status
from tests.support.redirects import redirect_scene

WITHIN = 15.0


@pytest.fixture
async def proxy(gateway, record):
    record.configure(heartbeat_interval=20, redirect_patience=20)
    async with forgetful_proxy(record.database_url) as proxy:
        gateway.launch(DATABASE_URL=proxy.url)
        await eventually(lambda: options_status(gateway.port, 0.05) == 200, "it serves", 20)
        yield proxy
        gateway.kill()


@pytest.mark.parametrize(
    ("connection", "asked"),
    [
        ("leitstand journal", b"COMMIT"),
        ("leitstand projector", b"COMMIT"),
        ("leitstand outbox", b""),
        ("leitstand deliveries", b"COMMIT"),
    ],
)
async def test_a_conversation_goes_on_without_a_word_twice(
    proxy, gateway, record, connection, asked
):
    """Red without the request key, `_drop_projected`, `_RECLAIM`; or an outcome told twice."""
    async with redirect_scene(gateway, record, transport="udp") as scene:
        proxy.forget(connection, asked)
        assert (await scene.app.exchange(scene.caller.say("hin"), WITHIN)).status == 200
        record.send(scene.chat, "her")
        await scene.app.until(lambda: texts_of(scene.app.requests) == ["her"], WITHIN)
        await eventually(lambda: proxy.forgotten == 1, "an answer is lost", WITHIN)
        assert (await scene.app.exchange(scene.caller.say("weiter"), WITHIN)).status == 200
        expected = ["Hilfe!", "hin", "weiter"]
        await eventually(
            lambda: record.texts_in(scene.caller.call_id) == expected, "all is there", WITHIN
        )
        record.send(scene.chat, "zurück")  # behind all that is repeated
        await eventually(lambda: scene.statuses() == ["delivered"] * 3, "delivered", WITHIN)
    kinds = [kind_of(request) for request in scene.app.requests]
    assert kinds == [lmpe.START, lmpe.IN_CHAT, lmpe.IN_CHAT]
    assert_told_once(scene)


async def test_a_relay_that_was_recorded_without_an_answer_goes_on_once(proxy, gateway, record):
    async with redirect_scene(gateway, record, transport="udp") as scene:
        await scene.redirected()
        scene.target.answer_status = None
        await scene.app.exchange(scene.go_over())
        await scene.target.until(lambda: bool(scene.target.requests), WITHIN)
        proxy.forget(DJANGO)
        scene.target.answer_status = 200
        scene.target.answer(scene.target.requests[0])
        await eventually(lambda: proxy.forgotten == 1, "an answer is lost", WITHIN)
        await scene.app.exchange(scene.caller.say("weiter"))
        await scene.target.until(
            lambda: "weiter" in [r.body.decode() for r in scene.target.requests], WITHIN
        )
        await eventually(lambda: len(scene.events("message-relayed")) == 2, "both are", WITHIN)
    assert_told_once(scene)
    assert gateway.is_running()


async def test_relays_that_were_claimed_without_an_answer_leave_at_once(proxy, gateway, record):
    """Red when they wait until their lease has run out, for longer than patience lasts."""
    async with redirect_scene(gateway, record, transport="udp") as scene:
        await scene.redirected()
        proxy.forget(DJANGO, b"lease_until")
        await scene.app.exchange(scene.go_over())
        await scene.until_session("redirected", within=WITHIN)
        assert proxy.forgotten == 1
    assert_told_once(scene)


def assert_told_once(scene):
    """No outcome and no message stands in the record's events twice."""
    told = scene.record.rows(
        "SELECT kind, message_id FROM chats_chatevent"
        " WHERE chat_id = %s AND message_id IS NOT NULL",
        scene.chat,
    )
    assert set(Counter(told).values()) == {1}, Counter(told).most_common(3)
    scene.record.verify(scene.chat)
