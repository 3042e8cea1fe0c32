"""One chat that is handed over while its app writes all the time and things die around it.

async with handed_over(rooms) as scene:     # open at the transferor, owned by its call-taker
    scene.hand_over()                       # the call-taker gives the command
    …
    owner = await scene.healed()            # exactly one has it, and nothing is open
    await scene.goes_on(owner)              # both write, in both directions
scene.assert_all_is_well(owner)
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import psycopg
from websockets.exceptions import ConnectionClosed, WebSocketException

from sipgateway.simulator.agent import Timers
from sipgateway.simulator.app import SimulatedApp
from sipgateway.simulator.checks import Name
from tests.support.custody import CustodyWatch
from tests.support.eventually import eventually
from tests.support.live_console import Frame, LiveConsole
from tests.support.rooms import UNDER_WAY, Room, Rooms, is_serving, offer, open_chat

BEFORE, REPLY, AFTER, LAST = "Vor der Übergabe", "Wir sind da", "Nach der Übergabe", "Wir auch"
WRITES_EVERY = 0.15
INSISTENT = Timers(t1=1.0, t2=1.0)  # an app that repeats each second, for 64 s
LOOK_EVERY = 0.1  # by connections of their own to databases: they are not cheap
SETTLED_WITHIN = 120.0
WITHIN = 60.0


class Handing:
    """A chat, its app, and all that the app has written."""

    def __init__(self, rooms: Rooms, app: SimulatedApp, watch: CustodyWatch, desk: LiveConsole):
        self.rooms, self.app, self.watch, self.desk = rooms, app, watch, desk
        self.chat = ""
        self.wrote: list[tuple[str, str]] = []  # to whom, what
        self._writing: asyncio.Task[None] | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def begin(self) -> None:
        self.chat = await open_chat(self.app, self.desk, "Hilfe!")
        self.wrote.append((self.app.next_target, "Hilfe!"))
        await self.write(BEFORE)
        assert (await self.desk.command("send", chat=self.chat, text=REPLY))["ok"]
        await self.app.wait_for(lambda m: m.text == REPLY, WITHIN)
        a = self.rooms.transferor
        await eventually(
            lambda: not waiting(a, self.app.call_id), "all is delivered", WITHIN, every=LOOK_EVERY
        )

    async def write(self, text: str) -> None:
        to = self.app.next_target
        assert (await self.app.say(text)).status == 200
        self.wrote.append((to, text))

    def write_on(self) -> None:
        """Have the app's user write all the time, waiting for no 265."""
        self.app.patient = False

        async def write() -> None:
            number = 0
            while True:
                number += 1
                await self.write(f"Unterwegs {number}")
                await asyncio.sleep(WRITES_EVERY)

        self._writing = asyncio.create_task(write())

    async def stop_writing(self) -> None:
        """Let what is on its way be answered."""
        if self._writing is None:
            return
        writing, self._writing = self._writing, None
        async with self._between():
            writing.cancel()
        with suppress(asyncio.CancelledError):
            await writing

    @asynccontextmanager
    async def _between(self) -> AsyncIterator[None]:
        """Wait for an instant at which the app has no message without an answer."""
        async with asyncio.timeout(WITHIN), self.app._turn:
            yield

    def hand_over(
        self, *, accepting: bool = False, at_once: bool = True, peer: str | None = None
    ) -> None:
        """Give the command, whatever becomes of the console; `accepting` at the other side too."""
        a, b = self.rooms.transferor, self.rooms.transferee
        content = {
            "chat": self.chat,
            "peer": peer or a.peer_id(b),
            "reason": "Nicht zuständig",
            "text": "Wir übergeben Sie.",
            "override": False,
            "atOnce": at_once,
        }

        async def give() -> None:
            said = await insist_not(self.desk, "transfer", **content)
            assert said is None or said["ok"], said

        self._tasks.append(asyncio.create_task(give()))
        if accepting:
            self._tasks.append(asyncio.create_task(accept_whatever(b, self.app.call_id)))

    async def pass_on(self, here: Room, there: Room) -> None:
        """Have a call-taker of whichever room has the chat give it to the other one, for good."""
        call_id = self.app.call_id

        async def give(desk: LiveConsole) -> bool:
            chat = str(here.chat_id(call_id))
            await desk.command("claim", chat=chat)
            await offer(desk, chat, here, there)
            return True

        await at_desk(here, give)
        await eventually(
            lambda: (here.session(call_id), there.session(call_id)) == ("transferred", "open"),
            f"it is with {there.name}",
            WITHIN,
            every=LOOK_EVERY,
        )

    async def healed(self, within: float = SETTLED_WITHIN) -> str:
        """Wait until nothing is open and one has it; returns its name."""

        def one() -> bool:
            call_id = self.app.call_id
            if not self.rooms.transferor.transfers(call_id):  # the command is still on its way
                return False
            if any(is_moving(room, call_id) for room in self.rooms):
                return False
            return len(self.rooms.custody(call_id)) == 1

        await eventually(lambda: quietly(one), "one has it", within, every=LOOK_EVERY)
        (owner,) = self.rooms.custody(self.app.call_id)
        return owner

    async def goes_on(self, owner: str) -> None:
        """The user writes to whoever has the chat, and a call-taker there answers."""
        await self.stop_writing()
        room = next(room for room in self.rooms if room.name == owner)
        self.app.patient = True
        await self.write(AFTER)
        assert self.app.next_target == room.uri
        async with asyncio.timeout(WITHIN):
            await reply(room, self.app.call_id, LAST)
        await self.app.wait_for(lambda m: m.text == LAST, WITHIN)
        written = {text for _, text in self.wrote}
        await eventually(
            lambda: written <= set(quietly(room.texts, self.app.call_id) or ()),
            "the owner's record has all",
            WITHIN,
            every=LOOK_EVERY,
        )

    def assert_all_is_well(self, owner: str) -> None:
        """Nobody was ever without the chat, and its owner has every text once, in order."""
        assert self.watch.looks > 0
        assert self.watch.gaps == [], self.watch.gaps
        failures = [one for one in self.app.failures if one.name is not Name.HEARTBEAT_LATE]
        assert failures == [], failures  # a gateway that is down beats not; a busy machine is slow
        room = next(room for room in self.rooms if room.name == owner)
        texts = room.texts(self.app.call_id)
        assert len(texts) == len(set(texts)), "each once"
        for to in {to for to, _ in self.wrote}:
            same_way = [text for where, text in self.wrote if where == to]
            assert [text for text in texts if text in same_way] == same_way
        assert {text for _, text in self.wrote} | {REPLY, LAST} <= set(texts)

    async def end(self) -> None:
        for task in [*self._tasks, *([self._writing] if self._writing else [])]:
            task.cancel()
        for result in await asyncio.gather(*self._tasks, return_exceptions=True):
            if isinstance(result, Exception):
                raise result


