"""The end of a run: figures as one dict for JSON, or as a table."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from math import ceil
from shutil import get_terminal_size
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from sipgateway.simulator.fleet import CallerResult, Fleet

DETAILS_SHOWN = 10
_LATENCIES = (("greetingMs", "first 257"), ("answerMs", "200 OK"), ("transferMs", "266 to 265"))


def summarise(fleet: Fleet, seconds: float) -> dict[str, Any]:
    """Put a run's outcome into one JSON object; latencies in milliseconds."""
    results = sorted(fleet.results, key=lambda result: result.number)
    served = sum(result.served for result in results)
    greetings = [
        result.chat.greeting_latency
        for result in results
        if result.chat.greeting_latency is not None
    ]
    answers = [latency for result in results for latency in result.chat.answer_latencies]
    gaps = [gap for result in results for gap in result.chat.transfer_gaps]
    names = Counter(failure.name.value for result in results for failure in result.failures)
    return {
        "target": str(fleet.target),
        "transport": fleet.target.transport,
        "script": fleet.plan.script,
        "seed": fleet.seed,
        "seconds": round(seconds, 3),
        "callers": fleet.callers,
        "started": fleet.started,
        "served": served,
        "unserved": sum(bool(result.failures) for result in results),
        "greetingMs": _latencies(greetings),
        "answerMs": _latencies(answers),
        "transferMs": _latencies(gaps),
        "textsSent": sum(result.chat.texts_sent for result in results),
        "textsReceived": sum(result.chat.texts_received for result in results),
        "heartbeatsSent": sum(result.chat.heartbeats_sent for result in results),
        "heartbeatsReceived": sum(result.chat.heartbeats_received for result in results),
        "retransmissions": sum(result.wire.retransmissions for result in results),
        "duplicates": sum(result.wire.duplicates for result in results),
        "reconnections": sum(result.wire.reconnections for result in results),
        "failures": dict(sorted(names.items())),
        "chats": [_chat(result) for result in results],
    }


def render(summary: dict[str, Any], *, terminal: bool) -> str:
    """Return the summary for people: a table on a terminal, aligned lines elsewhere."""
    out = StringIO()
    rows = list(_rows(summary))
    if terminal:
        table = Table(title=f"{summary['script']} over {summary['transport']}", show_header=False)
        for name, value in rows:
            table.add_row(name, value)
        columns = get_terminal_size().columns
        Console(file=out, force_terminal=True, width=columns).print(table)
    else:
        longest = max(len(name) for name, _ in rows)
        out.writelines(f"{name:<{longest}}  {value}\n" for name, value in rows)
    bad = [chat for chat in summary["chats"] if chat["failures"]]
    for chat in bad[:DETAILS_SHOWN]:
        for failure in chat["failures"]:
            name, detail = failure["name"], failure["detail"]
            out.write(f"caller {chat['caller']} {chat['callId']}: {name}: {detail}\n")
    if len(bad) > DETAILS_SHOWN:
        out.write(f"… and {len(bad) - DETAILS_SHOWN} more callers, all in --json\n")
    return out.getvalue()


@contextmanager
def progress_bar(fleet: Fleet, *, terminal: bool) -> Iterator[Progress | None]:
    """Draw the callers' progress on standard error while the block runs, on a terminal only."""
    if not terminal:
        yield None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        progress.add_task("callers", total=fleet.callers)
        yield progress


def advance(progress: Progress | None, fleet: Fleet) -> None:
    """Tell the bar how far the fleet is."""
    if progress:
        failed = sum(not result.served for result in fleet.results)
        live = fleet.started - len(fleet.results)
        progress.update(
            progress.task_ids[0],
            completed=len(fleet.results),
            description=f"{live} live, {failed} failed",
        )


def _latencies(seconds: list[float]) -> dict[str, float | None]:
    ranked = sorted(seconds)
    if not ranked:
        return {"p50": None, "p99": None, "max": None}
    return {
        "p50": _milliseconds(ranked[ceil(len(ranked) * 0.50) - 1]),
        "p99": _milliseconds(ranked[ceil(len(ranked) * 0.99) - 1]),
        "max": _milliseconds(ranked[-1]),
    }


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 1)


def _chat(result: CallerResult) -> dict[str, Any]:
    return {
        "caller": result.number,
        "callId": result.call_id,
        "uri": result.uri,
        "language": result.language,
        "served": result.served,
        "endedBy": result.ended_by,
        "textsSent": result.chat.texts_sent,
        "textsReceived": result.chat.texts_received,
        "failures": [
            {"name": failure.name.value, "detail": failure.detail} for failure in result.failures
        ],
    }


def _rows(summary: dict[str, Any]) -> Iterator[tuple[str, str]]:
    yield "callers served", f"{summary['served']} of {summary['callers']}"
    yield "callers started", str(summary["started"])
    for name, label in _LATENCIES:
        if summary[name]["p50"] is not None:
            shown = "  ".join(f"{rank} {value:g} ms" for rank, value in summary[name].items())
            yield label, shown
    yield "texts", f"{summary['textsSent']} sent, {summary['textsReceived']} received"
    sent, received = summary["heartbeatsSent"], summary["heartbeatsReceived"]
    yield "heartbeats", f"{sent} sent, {received} received"
    yield "retransmissions", f"{summary['retransmissions']} sent, {summary['duplicates']} received"
    if summary["reconnections"]:
        yield "reconnections", str(summary["reconnections"])
    yield "took", f"{summary['seconds']:g} s"
    for name, count in summary["failures"].items():
        yield f"failure: {name}", str(count)
