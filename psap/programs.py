"""Are the programs alive, and what do they say of themselves: alarms from their signs of life."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from psap.alarms import ALARM, WARNING, Alarm
from psap.models import ServiceProcess, SipAccount

# How long each may be silent. Worker and beat have their turn behind slow tasks.
SILENT_AFTER = {
    "gateway": timedelta(seconds=5),
    "web": timedelta(seconds=5),
    "peerapi": timedelta(seconds=5),
    "worker": timedelta(seconds=10),
    "beat": timedelta(seconds=10),
    "registrar": timedelta(seconds=10),
}
# One of several gateways that has been silent for longer was taken out of service.
MISSED_FOR = timedelta(hours=1)
NOTHING_WRITTEN_AFTER = timedelta(seconds=5)
NOTHING_WRITTEN = (
    "Nothing can be written to the database, so no message is acknowledged. Is its disk full?"
)
LONGEST_LAG = 5.0
PORT_CLOSED = (
    "Peer PSAPs cannot reach us: the port for them is closed, since it is taken or our certificate "
    "for them cannot be used. The log of peerapi says why."
)


def programs(now: datetime) -> Iterator[Alarm]:
    """Say which programs are silent, and that nothing can be written when all of them are."""
    rows = list(ServiceProcess.objects.order_by("-beat_at").defer("figures"))
    if not rows:
        return
    last = rows[0].beat_at
    if now - last > NOTHING_WRITTEN_AFTER:
        yield Alarm("commits-failing", ALARM, NOTHING_WRITTEN, last)
        return
    yield from _silent_programs(rows, now)


def gateway_load(now: datetime) -> Iterator[Alarm]:
    """Say which gateways cannot write, are overloaded, or behind with what they acknowledged."""
    since = now - SILENT_AFTER["gateway"]
    for row in ServiceProcess.objects.filter(name="gateway", beat_at__gte=since):
        figures = row.figures
        waits = _number(figures.get("leitstand_journal_stuck_seconds"))
        if waits > NOTHING_WRITTEN_AFTER.total_seconds():
            yield Alarm("commits-failing", ALARM, NOTHING_WRITTEN, now - timedelta(seconds=waits))
        if _number(figures.get("leitstand_overload_active")):
            yield Alarm(
                "overload",
                WARNING,
                f"More messages come to {row.instance} than it can take: "
                "new chats wait longer than usual.",
            )
        if _number(figures.get("leitstand_projection_lag_seconds")) > LONGEST_LAG:
            yield Alarm(
                "projection-behind",
                ALARM,
                f"{row.instance} has acknowledged messages that are not on any screen after "
                f"{LONGEST_LAG:.0f} s.",
            )


def port_for_peers(now: datetime) -> Iterator[Alarm]:
    """Say that the port for peers ought to be open and is not."""
    since = now - SILENT_AFTER["peerapi"]
    for row in ServiceProcess.objects.filter(name="peerapi", beat_at__gte=since):
        if row.figures.get("leitstand_peer_port_open") == 0:
            yield Alarm("peer-port-closed", ALARM, PORT_CLOSED)
            return


def _silent_programs(rows: Iterable[ServiceProcess], now: datetime) -> Iterator[Alarm]:
    expected = _expected()
    newest: set[str] = set()
    for row in rows:
        silence = now - row.beat_at
        limit = SILENT_AFTER.get(row.name)
        is_newest = row.name not in newest
        newest.add(row.name)
        if limit is None or row.name not in expected or silence <= limit:
            continue
        if is_newest:
            text = f"The program “{row.name}” gives no sign of life."
            yield Alarm(f"{row.name}-silent", ALARM, text, row.beat_at)
        elif row.name == "gateway" and silence <= MISSED_FOR:
            text = f"The gateway {row.instance} gives no sign of life."
            yield Alarm("gateway-silent", ALARM, text, row.beat_at)


def _expected() -> set[str]:
    """The programs that should run; one that has never run is not missed."""
    expected = set(SILENT_AFTER)
    if not SipAccount.objects.filter(enabled=True).exists():
        expected.discard("registrar")
    return expected


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
