"""The app of the interop tests: ng112-js on Node, installed once and driven by JSON lines.

async with NgApp(kamailio.endpoint, "anna") as app:
    await app.start("Meine Küche brennt!")
    await app.until(state("started"))
    await app.say("Ich bin im Bad")
    app.kill()                       # as a phone does that falls into the water
"""

import asyncio
import fcntl
import hashlib
import itertools
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from tests.support.kamailio import DOMAIN, PASSWORD

HERE = Path(__file__).parent.parent / "interop" / "ng112"
INSTALLED_BY = (".npmrc", "package.json", "package-lock.json")
PATIENCE = 15.0
LONGEST_LINE = 1 << 20
Event = dict[str, Any]


def install() -> Path:
    """Return the directory with the node_modules of the lock file, which `npm ci` fills once.

    It stands in the virtual environment, by the digest of what it was made from. Two runs side by
    side wait for each other; one that was interrupted left no stamp and is redone.
    """
    digest = hashlib.sha256(b"".join((HERE / name).read_bytes() for name in INSTALLED_BY))
    home = Path(sys.prefix) / "ng112" / digest.hexdigest()[:16]
    stamp = home / "installed"
    if stamp.exists():
        return home
    home.mkdir(parents=True, exist_ok=True)
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stamp.exists():
            for name in INSTALLED_BY:
                shutil.copyfile(HERE / name, home / name)
            done = subprocess.run(["npm", "ci"], cwd=home, capture_output=True, text=True)
            assert done.returncode == 0, f"npm ci failed\n{done.stdout}\n{done.stderr}"
            # What ng112-js requires is not in the package; what it means is.
            (home / "node_modules" / "pidf-lo" / "dist" / "node").symlink_to("main")
            stamp.touch()
    return home


class NgApp:
    """One app with one chat; every event it told stays in `events`."""

    def __init__(
        self,
        endpoint: str,
        user: str,
        password: str = PASSWORD,
        *,
        patience: float = PATIENCE,
        **config: Any,
    ) -> None:
        self.events: list[Event] = []
        self._patience = patience
        self._config = config | {
            "endpoint": endpoint,
            "domain": DOMAIN,
            "user": user,
            "password": password,
            "connection_recovery_min_interval": 1,
            "connection_recovery_max_interval": 1,
        }
        self._names = (f"n{number}" for number in itertools.count(1))
        self._arrived = asyncio.Event()
        self._complaints = b""

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            *("node", str(HERE / "app.mjs"), str(install()), json.dumps(self._config)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=LONGEST_LINE,
        )
        self._reading = asyncio.gather(self._read(), self._listen())
        try:
            await self.until(lambda event: event["ev"] == "ready", self._patience)
        except BaseException:
            await self._end()
            raise
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._end()

    async def start(
        self, text: str, *, to: str = f"sip:112@{DOMAIN}", heartbeat: int = 15_000, **given: Any
    ) -> str:
        """Send the first message; returns the chat's call identifier's unique part."""
        name = self.command("start", text=text, to=to, heartbeat=heartbeat, **given)
        created = await self.until(lambda event: event["ev"] == "created")
        await self.acknowledged(name)
        return str(created["call"])

    async def say(self, text: str, **given: Any) -> None:
        """Write to the call-taker and wait for the 200."""
        await self.acknowledged(self.command("say", text=text, **given))

    async def stop(self, text: str) -> None:
        """End the chat and wait for the 200."""
        await self.acknowledged(self.command("stop", text=text))

    async def beat(self) -> None:
        """Send a heartbeat and wait for the 200."""
        await self.acknowledged(self.command("beat"))

    def command(self, do: str, **content: Any) -> str:
        """Give a command without waiting; returns the name that its outcome will have."""
        name = next(self._names)
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": do, "name": name, **content}).encode() + b"\n")
        return name

    async def acknowledged(self, name: str) -> None:
        """Wait for the 200 to a message; any other outcome fails the test."""
        outcome = await self.until(
            lambda event: event["ev"] in ("sent", "failed") and event["name"] == name
        )
        assert outcome["ev"] == "sent", outcome

    async def hears(self, text: str, within: float = PATIENCE) -> Event:
        """Wait for a text of the PSAP."""
        return await self.until(lambda e: e["ev"] == "message" and e["text"] == text, within)

    async def becomes(self, state: str, within: float = PATIENCE) -> Event:
        """Wait until the conversation is in a state, now or later in what has been told."""
        return await self.until(lambda e: e["ev"] == "conversation" and e["state"] == state, within)

    async def until(self, wanted: Callable[[Event], bool], within: float = PATIENCE) -> Event:
        """Return the first event, past or to come, that is wanted; fails with all of them."""
        seen = 0
        try:
            async with asyncio.timeout(within):
                while True:
                    while seen < len(self.events):
                        if wanted(self.events[seen]):
                            return self.events[seen]
                        seen += 1
                    assert not self._reading.done(), f"the app ended\n{self._said()}"
                    self._arrived.clear()
                    await self._arrived.wait()
        except TimeoutError:
            raise AssertionError(f"not within {within} s\n{self._said()}") from None

    def messages(self) -> list[Event]:
        """Return what the PSAP sent, in order of arrival."""
        return [event for event in self.events if event["ev"] == "message"]

    def states(self) -> list[str]:
        """Return the states that the conversation went through."""
        return [event["state"] for event in self.events if event["ev"] == "conversation"]

    def kill(self) -> None:
        """End it at once, without a word to anybody."""
        self._process.kill()

    def _said(self) -> str:
        return "\n".join([*map(json.dumps, self.events), self._complaints.decode()])

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            self.events.append(json.loads(line))
            self._arrived.set()
        self._arrived.set()

    async def _listen(self) -> None:
        assert self._process.stderr is not None
        self._complaints += await self._process.stderr.read()

    async def _end(self) -> None:
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()
        await self._reading
