"""One step of a measurement: SIPp at one rate against one side, and who used the processors."""

import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bench.children import TICKS, Child
from bench.ladder import Step
from bench.sipp import Sipp, percentile, read_response_times

SETTLING = 1.0


@dataclass(slots=True)
class Side:
    """One of the two that are compared; `lag` gives the seconds its processing is behind."""

    name: str
    sipp: Sipp
    seconds: int
    watched: Mapping[str, Child]
    lag: Callable[[], float] = lambda: 0.0
    _steps: int = field(default=0, init=False)

    def measure(self, rate: int) -> Step:
        """Send at `rate` a second for the time of a step; the step is shown on stderr."""
        self._steps += 1
        scenario = self.sipp.workload.scenario("in-chat", self._steps)
        begun, used, idle = time.monotonic(), self._processor_seconds(), _idle_seconds()
        totals = self.sipp.run(scenario, rate=rate, messages=rate * self.seconds, strict=True)
        lag = self.lag()
        took = time.monotonic() - begun
        cpu = {
            name: round((after - used[name]) / took, 2)
            for name, after in self._processor_seconds().items()
        }
        cores = os.cpu_count() or 1
        cpu["machineBusy"] = round(1 - (_idle_seconds() - idle) / took / cores, 2)
        times = read_response_times(self.sipp.response_times(scenario))
        step = Step(
            target=rate,
            rate=totals.rate,
            sent=totals.sent,
            failed=totals.failed,
            p50_ms=percentile(times, 0.5),
            p99_ms=percentile(times, 0.99),
            lag=lag,
            cpu=cpu,
        )
        report(
            f"{self.name}: {step.verdict()}, {step.rate:.0f}/s measured, "
            f"p50 {step.p50_ms:.0f} ms, p99 {step.p99_ms:.0f} ms, lag {lag:.2f} s, cpu {cpu}"
        )
        time.sleep(SETTLING)
        return step

    def _processor_seconds(self) -> dict[str, float]:
        return {name: child.cpu_seconds() for name, child in self.watched.items()}


def report(line: str) -> None:
    """Show on stderr how the measurement goes."""
    print(line, file=sys.stderr, flush=True)  # noqa: T201


def _idle_seconds() -> float:
    """Return the time that all processors together have been idle or waiting for the disk."""
    fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()
    return (int(fields[4]) + int(fields[5])) / TICKS
