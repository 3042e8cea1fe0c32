"""Memory stays bounded and nothing is dropped silently that nobody would send again."""

from collections import deque

import pytest

from sipgateway import tcp
from sipgateway.configuration import Configuration
from sipgateway.figures import GatewayFigures
from sipgateway.flows import Flows
from sipgateway.intake import Intake
from sipgateway.passing_back import PassingBack
from sipgateway.presence import Presence
from sipgateway.tcp import Buffers, TcpConnection, TcpListener
from sipgateway.testcalls import TakenTests
from tests.support.caller import Caller


class FakeTransport:
    def __init__(self, port):
        self.peer = ("192.0.2.1", port)
        self.written = []
        self.aborted = self.paused = False

    def get_extra_info(self, name):
        return self.peer

    def is_closing(self):
        return self.aborted

    def is_reading(self):
        return not self.paused

    def get_write_buffer_size(self):
        return 0

    def write(self, data):
        self.written.append(data)

    def abort(self):
        self.aborted = True

    close = abort

    def pause_reading(self):
        self.paused = True

    def resume_reading(self):
        self.paused = False


class FakeJournal:
    """Takes as much as there is room for, and over a connection whatever comes."""

    is_crowded = False

    def __init__(self, room):
        self.room = room
        self.taken = deque()

    def offer(self, arrival):
        if len(self.taken) >= self.room:
            return False
        self.taken.append(arrival)
        return True

    def hold(self, arrival):
        arrival.flow.pause()
        self.taken.append(arrival)


def intake_of(journal):
    return Intake(
        journal=journal,
        presence=Presence(),
        passing_back=PassingBack(None, None),
        outgoing=None,
        configuration=Configuration,
        commits_succeed=lambda: True,
        overload=None,
        tests=TakenTests(lambda: 0.0),
        figures=GatewayFigures(),
        clock=lambda: 0.0,
    )


def connected(intake, buffers, port=5060):
    flows = Flows(lambda flow: None)
    connection = TcpConnection(flows, intake, buffers, TcpListener(flows, intake, buffers))
    transport = FakeTransport(port)
    connection.connection_made(transport)
    return connection, transport


@pytest.mark.conformance("6.1.1-7")
async def test_a_thousand_connections_with_half_a_message_each_do_not_fill_the_memory(monkeypatch):
    """Red without a bound over all of them: each may hold 16 MiB."""
    monkeypatch.setattr(tcp, "LARGEST_BUFFERS", 10_000_000)
    buffers, intake = Buffers(), intake_of(FakeJournal(0))
    head = Caller().start().partition(b"Content-Length")[0] + b"Content-Length: 9000000\r\n\r\n"
    pairs = [connected(intake, buffers, port) for port in range(1000, 1050)]
    for connection, _ in pairs:
        connection.data_received(head)
        connection.data_received(b"x" * 1_000_000)
    assert buffers.total <= 11_000_000
    cut = [transport.aborted for _, transport in pairs]
    assert not any(cut[:9]) and all(cut[10:])
    for connection, _ in pairs:
        connection.connection_lost(None)
    assert buffers.total == 0


async def test_a_message_over_tcp_that_there_is_no_room_for_waits_and_nothing_more_is_read():
    """Red when it is dropped: over a reliable transport nobody sends it again."""
    journal = FakeJournal(1)
    intake = intake_of(journal)
    intake.begin()
    connection, transport = connected(intake, Buffers())
    caller = Caller()
    texts = ["eins", "zwei", "drei"]
    connection.data_received(b"".join(map(caller.say, texts)))
    assert transport.paused
    assert [a.request.body.decode() for a in journal.taken] == texts


async def test_a_segment_full_of_pings_gets_one_answer():
    connection, transport = connected(intake_of(FakeJournal(0)), Buffers())
    connection.data_received(b"\r\n\r\n" * 10_000)
    assert transport.written == [b"\r\n"]


async def test_a_fault_of_ours_over_one_message_keeps_the_connection_for_the_next():
    class Broken(FakeJournal):
        def offer(self, arrival):
            if not self.taken:
                self.taken.append(None)
                raise ValueError("a fault of ours")
            return super().offer(arrival)

    journal = Broken(5)
    intake = intake_of(journal)
    intake.begin()
    connection, transport = connected(intake, Buffers())
    connection.data_received(Caller().start() + Caller().start())
    assert len(journal.taken) == 2 and not transport.aborted
