"""The rates of a measurement: rising steps until one is not kept up with. No I/O."""

from collections.abc import Callable
from dataclasses import dataclass

GROWTH = 1.1
ROUNDED_TO = 50
LOWEST = 50
LAG_LIMIT = 1.0
# Below this share of the rate asked for, the generator is what was measured. The measured rate
# includes the wait for the last answers, so that a little less than 1 is no sign of that.
GENERATOR_SHARE = 0.9
# So many steps in a row that fall short of it end the climb.
PATIENCE_WITH_GENERATOR = 3


@dataclass(frozen=True, slots=True)
class Step:
    """One step: rates in messages a second, response times in ms, projector lag in s."""

    target: int
    rate: float
    sent: int
    failed: int
    p50_ms: float
    p99_ms: float
    lag: float = 0.0
    cpu: dict[str, float] | None = None

    @property
    def is_good(self) -> bool:
        """Whether every message was answered and the projector followed."""
        return self.failed == 0 and self.lag <= LAG_LIMIT

    @property
    def is_generator_bound(self) -> bool:
        """Whether the generator did not reach the rate although all it sent was answered."""
        return self.is_good and self.rate < GENERATOR_SHARE * self.target

    def verdict(self) -> str:
        """Say in a few words what the step showed."""
        if self.failed:
            return f"{self.failed} of {self.sent} unanswered at {self.target}/s"
        if self.lag > LAG_LIMIT:
            return f"projector {self.lag:.1f} s behind at {self.target}/s"
        if self.is_generator_bound:
            return f"sipp reached {self.rate:.0f}/s of {self.target}/s"
        return f"good at {self.target}/s"


@dataclass(frozen=True, slots=True)
class Climb:
    """All steps of one side and the last good one, None when there was none."""

    steps: list[Step]
    best: Step | None
    ended_by: str


def climb(measure: Callable[[int], Step], *, start: int, highest: int) -> Climb:
    """Raise the rate by a tenth a step until the first step that is not good.

    When already the first is not, the rate is halved until one is. The sustained rate is the
    measured rate of the last good step.
    """
    steps: list[Step] = []
    best: Step | None = None
    target = start
    while True:
        step = measure(target)
        steps.append(step)
        if step.is_good:
            best = step
            falling = len(steps) > 1 and not steps[-2].is_good
            stalled = [s.is_generator_bound for s in steps[-PATIENCE_WITH_GENERATOR:]]
            exhausted = len(stalled) == PATIENCE_WITH_GENERATOR and all(stalled)
            if falling or exhausted or target >= highest:
                break
            target = min(next_rate(target), highest)
        elif best is not None or target <= LOWEST:
            break
        else:
            target = max(LOWEST, target // 2)
    worst = next((step for step in reversed(steps) if not step.is_good), steps[-1])
    return Climb(steps, best, worst.verdict())


def next_rate(rate: int) -> int:
    """Return the rate of the next step, a tenth higher on round numbers."""
    return max(rate + ROUNDED_TO, round(rate * GROWTH / ROUNDED_TO) * ROUNDED_TO)
