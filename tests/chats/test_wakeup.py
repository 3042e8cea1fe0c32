"""Wake-ups over a real Redis that hangs for a while."""

import logging
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from chats import wakeup
from psap.project.environment import Environment, read_environment
from psap.project.launch import redis_server
from psap.project.launch.supervision import with_the_launcher
from tests.support.instance import wait_until


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[Environment]:
    environment = read_environment({"PSAP_STATE_DIR": str(tmp_path)})
    environment.runtime_dir.mkdir()
    yield environment
    shutil.rmtree(environment.runtime_dir)


@pytest.fixture
def server(environment: Environment) -> Iterator[int]:
    """A Redis of the test's own; its pid."""
    command = redis_server.server_command(environment)
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, preexec_fn=with_the_launcher
    ) as process:
        yield process.pid
        process.kill()


@pytest.fixture
def notes(environment: Environment, server: int) -> Iterator[list[str]]:
    """What a listener has got of two channels."""
    client = redis.Redis.from_url(environment.redis_url)

    def answers() -> bool:
        try:
            return bool(client.ping())
        except redis.ConnectionError:
            return False

    wait_until(answers, 10, "Redis answers")
    got: list[str] = []
    with client.pubsub(ignore_subscribe_messages=True) as subscription:
        for channel in (wakeup.OUTBOX, wakeup.TRANSFERS):
            subscription.subscribe(**{channel: lambda note: got.append(note["channel"].decode())})
        client.ping()
        listening = subscription.run_in_thread(sleep_time=0.05, daemon=True)
        yield got
        listening.stop()
        listening.join()


def test_what_was_published_while_redis_hung_is_told_when_it_is_back(
    environment: Environment,
    server: int,
    notes: list[str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
):
    """Red when notes are dropped after a failure: who listens finds the work a second later."""
    monkeypatch.setattr(wakeup, "_TIMEOUT", 0.1)
    publisher = wakeup.Publisher(environment.redis_url)
    publisher.publish(wakeup.OUTBOX)
    wait_until(lambda: notes == [wakeup.OUTBOX], 10, "the listener is woken")
    with caplog.at_level(logging.WARNING, "chats.wakeup"):
        os.kill(server, signal.SIGSTOP)
        publisher.publish(wakeup.OUTBOX)
        wait_until(lambda: "no wake-ups go out" in caplog.text, 10, "a note has failed")
        publisher.publish(wakeup.TRANSFERS)
        os.kill(server, signal.SIGCONT)
    wait_until(lambda: {*notes[1:]} == {wakeup.OUTBOX, wakeup.TRANSFERS}, 10, f"both, not {notes}")
    assert len(caplog.records) == 1