@asynccontextmanager
async def handed_over(rooms: Rooms, transport: str = "udp") -> AsyncIterator[Handing]:
    """Have a chat open at the transferor once all serve; watch its custody until the end."""
    app = rooms.app(transport, timers=INSISTENT)
    for room in rooms:
        await eventually(lambda r=room: is_serving(rooms, r), f"{room.name} serves", WITHIN)
    async with app, at_work(rooms.transferor) as desk:
        watch = CustodyWatch(rooms, app.call_id)
        scene = Handing(rooms, app, watch, desk)
        await scene.begin()
        watch.begin()
        try:
            yield scene
            watch.end()
            await app.stop()
        finally:
            watch.end()
            await scene.end()


def is_moving(room: Room, call_id: str) -> bool:
    """Whether custody may still change: more than an offer that nobody follows up is open."""
    return bool(
        room.instance.rows(
            "SELECT 1 FROM chats_transfer WHERE call_id = %s AND (call_due_at IS NOT NULL OR"
            " state = ANY(%s) AND (side = 'out' OR state <> ALL('{offered,accepted}')))",
            call_id,
            list(UNDER_WAY),
        )
    )


def waiting(room: Room, call_id: str) -> bool:
    """Whether something of a room's is on its way to an app."""
    return bool(
        room.instance.rows(
            "SELECT 1 FROM chats_message m JOIN chats_chat c ON c.id = m.chat_id WHERE"
            " c.call_id = %s AND m.direction = 'out' AND m.status IN ('queued', 'sending')",
            call_id,
        )
    )


async def insist_not(desk: LiveConsole, do: str, **content: object) -> Frame | None:
    """Give a command and return its reply, None where the connection ends first."""
    asking = asyncio.create_task(desk.command(do, **content))
    closed = asyncio.create_task(desk.closed.wait())
    try:
        await asyncio.wait({asking, closed}, return_when=asyncio.FIRST_COMPLETED)
        if not asking.done():
            return None
        with suppress(ConnectionClosed, TimeoutError):
            return await asking
        return None
    finally:
        asking.cancel()
        closed.cancel()


@asynccontextmanager
async def at_work(room: Room, within: float = WITHIN) -> AsyncIterator[LiveConsole]:
    """Sit down at a desk of a room as soon as its web process serves."""
    async with asyncio.timeout(within) as patience, AsyncExitStack() as stack:
        while True:
            with suppress(OSError, TimeoutError, WebSocketException, AssertionError):
                desk = await stack.enter_async_context(room.desk())
                break
            await asyncio.sleep(0.1)
        patience.reschedule(None)
        yield desk


async def at_desk(room: Room, do) -> None:
    """Do something at a desk, at another connection when the web process is gone."""
    while True:
        async with at_work(room) as desk:
            if await do(desk):
                return
        await asyncio.sleep(0.1)


async def accept_whatever(room: Room, call_id: str) -> None:
    """Accept all offers of a chat, until cancelled."""
    done: set[str] = set()

    async def look(desk: LiveConsole) -> bool:
        seen = 0
        while not desk.closed.is_set():
            for _, frame in desk.frames[seen:]:
                seen += 1
                for one in frame.get("offers", ()):
                    if one["callId"] != call_id or one["state"] != "offered" or one["id"] in done:
                        continue
                    if await insist_not(desk, "accept-offer", offer=one["id"]):
                        done.add(one["id"])
            await asyncio.sleep(0.02)
        return False

    await at_desk(room, look)


async def reply(room: Room, call_id: str, text: str) -> None:
    """Write to the app of a chat, which is claimed where somebody has to."""

    async def write(desk: LiveConsole) -> bool:
        chat = str(room.chat_id(call_id))
        said = await insist_not(desk, "send", chat=chat, text=text)
        if said and said["ok"]:
            return True
        await insist_not(desk, "claim", chat=chat)
        return False

    await at_desk(room, write)


def quietly(look, *arguments):
    """Return what `look` returns, None while a database or a supervisor is away."""
    try:
        return look(*arguments)
    except (psycopg.Error, OSError):
        return None
