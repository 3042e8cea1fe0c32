"""What of the gateway is looked at once a second, with its sign of life."""

from datetime import UTC, datetime

from sipgateway.figures import GatewayFigures
from sipgateway.flows import Flows
from sipgateway.journal import JournalWriter
from sipgateway.journal_queue import JournalQueue
from sipgateway.outgoing import Outgoing
from sipgateway.overload import Overload
from sipgateway.precedence import Kind
from sipgateway.presence import Presence
from sipgateway.projector import Projector


def register_gauges(
    figures: GatewayFigures,
    *,
    queue: JournalQueue,
    journal: JournalWriter,
    projector: Projector,
    presence: Presence,
    flows: Flows,
    outgoing: Outgoing,
    overload: Overload,
) -> None:
    """Let the figures ask the gateway's parts how they stand."""
    figures.gauges |= {
        "leitstand_journal_queue_messages": lambda: len(queue),
        "leitstand_journal_queue_bytes": lambda: queue.size,
        "leitstand_journal_queue_oldest_seconds": lambda: round(
            queue.oldest_age(datetime.now(UTC)), 3
        ),
        "leitstand_journal_queue_kind_messages": lambda: [
            [kind.name.lower(), queue.of_kind(kind)] for kind in Kind
        ],
        "leitstand_messages_without_room_total": lambda: [
            [kind.name.lower(), queue.refused[kind]] for kind in Kind
        ],
        "leitstand_messages_given_up_total": lambda: queue.dropped,
        "leitstand_journal_capacity": lambda: round(queue.capacity),
        "leitstand_journal_stuck_seconds": lambda: round(journal.stuck_for, 3),
        "leitstand_connections": lambda: [
            [transport, count] for transport, count in sorted(flows.by_transport().items())
        ],
        "leitstand_connections_paused": lambda: queue.paused,
        "leitstand_projection_backlog_messages": lambda: projector.backlog,
        "leitstand_projection_lag_seconds": lambda: round(projector.lag, 3),
        "leitstand_projection_waiting": lambda: projector.waiting,
        "leitstand_open_chats": lambda: len(presence),
        "leitstand_outgoing_requests": lambda: len(outgoing),
        "leitstand_heartbeats_left_out_total": lambda: outgoing.throttle.left_out,
        "leitstand_overload_active": lambda: int(overload.is_active),
        "leitstand_overload_oc_percent": lambda: overload.report.loss,
    }
