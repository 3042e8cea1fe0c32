"""The web process's sign of life, by which others know that consoles could answer a ping."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from django.db import Error as DatabaseFailure
from django.utils import timezone

from chats.cancellation import is_cancelled
from chats.database_threads import database_threads
from chats.hub import current_hub
from psap import processes

logger = logging.getLogger(__name__)

BEAT_EVERY = 1.0

Scope = dict[str, Any]
Application = Callable[[Scope, Callable[..., Any], Callable[..., Any]], Awaitable[None]]


class BeatingApplication:
    """An ASGI application that beats as `web` from its first request (Daphne has no lifespan)."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._beating: asyncio.Task[None] | None = None

    async def __call__(
        self, scope: Scope, receive: Callable[..., Any], send: Callable[..., Any]
    ) -> None:
        if self._beating is None or self._beating.done():
            self._beating = asyncio.create_task(_beat_for_ever())
        await self._application(scope, receive, send)


async def _beat_for_ever() -> None:
    while not is_cancelled():
        try:
            figures = {"leitstand_consoles": current_hub().consoles}
            await database_threads.run(processes.beat, "web", timezone.now(), figures=figures)
        except (DatabaseFailure, TimeoutError) as error:
            logger.warning("no sign of life of the web process: %s", error)
        await asyncio.sleep(BEAT_EVERY)
