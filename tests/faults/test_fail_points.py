"""The gateway dies at named instants, each asserted as reached: none of them loses or doubles."""

import asyncio
import signal

import pytest

from tests.support.accounting import doubled, lost, settled
from tests.support.blast import Blast
from tests.support.caller import Caller
from tests.support.eventually import eventually
from tests.support.rawsip import RawSip
from tests.support.record import GREETING

DIES_WITHIN = 20.0


async def ended(gateway):
    await eventually(lambda: not gateway.is_running(), "the gateway dies", DIES_WITHIN)
    return gateway.wait_for_end()


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize("name", ["before-insert", "before-commit", "after-commit", "after-200"])
async def test_dying_on_the_way_to_the_200_loses_and_doubles_nothing(
    gateway, record, tmp_path, name, transport
):
    proof = tmp_path / "reached"
    gateway.start(PSAP_FAIL_POINT=f"{name}:{proof}")
    blast = Blast(gateway.target(transport), tmp_path / "acknowledged", rate=200, chats=10)
    running = asyncio.create_task(blast.run())
    try:
        assert await ended(gateway) == -signal.SIGKILL
        assert proof.read_text() == name
        before = len(blast.acknowledged)
        assert (before > 0) is (name == "after-200" and before > 0)
        gateway.launch()
        await eventually(lambda: len(blast.acknowledged) >= before + 100, "it goes on", DIES_WITHIN)
    finally:
        blast.stop()
        await running
    await settled(record.rows)

    assert len(blast.acknowledged) == len(blast.sent)
    assert lost(record.rows, blast) == set()
    assert doubled(record.rows, blast) == []


async def test_dying_between_an_answer_of_the_app_and_its_mark_repeats_the_same_bytes(
    gateway, record, tmp_path
):
    """Red when Call-ID, CSeq, branch or MsgId are drawn at the sending instead of the queueing."""
    proof = tmp_path / "reached"
    caller = Caller("UDP")
    gateway.start(PSAP_FAIL_POINT=f"before-marking:{proof}")
    async with RawSip(gateway.target("udp")) as app:
        await app.exchange(caller.start())
        assert await ended(gateway) == -signal.SIGKILL
        assert proof.read_text() == "before-marking"
        chat = record.chat_id(caller.call_id)
        assert record.outgoing(chat) == [(GREETING, "sending")]
        gateway.start()
        await app.until(lambda: len(app.raw_requests) == 2)
        await eventually(
            lambda: record.outgoing(chat) == [(GREETING, "delivered")], "it is marked now"
        )
    assert app.raw_requests[0] == app.raw_requests[1]
