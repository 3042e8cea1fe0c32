"""A console without a browser against a running instance: logs in over HTTP, then a WebSocket."""

import asyncio
import http.cookiejar
import itertools
import json
import time
import urllib.parse
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Self

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.support.instance import Instance

Frame = dict[str, Any]
PATIENCE = 20.0


def log_in(instance: Instance, username: str) -> str:
    """Log in through the form; returns the session's cookie as a header's value."""
    jar = http.cookiejar.CookieJar()
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
    opener.open(f"{instance.url}login/", timeout=PATIENCE).read()
    token = next(cookie.value for cookie in jar if cookie.name == "csrftoken")
    form = {
        "username": username,
        "password": instance.credentials[username],
        "csrfmiddlewaretoken": token,
    }
    data = urllib.parse.urlencode(form).encode()
    request = urllib.request.Request(  # noqa: S310
        f"{instance.url}login/", data, {"Referer": instance.url}
    )
    opener.open(request, timeout=PATIENCE).read()
    cookies = {cookie.name: cookie.value for cookie in jar}
    assert "sessionid" in cookies, f"{username} could not log in"
    return "; ".join(f"{name}={value}" for name, value in cookies.items())


class LiveConsole:
    """One console; every frame is kept with the monotonic time at which it came.

    Use as an async context manager; pings are answered, as a browser does.
    """

    def __init__(self, instance: Instance, cookie: str) -> None:
        self.frames: list[tuple[float, Frame]] = []
        self.closed = asyncio.Event()
        self._instance = instance
        self._cookie = cookie
        self._ids = itertools.count(1)
        self._arrived = asyncio.Event()
        self._socket: ClientConnection
        self._reading: asyncio.Task[None]

    async def __aenter__(self) -> Self:
        address = f"127.0.0.1:{self._instance.http_port}"
        self._socket = await connect(
            f"ws://{address}/ws/console/",
            additional_headers={"Cookie": self._cookie},
            origin=f"http://{address}",
            ping_interval=None,
        )
        self._reading = asyncio.create_task(self._read())
        await self.until(lambda frame: frame.get("ev") == "snapshot")
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._socket.close()
        await self._reading

    def lose(self) -> None:
        """Lose the network: the socket is gone without a word."""
        self._socket.transport.abort()

    async def until(self, wanted: Callable[[Frame], bool], within: float = PATIENCE) -> Frame:
        """Return the first frame, past or to come, that is wanted; raises TimeoutError."""
        async with asyncio.timeout(within):
            seen = 0
            while True:
                while seen < len(self.frames):
                    if wanted(self.frames[seen][1]):
                        return self.frames[seen][1]
                    seen += 1
                self._arrived.clear()
                await self._arrived.wait()

    async def command(self, do: str, **content: Any) -> Frame:
        """Give a command and return its reply."""
        command_id = f"{id(self)}-{next(self._ids)}"
        await self._socket.send(json.dumps({"id": command_id, "do": do, **content}))
        return await self.until(lambda frame: frame.get("re") == command_id)

    async def shows(self, text: str, within: float = PATIENCE) -> Frame:
        """Wait until a caller's text has come; returns its event."""
        return await self.until(lambda frame: text_of(frame) == text, within)

    async def next_ping(self) -> None:
        """Wait for the server's next ping; one comes every four seconds."""
        seen = len(self.frames)
        async with asyncio.timeout(PATIENCE):
            while not any(frame.get("ev") == "ping" for _, frame in self.frames[seen:]):
                self._arrived.clear()
                await self._arrived.wait()

    def arrival_of(self, text: str) -> float:
        """Return when a text came."""
        return next(at for at, frame in self.frames if text_of(frame) == text)

    def texts(self, chat: int) -> list[str]:
        """Return the caller's texts of a chat in the order in which they came."""
        shown = [f for _, f in self.frames if f.get("chat") == str(chat)]
        return [text for frame in shown if (text := text_of(frame)) is not None]

    def seqs(self, chat: int) -> list[int]:
        """Return the sequence numbers of a chat's events in the order in which they came."""
        return [f["seq"] for _, f in self.frames if f.get("chat") == str(chat) and "card" in f]

    async def _read(self) -> None:
        with suppress(ConnectionClosed):
            async for data in self._socket:
                frame = json.loads(data)
                self.frames.append((time.monotonic(), frame))
                self._arrived.set()
                if frame.get("ev") == "ping":
                    await self._socket.send('{"do": "pong"}')
        self.closed.set()


def text_of(frame: Frame) -> str | None:
    """Return the caller's text that an event brings, None for any other frame."""
    return frame["message"]["text"] if frame.get("ev") == "message-received" else None
