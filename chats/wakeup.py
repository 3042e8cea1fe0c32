"""Wake-ups over Redis: they make a reader look sooner, and nothing depends on them.

Redis may be dead or hung at any time, so `publish` only leaves a note for a thread of its own. What
Redis does not take stays pending, a note for each channel; readers poll PostgreSQL meanwhile.
"""

import asyncio
import logging
import os
import threading
import time
from collections.abc import Callable

import redis
import redis.asyncio
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

from chats.cancellation import is_cancelled

logger = logging.getLogger(__name__)

EVENTS = "leitstand:events"
OUTBOX = "leitstand:outbox"
ERRANDS = "leitstand:errands"
TRANSFERS = "leitstand:transfers"

# Nobody waits for the thread, and a busy machine is no dead Redis: a late note beats a poll.
_TIMEOUT = 1.0
_LONGEST_PAUSE = 1.0
_LISTEN_TIMEOUT = 5.0
_SHORTEST_RETRY = 0.2
_LONGEST_RETRY = 5.0


class Publisher:
    """Publishes the pending channels, each once, from one thread; callers never wait.

    A dead Redis is tried again after 0.2 s, doubling to 1 s, as long as something is pending.
    """

    def __init__(self, url: str) -> None:
        self.process = os.getpid()
        self._url = url
        self._pending: set[str] = set()
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="wake-ups", daemon=True)
        self._thread.start()

    def publish(self, channel: str) -> None:
        """Leave a note, once for however many before it is published."""
        with self._changed:
            self._pending.add(channel)
            self._changed.notify()

    def _run(self) -> None:
        client = redis.Redis.from_url(
            self._url,
            socket_timeout=_TIMEOUT,
            socket_connect_timeout=_TIMEOUT,
            retry=Retry(NoBackoff(), 0),
        )
        pause = _SHORTEST_RETRY
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._pending)
                channels, self._pending = self._pending, set()
            try:
                for channel in channels:
                    client.publish(channel, b"")
                pause = _SHORTEST_RETRY
            except (redis.RedisError, OSError) as error:
                if pause == _SHORTEST_RETRY:  # once for an outage
                    logger.warning("no wake-ups go out: %s", error)
                with self._changed:
                    self._pending |= channels  # that one came twice harms nobody
                time.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)


_publisher: Publisher | None = None
_start = threading.Lock()


def publish(channel: str) -> None:
    """Wake the readers of a channel, such as EVENTS; never raises and never waits."""
    global _publisher
    publisher = _publisher
    # A fork copies the object and not its thread (Celery's workers).
    if publisher is None or publisher.process != os.getpid():
        with _start:
            publisher = _publisher
            if publisher is None or publisher.process != os.getpid():
                publisher = _publisher = Publisher(settings.REDIS_URL)
    publisher.publish(channel)


async def listen(channel: str, wake: Callable[[], object]) -> None:
    """Call `wake` at each wake-up of a channel, for ever; run it as a task that nobody awaits.

    A dead Redis is tried again after 0.2 s, doubling to 5 s; a hung one just stays silent.
    """
    pause = _SHORTEST_RETRY
    while not is_cancelled():
        client = redis.asyncio.Redis.from_url(
            settings.REDIS_URL, socket_connect_timeout=1, health_check_interval=10
        )
        try:
            async with client, client.pubsub() as subscription:
                await subscription.subscribe(channel)
                while not is_cancelled():
                    note = await subscription.get_message(timeout=_LISTEN_TIMEOUT)
                    if note is not None:
                        pause = _SHORTEST_RETRY
                        wake()
        except (redis.RedisError, OSError) as error:
            logger.warning("no wake-ups from Redis: %s", error)
        await asyncio.sleep(pause)
        pause = min(2 * pause, _LONGEST_RETRY)
