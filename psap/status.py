"""The status page's data: programs, gateways, trunks, registrations, certificates, alarms."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from psap.alarms import current_alarms
from psap.expiry import NOTICE
from psap.figures import SECONDS_BOUNDS, database_figures
from psap.models import (
    Certificate,
    CertificateAuthority,
    PeerCertificate,
    Registration,
    ServiceProcess,
    SipAccount,
    Trunk,
)
from psap.programs import SILENT_AFTER

FORGOTTEN_AFTER = timedelta(hours=1)
FRESH = timedelta(seconds=15)
MOST_PEERS_SHOWN = 100


@dataclass(frozen=True, slots=True)
class LooseMessage:
    """A message that is on no chat, as its bytes read."""

    number: int
    received_at: datetime
    peer: str
    error: str
    text: str


@dataclass(frozen=True, slots=True)
class Program:
    """A program and how it is."""

    name: str
    instance: str
    started_at: datetime
    beat_at: datetime
    silent: bool


@dataclass(frozen=True, slots=True)
class Fact:
    """One line of a list of figures; a grave one wants attention."""

    name: str
    value: str
    grave: bool = False


@dataclass(frozen=True, slots=True)
class Gateway:
    """What a gateway says of itself."""

    instance: str
    facts: Sequence[Fact]
    refusals: Sequence[Fact]


@dataclass(frozen=True, slots=True)
class Paper:
    """A certificate and when it ends."""

    kind: str
    name: str
    ends: datetime
    days: int
    soon: bool


Messages = Callable[[], Sequence[LooseMessage]]
_messages: list[Messages] = []


def show_messages(source: Messages) -> None:
    """Have the messages of this source shown, to those who may see chats."""
    if source not in _messages:
        _messages.append(source)


def status_of(now: datetime, *, with_texts: bool) -> dict[str, Any]:
    """Return everything that the page shows; texts of callers only `with_texts`."""
    return {
        "now": now,
        "alarms": current_alarms(now),
        "programs": list(_programs(now)),
        "gateways": list(_gateways(now)),
        "record": list(_record(database_figures())),
        "trunks": Trunk.objects.order_by("pk"),
        "accounts": list(_accounts()),
        "papers": sorted(_papers(now), key=lambda paper: paper.ends),
        "loose": [message for source in _messages for message in source()],
        "with_texts": with_texts,
    }


def _programs(now: datetime) -> Iterator[Program]:
    rows = ServiceProcess.objects.filter(beat_at__gte=now - FORGOTTEN_AFTER).defer("figures")
    newest: set[str] = set()
    for row in rows.order_by("name", "-beat_at"):
        limit = SILENT_AFTER.get(row.name, FRESH)
        silent = now - row.beat_at > limit
        if silent and row.name in newest and row.name != "gateway":
            continue  # what ran before the last restart
        newest.add(row.name)
        yield Program(row.name, row.instance, row.started_at, row.beat_at, silent)


def _gateways(now: datetime) -> Iterator[Gateway]:
    rows = ServiceProcess.objects.filter(name="gateway", beat_at__gte=now - FRESH)
    for row in rows.order_by("instance"):
        told = _Told(row.figures)
        refusals = [
            Fact(str(labels[0]), _whole(number))
            for labels, number in told.labelled("leitstand_refusals_total")
        ]
        yield Gateway(row.instance, list(_facts(told)), refusals)


class _Told:
    """Figures as a program wrote them, whatever version it is of."""

    def __init__(self, figures: dict[str, Any]) -> None:
        self._figures = figures

    def number(self, name: str) -> float:
        value = self._figures.get(name)
        return float(value) if isinstance(value, int | float) else 0.0

    def labelled(self, name: str) -> list[tuple[list[Any], float]]:
        value = self._figures.get(name)
        entries = value if isinstance(value, list) else []
        return [(entry[:-1], float(entry[-1])) for entry in entries if entry]

    def total(self, name: str) -> float:
        return sum(number for _, number in self.labelled(name))

    def below(self, name: str, share: float) -> str:
        """The bound that `share` of a histogram's observations do not exceed, for people."""
        value = self._figures.get(name)
        counts = value.get("counts", []) if isinstance(value, dict) else []
        wanted, seen = share * sum(counts), 0
        for bound, count in zip(SECONDS_BOUNDS, counts, strict=False):
            seen += count
            if seen >= wanted > 0:
                return f"≤ {bound * 1000:g} ms"
        return f"> {SECONDS_BOUNDS[-1]:g} s" if sum(counts) else "–"


