"""Listening for wake-ups over Redis: without it everything still happens, a second later."""

import asyncio
import logging
from collections.abc import Callable

import redis.asyncio as redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)

TIMEOUT = 2.0
RECONNECT_AFTER = 1.0


async def listen(url: str, channel: str, wake: Callable[[], None]) -> None:
    """Call `wake` for each message on the channel, for ever; Redis may come and go."""
    while True:
        client = redis.Redis.from_url(
            url, socket_connect_timeout=TIMEOUT, retry=Retry(NoBackoff(), 0)
        )
        try:
            async with client.pubsub() as subscription:
                async with asyncio.timeout(TIMEOUT):
                    await subscription.subscribe(channel)
                while True:
                    message = await subscription.get_message(
                        ignore_subscribe_messages=True, timeout=None
                    )
                    if message is not None:
                        wake()
        except (RedisError, OSError, TimeoutError) as error:
            logger.warning("no wake-ups from Redis: %s", error)
        finally:
            await client.aclose()
        await asyncio.sleep(RECONNECT_AFTER)
