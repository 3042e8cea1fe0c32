"""A console without a browser: logs in and speaks the WebSocket protocol to the application."""

import itertools
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from channels.testing import WebsocketCommunicator
from django.conf import settings
from django.contrib.auth import login
from django.contrib.sessions.backends.db import SessionStore
from django.http import HttpRequest

from psap.models import User
from psap.project.asgi import application

PATIENCE = 5.0
Frame = dict[str, Any]


def log_in(user: User) -> str:
    """Return the key of a new session of a user."""
    request = HttpRequest()
    request.session = SessionStore()
    login(request, user, backend="django.contrib.auth.backends.ModelBackend")
    request.session.save()
    return str(request.session.session_key)


class Console:
    """One connected socket; every frame that was read stays in `frames`."""

    def __init__(
        self, session_key: str | None, origin: str = "http://localhost", query: str = ""
    ) -> None:
        cookie = f"{settings.SESSION_COOKIE_NAME}={session_key}" if session_key else ""
        headers = [(b"cookie", cookie.encode()), (b"origin", origin.encode())]
        self._socket = WebsocketCommunicator(application, f"/ws/console/{query}", headers=headers)
        self._ids = itertools.count(1)
        self.frames: list[Frame] = []

    async def connect(self) -> bool:
        accepted, _ = await self._socket.connect(timeout=PATIENCE)
        return accepted

    async def disconnect(self) -> None:
        await self._socket.disconnect(timeout=PATIENCE)

    async def say(self, **frame: Any) -> str:
        """Send a command, with an id unless it has one; returns the id."""
        frame.setdefault("id", f"c{next(self._ids)}")
        await self._socket.send_to(text_data=json.dumps(frame))
        return str(frame["id"])

    async def say_text(self, text: str) -> None:
        await self._socket.send_to(text_data=text)

    async def read(self) -> Frame:
        """Return the next frame; a close becomes {"closed": code}."""
        output = await self._socket.receive_output(timeout=PATIENCE)
        closed = output["type"] == "websocket.close"
        frame = {"closed": output["code"]} if closed else json.loads(output["text"])
        self.frames.append(frame)
        return frame

    async def until(self, condition: Callable[[Frame], bool]) -> Frame:
        """Read until a frame is the wanted one, and return it."""
        while not condition(frame := await self.read()):
            pass
        return frame

    async def event(self, kind: str) -> Frame:
        return await self.until(lambda frame: frame.get("ev") == kind)

    async def command(self, do: str, **content: Any) -> Frame:
        """Give a command and return its reply."""
        command_id = await self.say(do=do, **content)
        return await self.until(lambda frame: frame.get("re") == command_id)


@asynccontextmanager
async def console(session_key: str | None, query: str = "") -> AsyncIterator[Console]:
    """Connect a console; its snapshot is still to be read."""
    opened = Console(session_key, query=query)
    assert await opened.connect()
    try:
        yield opened
    finally:
        await opened.disconnect()
