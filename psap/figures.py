"""The figures that programs keep of themselves: what each is called and what it means.

A program writes its figures with its sign of life (`ServiceProcess.figures`): by metric name a
number; with labels a list of `[label, …, number]`; for a histogram `{"counts": […], "sum": …}`, one
count for each bound and one beyond. What is declared here is shown on the status page and to
Prometheus; what is not, is not.
"""

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

logger = logging.getLogger(__name__)

COUNTER = "counter"
GAUGE = "gauge"
HISTOGRAM = "histogram"

SECONDS_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

Figures = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Metric:
    """A name as Prometheus wants it, what it counts, and by what."""

    name: str
    kind: str
    text: str
    labels: tuple[str, ...] = ()


_PREFIX = "leitstand_"
_DECLARED = (
    # The gateway, since its start.
    Metric(
        "messages_received_total",
        COUNTER,
        "MESSAGE requests taken, without retransmissions.",
        ("type", "trunk", "transport"),
    ),
    Metric("answers_total", COUNTER, "Final answers given, by SIP status.", ("status",)),
    Metric("retransmissions_total", COUNTER, "Requests that had come before."),
    Metric("refusals_total", COUNTER, "What could not be taken, by reason.", ("reason",)),
    Metric("heartbeats_absorbed_total", COUNTER, "Heartbeats that brought nothing new."),
    Metric("messages_journaled_total", COUNTER, "Messages committed to the journal."),
    Metric("test_calls_refused_total", COUNTER, "Test calls answered 486."),
    Metric(
        "messages_without_room_total",
        COUNTER,
        "Messages for which the journal's queue had no room, by kind: left unanswered, or their "
        "connection not read for a while.",
        ("kind",),
    ),
    Metric("messages_given_up_total", COUNTER, "Heartbeats and tests dropped after Timer F."),
    Metric("journal_queue_messages", GAUGE, "Messages that wait for the journal."),
    Metric("journal_queue_kind_messages", GAUGE, "The same by kind, while many wait.", ("kind",)),
    Metric("journal_queue_bytes", GAUGE, "Bytes that wait for the journal."),
    Metric("journal_queue_oldest_seconds", GAUGE, "How long the longest waiting has waited."),
    Metric("journal_capacity", GAUGE, "Messages a second that the journal takes under load."),
    Metric("commit_seconds", HISTOGRAM, "From the INSERT of a batch until its COMMIT is told."),
    Metric("journal_stuck_seconds", GAUGE, "How long nothing was committed though messages wait."),
    Metric("answer_seconds", HISTOGRAM, "From the first of a batch's arrival until its 200."),
    Metric("projection_backlog_messages", GAUGE, "Messages journaled and not on their chat yet."),
    Metric("projection_lag_seconds", GAUGE, "How long the longest of them has waited."),
    Metric("projection_waiting", GAUGE, "Of these, those that wait for a chat held by others."),
    Metric("open_chats", GAUGE, "Open chats that the gateway looks after."),
    Metric("connections", GAUGE, "Open connections, by transport.", ("transport",)),
    Metric("connections_paused", GAUGE, "Connections that are not read for want of room."),
    Metric("outgoing_requests", GAUGE, "Requests of ours that wait for their answer."),
    Metric("deliveries_total", COUNTER, "Outcomes of our messages, by status.", ("status",)),
    Metric("heartbeats_left_out_total", COUNTER, "Heartbeats of ours that a peer's oc held back."),
    Metric(
        "overload_active", GAUGE, "1 while there is no room for new chats, or oc asks for less."
    ),
    Metric("overload_oc_percent", GAUGE, "Percent that clients are asked to hold back (RFC 7339)."),
    # The registrar.
    Metric("registrar_messages_total", COUNTER, "Messages that came by pjsua2."),
    Metric("registrar_messages_cut_total", COUNTER, "Of these, too long for it and cut."),
    # The interface for peers.
    Metric("peer_port_open", GAUGE, "0 while peers ought to reach us by TLS and cannot."),
    Metric("peer_connections", GAUGE, "Connections of peers that are open."),
    Metric("peer_requests_waiting", GAUGE, "Requests of peers that wait for a decision."),
    Metric("peer_answers_total", COUNTER, "Answers given to peers, by HTTP status.", ("status",)),
    # Web processes.
    Metric("consoles", GAUGE, "Consoles that are connected."),
    # What the database says, whoever asks.
    Metric("process_beat_age_seconds", GAUGE, "Time since a program's sign of life.", ("process",)),
    Metric("alarms", GAUGE, "What needs attention now.", ("code", "severity")),
    Metric("chats", GAUGE, "Chats without a disposition.", ("session", "liveness")),
    Metric("chats_waiting", GAUGE, "Chats that ring."),
    Metric("chats_waiting_longest_seconds", GAUGE, "How long the first of them has rung."),
    Metric("outbox_messages", GAUGE, "Messages of ours on their way.", ("status",)),
    Metric("outbox_oldest_due_seconds", GAUGE, "How long the first of them has been due."),
    Metric("set_aside_messages", GAUGE, "Messages that cannot be put on a chat."),
    Metric("transfers", GAUGE, "Transfers between PSAPs under way.", ("side", "state")),
    Metric(
        "transfers_ended_within_a_day",
        GAUGE,
        "Transfers that ended within the last 24 hours, by how.",
        ("side", "state"),
    ),
    Metric("transfer_offers_waiting", GAUGE, "Transfers offered to us that nobody has answered."),
    Metric(
        "transfer_offers_waiting_longest_seconds", GAUGE, "How long the first of them has rung."
    ),
    Metric(
        "transfer_oldest_call_due_seconds",
        GAUGE,
        "How long the first call to a peer has been due that nobody makes.",
    ),
    Metric(
        "attachment_fetches",
        GAUGE,
        "Attachments of transferred chats that came by link and are not here.",
        ("status",),
    ),
    Metric("references_failed", GAUGE, "Locations and data that could not be fetched."),
    Metric("reports_failed", GAUGE, "Reports of a source that were not taken."),
    Metric("certificate_days_left", GAUGE, "Days until a certificate expires.", ("certificate",)),
    Metric(
        "registration_state", GAUGE, "1 for the state that an account is in.", ("account", "state")
    ),
)
METRICS = {
    _PREFIX + metric.name: Metric(_PREFIX + metric.name, metric.kind, metric.text, metric.labels)
    for metric in _DECLARED
}

Source = Callable[[], Figures]
_sources: list[Source] = []


def register(source: Source) -> None:
    """Ask this source for figures from the database; a second registration changes nothing."""
    if source not in _sources:
        _sources.append(source)


def database_figures() -> dict[str, Any]:
    """Ask all sources; one that fails costs its own figures alone."""
    found: dict[str, Any] = {}
    for source in _sources:
        try:
            found.update(source())
        except Exception:  # the others are wanted all the more
            logger.exception("%s gives no figures", source.__name__)
    return found


def samples(metric: Metric, value: Any) -> Iterable[tuple[tuple[str, ...], float]]:
    """Take a counter's or gauge's value apart: label values and number; what is odd is left out."""
    entries = value if metric.labels else [[value]]
    if not isinstance(entries, list):
        return
    for entry in entries:
        if not isinstance(entry, list) or len(entry) != len(metric.labels) + 1:
            continue
        *labels, number = entry
        if isinstance(number, int | float):
            yield tuple(str(label) for label in labels), float(number)
