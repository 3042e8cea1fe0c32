"""SIGKILL of the gateway at random under load: what was acknowledged is there, once.

Invariants A and B of "never lose an acknowledged message": the client journals each 2xx (fsync)
and compares. The same check is shown to find the loss when the 200 leaves before the COMMIT.
"""

import asyncio
import random
from contextlib import asynccontextmanager

from sipgateway.simulator.app import SimulatedApp
from tests.support.accounting import doubled, lost, settled
from tests.support.blast import Blast
from tests.support.copies import altered_copy
from tests.support.eventually import eventually
from tests.support.gateway import GatewayProcess

RATE = 300
KILLS = 10
BACK_WITHIN = 20.0  # on a machine that is busy with other things too


@asynccontextmanager
async def load(gateway, journal):
    """Send 300 messages a second until the block ends, then until all are answered."""
    blast = Blast(gateway.target("udp"), journal, rate=RATE)
    running = asyncio.create_task(blast.run())
    try:
        yield blast
    finally:
        blast.stop()
        await running


async def acknowledges(blast, more):
    """Wait until the client got so many more 200s."""
    wanted = len(blast.acknowledged) + more
    await eventually(lambda: len(blast.acknowledged) >= wanted, "it goes on", BACK_WITHIN)


async def test_ten_kills_at_random_lose_and_double_nothing_and_queued_answers_arrive(
    gateway, record, tmp_path
):
    """Red when `acknowledge` comes before the COMMIT, without the sweep, or without its key."""
    chance = random.Random()
    gateway.start()
    async with SimulatedApp(gateway.target("udp")) as app:
        await app.start()
        await app.greeted.wait()
        chat = record.chat_id(app.call_id)
        record.claim(chat)
        async with load(gateway, tmp_path / "acknowledged") as blast:
            for number in range(KILLS):
                await acknowledges(blast, chance.randint(1, 2 * RATE // 3))
                record.send(chat, f"Antwort {number}")
                gateway.kill()
                gateway.launch()
            await acknowledges(blast, RATE)
        await settled(record.rows)
        answers = [f"Antwort {number}" for number in range(KILLS)]
        await eventually(lambda: texts(app) == answers, "all answers, in order", BACK_WITHIN)

    assert gateway.starts == KILLS + 1
    assert len(blast.acknowledged) == len(blast.sent) > KILLS * 10
    assert lost(record.rows, blast) == set()
    assert doubled(record.rows, blast) == []
    assert app.failures == []
    record.verify(chat)


def texts(app):
    return [message.text for message in app.received if message.msg_type == 259]


async def test_the_check_finds_what_is_lost_when_the_200_leaves_before_the_commit(record, tmp_path):
    """The same load on a copy of the project that acknowledges first and commits later."""
    root = altered_copy(
        tmp_path,
        {
            "sipgateway/journal.py": (
                'reach("before-commit")\n',
                "for arrival in batch:\n"
                "                self._acknowledge(arrival)\n"
                "            await asyncio.sleep(0.3)\n",
            )
        },
    )
    gateway = GatewayProcess(record.database_url, tmp_path, root=root)
    gateway.start()
    try:
        async with load(gateway, tmp_path / "acknowledged") as blast:
            for _ in range(3):
                await acknowledges(blast, RATE // 3)
                gateway.kill()
                gateway.launch()
            await acknowledges(blast, 1)
        await settled(record.rows)
    finally:
        gateway.stop()

    assert lost(record.rows, blast) != set()
