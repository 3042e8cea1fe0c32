"""Many messages at once, without a gateway: callers by number, and a queue with little room."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from sipgateway import journal_queue
from sipgateway.arrivals import Arrival
from sipgateway.journal_queue import JournalQueue
from sipgateway.precedence import place_of
from sipgateway.presence import LiveChat, Presence
from tests.support.arrivals import Flow, arrival
from tests.support.caller import Caller

FEW = 20


class Connection(Flow):
    """A connection without a socket."""

    transport, reliable = "tcp", True

    def __init__(self):
        self.sent, self.paused = [], False

    def send(self, data):
        self.sent.append(data)
        return True

    def pause(self):
        self.paused = True

    def resume(self):
        self.paused = False


def known_to(presence: Presence, caller: Caller) -> None:
    """Have a caller's chat be a live one."""
    one = arrival(Caller("UDP", caller.uri, caller.unique_part).start())
    presence.add(
        LiveChat(
            id=hash(caller.unique_part),
            call_id=caller.call_id,
            key=(caller.unique_part, one.identifiers.element, one.caller.uri),
            remote_uri=caller.uri,
            local_tag="x",
            liveness="alive",
            transport="udp",
            peer="192.0.2.1:5060",
            last_sign_of_life=datetime.now(UTC),
            heartbeat_due=0.0,
        )
    )


def caller_number(number: int) -> Caller:
    """Return one of many callers."""
    return Caller("UDP", uri=f"sip:caller{number}@example.org")


def text_from(
    number: int, *, flow: Flow | None = None, age: float = 0.0, **parts: object
) -> Arrival:
    """Return the start of a caller's chat as it arrived, `age` seconds ago."""
    found = arrival(caller_number(number).start(**parts))
    found.received_at = datetime.now(UTC) - timedelta(seconds=age)
    found.flow = flow or found.flow
    return found


def fill(queue: JournalQueue, make: Callable[[int], Arrival] = text_from) -> int:
    """Offer until there is no room; returns how many were taken."""
    return next(number for number in range(1000) if not queue.offer(make(number)))


def small_queue(presence: Presence, monkeypatch: pytest.MonkeyPatch) -> JournalQueue:
    """Return a queue with room for twenty, as soon as more than two wait."""
    monkeypatch.setattr(journal_queue, "SHORT", 2)
    monkeypatch.setattr(journal_queue, "LONGEST_QUEUE", FEW)
    monkeypatch.setattr(journal_queue, "LEAST_ROOM", 0)
    return JournalQueue(lambda one: place_of(one, presence))
