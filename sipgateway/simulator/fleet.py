"""Many callers in one process, started at a steady rate."""

import asyncio
import itertools
import resource
from collections.abc import Callable
from dataclasses import dataclass, field

from sipgateway.simulator import lmpe
from sipgateway.simulator.agent import AgentCounters, Timers
from sipgateway.simulator.app import SimulatedApp
from sipgateway.simulator.checks import Failure, Name
from sipgateway.simulator.pace import Plan
from sipgateway.simulator.persona import make_persona
from sipgateway.simulator.received import AppCounters
from sipgateway.simulator.scripts import play
from sipgateway.simulator.special_scripts import (
    DIALLED,
    OPENINGS,
    REFUSED,
    REPORTED,
    TESTED,
)
from sipgateway.simulator.transport import Target

FILES_BESIDE_SOCKETS = 64
WITHOUT_GREETING = (TESTED, REFUSED, REPORTED)


@dataclass(frozen=True, slots=True)
class CallerResult:
    """How it went for one caller; `served` means greeted and nothing wrong.

    A test or a machine's report has no greeting. Who was interrupted before it is neither served
    nor failed.
    """

    number: int
    call_id: str
    uri: str
    language: str
    ended_by: str
    failures: tuple[Failure, ...]
    chat: AppCounters
    wire: AgentCounters

    @property
    def served(self) -> bool:
        if self.failures:
            return False
        return self.chat.greeting_latency is not None or self.ended_by in WITHOUT_GREETING


@dataclass(slots=True)
class Fleet:
    """A run of `callers` callers, `rate` new ones a second; `results` fills while it runs.

    `direct` callers have no proxy (`SimulatedApp`).
    """

    target: Target
    plan: Plan
    callers: int
    rate: float
    seed: int
    direct: bool = False
    timers: Timers = field(default_factory=Timers)
    started: int = 0
    results: list[CallerResult] = field(default_factory=list)

    async def run(self, progressed: Callable[[], None] = lambda: None) -> None:
        """Play all callers to their ends; cancelled, note what is known and return quickly."""
        loop = asyncio.get_running_loop()
        begin = loop.time()
        running: set[asyncio.Task[None]] = set()
        try:
            for number in itertools.count():
                if number == self.callers:
                    break
                await asyncio.sleep(max(0.0, begin + number / self.rate - loop.time()))
                self.started += 1
                task = asyncio.create_task(self._call(number, progressed))
                running.add(task)
                task.add_done_callback(running.discard)
                progressed()
            await asyncio.gather(*running)
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    async def _call(self, number: int, progressed: Callable[[], None]) -> None:
        app = SimulatedApp(
            self.target,
            make_persona(self.seed, number),
            timers=self.timers,
            dialled=DIALLED.get(self.plan.script, ""),
            opening=OPENINGS.get(self.plan.script, lmpe.START),
            direct=self.direct,
        )
        ended_by = "interrupted"
        try:
            async with app:
                ended_by = await play(app, self.plan)
        except OSError as error:
            ended_by = "nobody"
            app.failures.append(Failure(Name.CONNECTION_REFUSED, str(error)))
        except Exception as error:  # noqa: BLE001 - one caller's accident is not the others' end
            ended_by = "nobody"
            app.failures.append(Failure(Name.SIMULATOR_ERROR, repr(error)))
        finally:
            self.results.append(_result(number, app, ended_by))
            progressed()


def _result(number: int, app: SimulatedApp, ended_by: str) -> CallerResult:
    failures = list(app.failures)
    if app.agent.counters.malformed:
        detail = f"{app.agent.counters.malformed} times what is no SIP message"
        failures.append(Failure(Name.MESSAGE_MALFORMED, detail))
    return CallerResult(
        number=number,
        call_id=app.call_id,
        uri=app.persona.uri,
        language=app.persona.language,
        ended_by=ended_by,
        failures=tuple(failures),
        chat=app.counters,
        wire=app.agent.counters,
    )


def allow_sockets(wanted: int) -> None:
    """Raise the soft limit of open files for that many sockets; raises ValueError."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + FILES_BESIDE_SOCKETS
    if hard != resource.RLIM_INFINITY and needed > hard:
        raise ValueError(f"{wanted} callers need {needed} open files, the limit is {hard}")
    if soft != resource.RLIM_INFINITY and needed > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
