"""The disk is full: no 200 leaves, consoles are told, and all goes on once there is room."""

import asyncio
import shutil
import subprocess
from contextlib import contextmanager

import pytest

from sipgateway.simulator.transport import Target
from tests.support.accounting import doubled, lost, settled
from tests.support.blast import Blast
from tests.support.eventually import eventually
from tests.support.gateway import options_status
from tests.support.instance import running_instance
from tests.support.live_console import LiveConsole, log_in

SIZE = "320m"
HEALS = 20.0
# By what does not fit any more: a message, its place on a chat, or the gateway's sign of life.
TOLD = {"commits-failing", "projection-behind", "gateway-silent"}


@pytest.fixture
def small_disk(tmp_path):
    """A directory on a file system of its own that holds little."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=755", "none", str(place)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no file system may be mounted here: {done.stderr}")
    tmp_path.chmod(0o755)
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


@contextmanager
def filled(place):
    """Leave no byte of a file system until the block ends."""
    filler = place / "filler"
    try:
        with filler.open("wb", buffering=0) as file:
            while True:
                try:
                    file.write(bytes(1024 * 1024))
                except OSError:
                    break
            while shutil.disk_usage(place).free:
                try:
                    file.write(bytes(4096))
                except OSError:
                    break
        yield
    finally:
        filler.unlink()


async def test_a_full_disk_costs_no_word_and_is_told(small_disk, tmp_path):
    """Red with supervisord as it comes, which its log files end, or when signs of life decide."""
    with running_instance(small_disk / "state") as whole:
        pid = whole.pids()["gateway"]
        target = Target("udp", "127.0.0.1", whole.sip_port)
        blast = Blast(target, tmp_path / "acknowledged", rate=100, chats=20)
        running = asyncio.create_task(blast.run())
        try:
            async with LiveConsole(whole, log_in(whole, "calltaker")) as desk:
                await eventually(lambda: len(blast.acknowledged) > 100, "it works at first", 20)
                with filled(small_disk):
                    await silence(blast)
                    before = len(blast.acknowledged)
                    await desk.until(lambda frame: TOLD & alarms_of(frame), 20)
                    await eventually(lambda: options_status(whole.sip_port) == 503, "OPTIONS")
                    assert len(blast.acknowledged) == before
                await eventually(lambda: len(blast.acknowledged) > before, "200s again", HEALS)
                await desk.until(lambda _: not TOLD & alarms_of(last_alarms(desk)), HEALS)
        finally:
            blast.stop()
            await running
        await settled(whole.rows)
        assert len(blast.acknowledged) == len(blast.sent)
        assert lost(whole.rows, blast) == set()
        assert doubled(whole.rows, blast) == []
        assert whole.pids()["gateway"] == pid


def alarms_of(frame):
    return {alarm["code"] for alarm in frame.get("alarms", ()) if frame.get("ev") == "alarms"}


def last_alarms(desk):
    return next(frame for _, frame in reversed(desk.frames) if frame.get("ev") == "alarms")


async def silence(blast):
    """Wait until nothing was acknowledged while 100 more were sent."""
    sent, told = len(blast.sent), len(blast.acknowledged)
    async with asyncio.timeout(30):
        while len(blast.sent) < sent + 100:
            if len(blast.acknowledged) > told:
                sent, told = len(blast.sent), len(blast.acknowledged)
            now = len(blast.sent)
            await eventually(lambda: len(blast.sent) > now, "the load goes on")  # noqa: B023
