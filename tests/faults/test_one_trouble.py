"""A trouble of one redirected chat, one server or one peer stays theirs: nobody else waits."""

import asyncio
import time
from contextlib import AsyncExitStack

import pytest

from psap.models import Psap
from tests.support.caller import Caller, kind_of
from tests.support.eventually import eventually
from tests.support.gateway import running_gateway
from tests.support.redirects import redirect_scene

BOUND = 1.0
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
            assert await goes_over(other) < BOUND
            assert held.session() == "redirecting"
        await held.until_session("redirected")
        assert silent.session() == "redirecting"
        for scene in (held, other):
            assert len(scene.events("message-relayed")) == 1
            record.verify(scene.chat)
