"""How long scripts take, and how a caller ends a chat."""

import asyncio
from dataclasses import dataclass

from sipgateway.simulator.app import SimulatedApp

# Whoever ends a chat stays reachable for what the PSAP has just sent.
LINGER = 0.5


@dataclass(frozen=True, slots=True)
class Plan:
    """How a script runs, in seconds: an unanswered chat ends after `duration`.

    A call-taker's text keeps it going for another `duration`. `patience` is how long an app waits
    for the first 257, `patience_with_transfers` for a 265 after a 266.
    """

    script: str = "chat"
    duration: float = 20.0
    heartbeat: float = 15.0
    patience: float = 10.0
    patience_with_transfers: float = 60.0


async def end_of(app: SimulatedApp, goodbye: str | None) -> str:
    """Stop the chat unless the PSAP has; returns who ended it."""
    app.check_silence()
    if not app.ended_by_psap:
        await app.stop(goodbye)
    await asyncio.sleep(LINGER)
    return "psap" if app.ended_by_psap else "caller"


def now() -> float:
    """The event loop's time."""
    return asyncio.get_running_loop().time()
