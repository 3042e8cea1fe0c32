"""What the gateway counts: plain integers where it is busy, gauges when somebody looks.

Names and meanings are declared in `psap.figures`.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable
from typing import Any

from psap.figures import SECONDS_BOUNDS
from sipgateway.protocol.lmpe import MessageType

MOST_REASONS = 50
OTHER = "other"
TYPE_NAMES = {int(kind): kind.name.lower().replace("_", "-") for kind in MessageType}


class Histogram:
    """Counts seconds by bounds."""

    def __init__(self) -> None:
        self.counts = [0] * (len(SECONDS_BOUNDS) + 1)
        self.sum = 0.0

    def observe(self, seconds: float) -> None:
        """Count one."""
        self.counts[bisect_left(SECONDS_BOUNDS, seconds)] += 1
        self.sum += seconds

    def snapshot(self) -> dict[str, Any]:
        """Return the counts, each for itself."""
        return {"counts": list(self.counts), "sum": round(self.sum, 6)}


class GatewayFigures:
    """Counters of one gateway since its start; `gauges` are asked by name at each snapshot."""

    def __init__(self) -> None:
        self.received: dict[tuple[int, str, str], int] = {}
        self.answers: Counter[int] = Counter()
        self.deliveries: Counter[str] = Counter()
        self.refusals: Counter[str] = Counter()
        self.retransmissions = 0
        self.absorbed = 0
        self.journaled = 0
        self.arrivals = 0
        self.commit = Histogram()
        self.answer = Histogram()
        self.gauges: dict[str, Callable[[], Any]] = {}

    def count_received(self, msg_type: int, trunk: str, transport: str) -> None:
        """Count a MESSAGE that is no retransmission."""
        self.arrivals += 1
        key = (msg_type, trunk, transport)
        self.received[key] = self.received.get(key, 0) + 1

    def snapshot(self) -> dict[str, Any]:
        """Return all figures by metric name, as `ServiceProcess.figures` keeps them."""
        return {
            "leitstand_messages_received_total": self._received_by_name(),
            "leitstand_answers_total": [[str(s), n] for s, n in sorted(self.answers.items())],
            "leitstand_retransmissions_total": self.retransmissions,
            "leitstand_refusals_total": self._refusals_by_reason(),
            "leitstand_heartbeats_absorbed_total": self.absorbed,
            "leitstand_messages_journaled_total": self.journaled,
            "leitstand_test_calls_refused_total": self.answers[486],
            "leitstand_deliveries_total": [[s, n] for s, n in sorted(self.deliveries.items())],
            "leitstand_commit_seconds": self.commit.snapshot(),
            "leitstand_answer_seconds": self.answer.snapshot(),
            **{name: ask() for name, ask in self.gauges.items()},
        }

    def _received_by_name(self) -> list[list[Any]]:
        """Sum up by the types that have a name: the numbers are the caller's to choose."""
        found: Counter[tuple[str, str, str]] = Counter()
        for (msg_type, trunk, transport), count in self.received.items():
            found[TYPE_NAMES.get(msg_type, OTHER), trunk, transport] += count
        return [[*labels, count] for labels, count in sorted(found.items())]

    def _refusals_by_reason(self) -> list[list[Any]]:
        common = self.refusals.most_common()
        found = [[reason, count] for reason, count in common[:MOST_REASONS]]
        rest = sum(count for _, count in common[MOST_REASONS:])
        return found + ([[OTHER, rest]] if rest else [])
