"""All figures in Prometheus' text format: of every program, and what the database says."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.core import (
    Metric as Family,
)
from prometheus_client.registry import Collector

from psap.alarms import current_alarms
from psap.figures import (
    COUNTER,
    HISTOGRAM,
    METRICS,
    SECONDS_BOUNDS,
    Metric,
    database_figures,
    samples,
)
from psap.models import Certificate, Registration, RegistrationState, ServiceProcess

# What a program said that has fallen silent says nothing about now.
STALE_AFTER = timedelta(seconds=15)
OF_PROGRAM = ("program", "instance")
# What no single program says of itself: names without these two labels.
NOBODYS = ("", "")


def metrics_text() -> bytes:
    """Return all figures as Prometheus reads them."""
    registry = CollectorRegistry()
    registry.register(Figures())
    return generate_latest(registry)


def configuration_figures() -> dict[str, Any]:
    """Return what the configuration's rows say: programs, alarms, certificates, registrations."""
    now = timezone.now()
    states = {row.account.name: row.state for row in Registration.objects.select_related("account")}
    return {
        "leitstand_process_beat_age_seconds": _beat_ages(now),
        "leitstand_alarms": [[a.code, a.severity, 1] for a in _once(current_alarms(now))],
        "leitstand_certificate_days_left": [
            [name, round((end - now) / timedelta(days=1), 1)]
            for name, end in Certificate.objects.values_list("name", "not_after")
            if end is not None
        ],
        "leitstand_registration_state": [
            [account, state, int(state == current)]
            for account, current in sorted(states.items())
            for state in RegistrationState.values
        ],
    }


class Figures(Collector):
    """Reads everything anew at each scrape."""

    def collect(self) -> Iterable[Family]:
        """Yield one family for each metric that anybody has a value for."""
        fresh = timezone.now() - STALE_AFTER
        told = [(NOBODYS, database_figures())]
        told += [
            ((row.name, row.instance), row.figures)
            for row in ServiceProcess.objects.filter(beat_at__gte=fresh).order_by(
                "name", "instance"
            )
        ]
        for metric in METRICS.values():
            values = [
                (who, figures[metric.name]) for who, figures in told if metric.name in figures
            ]
            if values:
                yield _family(metric, values)


def _family(metric: Metric, values: list[tuple[tuple[str, str], Any]]) -> Family:
    of_program = values[0][0] != NOBODYS
    labels = (*(OF_PROGRAM if of_program else ()), *metric.labels)
    if metric.kind == HISTOGRAM:
        histogram = HistogramMetricFamily(metric.name, metric.text, labels=labels)
        for who, value in values:
            buckets = list(_buckets(value))
            if buckets:
                histogram.add_metric(who, buckets, value.get("sum", 0.0))
        return histogram
    kind = CounterMetricFamily if metric.kind == COUNTER else GaugeMetricFamily
    family = kind(metric.name, metric.text, labels=labels)
    for who, value in values:
        for own, number in samples(metric, value):
            family.add_metric([*(who if of_program else ()), *own], number)
    return family


def _buckets(value: Any) -> Iterator[tuple[str, float]]:
    counts = value.get("counts", []) if isinstance(value, dict) else []
    if len(counts) != len(SECONDS_BOUNDS) + 1:
        return
    total = 0
    for bound, count in zip((*map(str, SECONDS_BOUNDS), "+Inf"), counts, strict=True):
        total += count
        yield bound, total


def _beat_ages(now: datetime) -> list[list[Any]]:
    newest: dict[str, datetime] = {}
    for name, at in ServiceProcess.objects.order_by("beat_at").values_list("name", "beat_at"):
        newest[name] = at
    return [[name, round((now - at).total_seconds(), 1)] for name, at in sorted(newest.items())]


def _once(alarms: list[Any]) -> list[Any]:
    """One of each code and severity: a series must not come twice."""
    return list({(alarm.code, alarm.severity): alarm for alarm in alarms}.values())
