"""What a simulated caller does: chat, mover, silent, vanish, and the special ones."""

import asyncio
from collections.abc import Awaitable, Callable

from sipgateway.simulator import lmpe
from sipgateway.simulator.agent import NoFinalResponse
from sipgateway.simulator.app import SimulatedApp
from sipgateway.simulator.checks import Failure, Name
from sipgateway.simulator.pace import Plan, end_of, now
from sipgateway.simulator.received import Received
from sipgateway.simulator.special_scripts import SPECIAL, WHOLE

LONGEST_REPLY_DELAY = 2.0


async def play(app: SimulatedApp, plan: Plan) -> str:
    """Play the plan's script to its end and return who ended it.

    That is caller, psap, vanished, or nobody when the PSAP did not serve the call; tests and
    machines end in ways of their own (`special_scripts`).
    """
    try:
        if whole := WHOLE.get(plan.script):
            return await whole(app, plan)
        await app.start()
        async with asyncio.timeout(plan.patience):
            await app.greeted.wait()
    except NoFinalResponse:
        return "nobody"
    except TimeoutError:
        app.failures.append(Failure(Name.GREETING_MISSING, f"none in {plan.patience:g} s"))
        return "nobody"
    heartbeats = asyncio.create_task(_beat(app, plan))
    try:
        return await SCRIPTS[plan.script](app, plan)
    except NoFinalResponse:
        return "nobody"
    finally:
        heartbeats.cancel()
        await asyncio.wait({heartbeats})


async def _beat(app: SimulatedApp, plan: Plan) -> None:
    """Keep alive (clause 6.2.5) until cancelled; a lost heartbeat is noted by the app itself."""
    while True:
        await asyncio.sleep(plan.heartbeat)
        if app.ended_by_psap or app.vanished:
            return
        if plan.script == "mover":
            app.walk()
        try:
            await app.heartbeat()
        except NoFinalResponse:
            continue


async def _chat(app: SimulatedApp, plan: Plan) -> str:
    return await _Talk(app, plan, list(app.persona.texts[1:])).run()


async def _silent(app: SimulatedApp, plan: Plan) -> str:
    """Send heartbeats alone, and a stop without a text at the end."""
    end = now() + plan.duration
    inbox = _Inbox(app)
    while not app.ended_by_psap and await inbox.next_until(end):
        pass
    return await end_of(app, "")


async def _vanish(app: SimulatedApp, plan: Plan) -> str:
    """Write two texts, then be gone; the socket stays open, as a lost phone's connection does."""
    end = now() + plan.duration
    for text in app.persona.texts[1:3]:
        await app.say(text)
        await asyncio.sleep(plan.duration / 6)
    app.vanish()
    await asyncio.sleep(max(0.0, end - now()))
    return "vanished"


class _Inbox:
    """Hands out what the app receives, each message once; not its heartbeats."""

    def __init__(self, app: SimulatedApp) -> None:
        self._app = app
        self._taken = len(app.received)

    async def next_until(self, deadline: float) -> Received | None:
        """Return the next message, None when the deadline (event loop time) comes first."""
        remaining = max(0.0, deadline - now())
        try:
            message = await self._app.wait_for(_is_no_heartbeat, remaining, after=self._taken)
        except TimeoutError:
            return None
        self._taken = self._app.received.index(message, self._taken) + 1
        return message


def _is_no_heartbeat(message: Received) -> bool:
    return message.msg_type not in lmpe.HEARTBEATS


class _Talk:
    """A caller who tells what happened and answers a call-taker's texts."""

    def __init__(self, app: SimulatedApp, plan: Plan, lines: list[str]) -> None:
        self._app = app
        self._plan = plan
        self._lines = lines
        self._pause = plan.duration / (len(lines) + 2)
        self._replies = 0

    async def run(self) -> str:
        inbox = _Inbox(self._app)
        end = now() + self._plan.duration
        due = now() + self._pause
        while not self._app.ended_by_psap:
            message = await inbox.next_until(due if self._lines else end)
            if message and message.msg_type == lmpe.IN_CHAT:
                await self._reply()
                end = now() + self._plan.duration
            elif message is None and self._lines:
                await self._say(self._lines.pop(0))
                due = now() + self._pause
            elif message is None:
                break
        return await end_of(self._app, None)

    async def _reply(self) -> None:
        await asyncio.sleep(min(LONGEST_REPLY_DELAY, self._plan.duration / 10))
        if not self._app.ended_by_psap:
            await self._say(self._app.persona.reply(self._replies))
            self._replies += 1

    async def _say(self, text: str) -> None:
        if self._plan.script == "mover":
            self._app.walk()
        await self._app.say(text)


SCRIPTS: dict[str, Callable[[SimulatedApp, Plan], Awaitable[str]]] = {
    "chat": _chat,
    "mover": _chat,
    "silent": _silent,
    "vanish": _vanish,
    **SPECIAL,
    **WHOLE,
}
