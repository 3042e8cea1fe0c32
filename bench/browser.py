"""Chromium over its own debugging protocol, asked for no more than a measurement needs.

Tools for tests follow the network of each page and are sent a copy of every WebSocket frame, which
costs as much as many desks, and no desk has it.
"""

import asyncio
import contextlib
import itertools
import json
import os
import shutil
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from bench.children import running
from bench.errors import BenchError

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--no-first-run",
    "--mute-audio",
    "--disable-gpu",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--disable-component-update",
    "--disable-background-networking",
    # Every page works as if it were in front.
    "--disable-background-timer-throttling",
    "--disable-renderer-backgrounding",
    "--disable-backgrounding-occluded-windows",
)
WINDOW: dict[str, Any] = {"width": 1280, "height": 800}
PATIENCE = 60.0
POLL = 0.05


class Page:
    """One page in a context, that is with cookies, of its own."""

    def __init__(self, browser: "Chromium", session: str) -> None:
        self._browser = browser
        self._session = session

    async def do(self, method: str, **parameters: Any) -> Any:
        """Give a command of the protocol to this page."""
        return await self._browser.do(method, session=self._session, **parameters)

    async def evaluate(self, expression: str) -> Any:
        """Return the value of an expression in the page; raises BenchError when it throws."""
        answer = await self.do("Runtime.evaluate", expression=expression, returnByValue=True)
        if "exceptionDetails" in answer:
            raise BenchError(f"{expression!r} failed in the page: {answer['result']}")
        return answer["result"].get("value")

    async def until(self, expression: str) -> Any:
        """Wait until an expression is true, also in the page that comes next; return it."""
        deadline = time.monotonic() + PATIENCE
        while True:
            with contextlib.suppress(BenchError):
                if value := await self.evaluate(expression):
                    return value
            if time.monotonic() > deadline:
                raise BenchError(f"a page waited in vain for {expression!r}")
            await asyncio.sleep(POLL)

    async def click(self, selector: str) -> None:
        """Press the mouse on the element once it is there and nothing covers it."""
        place = await self.until(
            f"""(() => {{
              const element = document.querySelector({json.dumps(selector)});
              element.scrollIntoView({{ block: "nearest" }});
              const box = element.getBoundingClientRect();
              const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
              return element.contains(document.elementFromPoint(x, y)) && [x, y];
            }})()"""
        )
        for kind in ("mousePressed", "mouseReleased"):
            await self.do(
                "Input.dispatchMouseEvent",
                type=kind,
                x=place[0],
                y=place[1],
                button="left",
                clickCount=1,
            )


class Chromium:
    """A running browser."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._ids = itertools.count(1)
        self._answers: dict[int, asyncio.Future[Any]] = {}

    async def open(self, url: str, script: str) -> Page:
        """Open a page in a context of its own; the script runs before those of each document."""
        context = await self.do("Target.createBrowserContext")
        target = await self.do("Target.createTarget", url="about:blank", **WINDOW, **context)
        attached = await self.do("Target.attachToTarget", flatten=True, **target)
        page = Page(self, attached["sessionId"])
        await page.do("Emulation.setFocusEmulationEnabled", enabled=True)
        await page.do("Page.enable")
        await page.do("Page.addScriptToEvaluateOnNewDocument", source=script)
        await page.do("Page.navigate", url=url)
        return page

    async def do(self, method: str, *, session: str | None = None, **parameters: Any) -> Any:
        """Give a command of the protocol and return its answer; raises BenchError."""
        number = next(self._ids)
        command = {"id": number, "method": method, "params": parameters}
        if session:
            command["sessionId"] = session
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        await self._socket.send(json.dumps(command))
        async with asyncio.timeout(PATIENCE):
            return await answer

    async def listen(self) -> None:
        """Bring answers to whoever waits for them, until the browser ends."""
        async for text in self._socket:
            message = json.loads(text)
            answer = self._answers.pop(message.get("id"), None)
            if answer is None or answer.done():
                continue
            if "error" in message:
                answer.set_exception(BenchError(f"Chromium: {message['error']['message']}"))
            else:
                answer.set_result(message["result"])


@contextlib.asynccontextmanager
async def chromium(parent: Path) -> AsyncIterator[Chromium]:
    """Run the browser of the Debian package with a new profile below a directory."""
    profile = Path(tempfile.mkdtemp(prefix="browser-", dir=parent))
    command = [shutil.which("chromium") or "chromium", *FLAGS]
    command += [f"--user-data-dir={profile}", "--remote-debugging-port=0", "about:blank"]
    port_file = profile / "DevToolsActivePort"
    try:
        with running("chromium", command, profile / "chromium.log", os.environ) as child:
            child.wait_until(lambda: port_file.exists() and "\n" in port_file.read_text(), PATIENCE)
            port, path = port_file.read_text().split()
            address = f"ws://127.0.0.1:{port}{path}"
            async with connect(address, max_size=None, compression=None) as socket:
                browser = Chromium(socket)
                listening = asyncio.create_task(browser.listen())
                yield browser
                listening.cancel()
    finally:
        shutil.rmtree(profile, ignore_errors=True)
