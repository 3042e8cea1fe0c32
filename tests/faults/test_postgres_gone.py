"""PostgreSQL killed and hung under load: no 200 meanwhile, healed within 5 s, nothing lost."""

import asyncio
import time

import psycopg
import pytest

from sipgateway.simulator.transport import Target
from tests.support.accounting import doubled, lost, settled
from tests.support.blast import Blast
from tests.support.eventually import eventually
from tests.support.gateway import options_status

pytestmark = pytest.mark.alone

HEALS = 5.0


def reachable(instance):
    try:
        psycopg.connect(instance.environment.database_url, connect_timeout=1).close()
    except psycopg.OperationalError:
        return False
    return True


@pytest.mark.parametrize("fault", ["held_down", "hung"])
async def test_nothing_is_acknowledged_without_postgresql_and_all_heals(whole, tmp_path, fault):
    """Red without `Database.retry`, or when a 200 does not wait for the COMMIT."""
    pids = whole.pids()
    target = Target("udp", "127.0.0.1", whole.sip_port)
    blast = Blast(target, tmp_path / "acknowledged", rate=200, chats=20)
    running = asyncio.create_task(blast.run())
    try:
        await eventually(lambda: len(blast.acknowledged) > 100, "it works at first", 20)
        with getattr(whole, fault)("postgres"):
            await settled_silence(blast)
            before = len(blast.acknowledged)
            await eventually(lambda: options_status(whole.sip_port) == 503, "OPTIONS is 503", 10)
            assert len(blast.acknowledged) == before
        await eventually(lambda: reachable(whole), "PostgreSQL is back", 30)
        back = time.monotonic()
        await eventually(lambda: len(blast.acknowledged) > before, "200s again", HEALS)
        assert time.monotonic() - back < HEALS
        await eventually(lambda: options_status(whole.sip_port) == 200, "OPTIONS again", HEALS)
    finally:
        blast.stop()
        await running
    await settled(whole.rows)

    assert len(blast.acknowledged) == len(blast.sent)
    assert lost(whole.rows, blast) == set()
    assert doubled(whole.rows, blast) == []
    assert whole.pids()["gateway"] == pids["gateway"]


async def settled_silence(blast):
    """Wait until the 200s that were on their way have come: 100 more sent, none acknowledged."""
    sent, told = len(blast.sent), len(blast.acknowledged)
    while len(blast.sent) < sent + 100:
        if len(blast.acknowledged) > told:
            sent, told = len(blast.sent), len(blast.acknowledged)
        now = len(blast.sent)
        await eventually(lambda: len(blast.sent) > now, "the load goes on")  # noqa: B023