def _facts(told: _Told) -> Iterator[Fact]:
    overloaded = bool(told.number("leitstand_overload_active"))
    yield Fact("Load", "overloaded" if overloaded else "normal", overloaded)
    percent = told.number("leitstand_overload_oc_percent")
    yield Fact("Asked to hold back upstream (oc)", f"{percent:.0f} %", percent > 0)
    yield Fact("Open chats", _whole(told.number("leitstand_open_chats")))
    connections = told.labelled("leitstand_connections")
    shown = ", ".join(f"{labels[0].upper()} {number:.0f}" for labels, number in connections)
    yield Fact("Connections", shown or "none")
    paused = told.number("leitstand_connections_paused")
    yield Fact("Connections not read for want of room", _whole(paused), paused > 0)
    yield Fact("Messages received", _whole(told.total("leitstand_messages_received_total")))
    yield Fact(
        "Heartbeats without news", _whole(told.number("leitstand_heartbeats_absorbed_total"))
    )
    yield Fact("Repetitions", _whole(told.number("leitstand_retransmissions_total")))
    waiting = told.number("leitstand_journal_queue_messages")
    yield Fact("Waiting for the journal", f"{waiting:,.0f} messages")
    oldest = told.number("leitstand_journal_queue_oldest_seconds")
    yield Fact("Longest of them", f"{oldest:.1f} s", oldest > 2)
    yield Fact("No room for", _by_label(told, "leitstand_messages_without_room_total"))
    yield Fact("Commit, 99 of 100", told.below("leitstand_commit_seconds", 0.99))
    yield Fact("Answer, 99 of 100", told.below("leitstand_answer_seconds", 0.99))
    backlog = told.number("leitstand_projection_backlog_messages")
    yield Fact("On the way to their chats", f"{backlog:,.0f} messages")
    lag = told.number("leitstand_projection_lag_seconds")
    yield Fact("Longest of them", f"{lag:.1f} s", lag > 2)
    yield Fact("Deliveries", _by_label(told, "leitstand_deliveries_total"))
    yield Fact("Test calls refused", _whole(told.number("leitstand_test_calls_refused_total")))


def _record(figures: dict[str, Any]) -> Iterator[Fact]:
    told = _Told(figures)
    waiting = told.number("leitstand_chats_waiting")
    yield Fact("Chats in the queue", _whole(told.total("leitstand_chats")))
    yield Fact("Ringing", _whole(waiting), waiting > 0)
    longest = told.number("leitstand_chats_waiting_longest_seconds")
    yield Fact("First of them for", f"{longest:.0f} s" if waiting else "–")
    yield Fact("Messages to callers under way", _by_label(told, "leitstand_outbox_messages"))
    due = told.number("leitstand_outbox_oldest_due_seconds")
    yield Fact("First of them due for", f"{due:.0f} s", due > 60)
    yield from _transfers(told)
    loose = told.number("leitstand_set_aside_messages")
    yield Fact("Messages on no chat", _whole(loose), loose > 0)
    yield Fact("Locations and data not fetched", _whole(told.number("leitstand_references_failed")))
    yield Fact("Reports of a source not taken", _whole(told.number("leitstand_reports_failed")))


def _transfers(told: _Told) -> Iterator[Fact]:
    """Of transfers between PSAPs; out: we give a chat away, in: we are offered it."""
    under_way = told.labelled("leitstand_transfers")
    grave = any("uncertain" in labels for labels, _ in under_way)
    yield Fact("Transfers under way", _by_labels(under_way), grave)
    offers = told.number("leitstand_transfer_offers_waiting")
    longest = told.number("leitstand_transfer_offers_waiting_longest_seconds")
    shown = f"{offers:.0f}, the first for {longest:.0f} s" if offers else "none"
    yield Fact("Offers of peers that ring", shown, offers > 0)
    due = told.number("leitstand_transfer_oldest_call_due_seconds")
    yield Fact("First call to a peer due for", f"{due:.0f} s", due > 10)
    ended = told.labelled("leitstand_transfers_ended_within_a_day")
    yield Fact("Transfers ended within a day", _by_labels(ended))
    yield Fact("Attachments by link", _by_label(told, "leitstand_attachment_fetches"))


def _accounts() -> Iterator[tuple[SipAccount, Registration | None]]:
    known = {row.account_id: row for row in Registration.objects.all()}
    for account in SipAccount.objects.order_by("name"):
        yield account, known.get(account.pk)


def _papers(now: datetime) -> Iterator[Paper]:
    ends: list[tuple[str, str, datetime | None]] = []
    ends += [("ours", c.name, c.not_after) for c in Certificate.objects.all()]
    for authority in CertificateAuthority.objects.all():
        ends.append(("authority", authority.name, authority.not_after))
        ends.append(("revocation list", authority.name, authority.next_update))
    peers = PeerCertificate.objects.order_by("-not_after")[:MOST_PEERS_SHOWN]
    ends += [("peer", peer.names or peer.subject, peer.not_after) for peer in peers]
    for kind, name, at in ends:
        if at is not None:
            yield Paper(kind, name, at, (at - now).days, at <= now + NOTICE)


def _by_label(told: _Told, name: str) -> str:
    return _by_labels([(labels[:1], number) for labels, number in told.labelled(name)])


def _by_labels(entries: list[tuple[list[Any], float]]) -> str:
    found = [f"{' '.join(map(str, labels))} {number:,.0f}" for labels, number in entries if number]
    return ", ".join(found) or "none"


def _whole(number: float) -> str:
    return f"{number:,.0f}"
