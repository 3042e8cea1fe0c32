"""A flood over one UDP socket: new callers as fast as asked, and live chats that must get through.

One thread and no event loop, since it has to send many times what the gateway can take. Live chats
repeat what is not answered as RFC 3261 17.1.2 says; new callers try once, so that the flood is as
large as it is said to be. What the gateway sends is answered 200.
"""

import select
import socket
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from bench.callers import ECHOED, HOST, IN_CHAT, START, Caller

T1, T2, TIMER_F = 0.5, 4.0, 32.0
PATIENCE = 10.0
TURN = 0.002
RECEIVED_AT_ONCE = 200
SOCKET_BUFFER = 8 * 2**20


@dataclass(slots=True)
class Sent:
    """A request that waits for its answer."""

    at: float
    live: bool
    tally: "Tally"
    data: bytes = b""
    interval: float = T1


@dataclass(slots=True)
class Tally:
    """What became of the requests of one phase; seconds from the first attempt to the 200."""

    sent: int = 0
    answered: int = 0
    refused: int = 0
    repeated: int = 0
    live_sent: int = 0
    live_answered: int = 0
    live_seconds: list[float] = field(default_factory=list)


class Flood:
    """The callers of one run."""

    def __init__(self, target: int, live: int) -> None:
        self.tally = Tally()
        self._target = target
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            self._socket.setsockopt(socket.SOL_SOCKET, option, SOCKET_BUFFER)
        self._socket.bind((HOST, 0))
        self._socket.setblocking(False)
        self._port = self._socket.getsockname()[1]
        self._waiting: dict[bytes, Sent] = {}
        self._repeats: deque[tuple[float, bytes]] = deque()
        self._branches = 0
        self._callers = live
        self._live = [Caller(number) for number in range(live)]

    def close(self) -> None:
        """Release the port."""
        self._socket.close()

    def open_chats(self, patience: float = 60.0) -> bool:
        """Start the live chats, a few hundred a second; False when one is not answered."""
        for caller in self._live:
            self._send(caller, START, live=True)
            self._turn(TURN)
        return self.drain(patience)

    def closed(self, window: int, seconds: float) -> float:
        """Keep so many new callers waiting; returns the answers a second: the peak."""
        self.tally = Tally()
        begun = time.monotonic()
        while time.monotonic() < begun + seconds:
            while len(self._waiting) < window:
                self._new_caller()
            self._turn(TURN)
            self._give_up(PATIENCE)
        rate = self.tally.answered / (time.monotonic() - begun)
        self.drain(5.0)
        return rate

    def open(self, rate: float, live_rate: float, seconds: float) -> float:
        """Send so many a second whatever happens; returns the answers a second."""
        self.tally = Tally()
        begun, turns, said, flooded = time.monotonic(), self._live_turns(), 0, 0
        while (passed := time.monotonic() - begun) < seconds:
            while said < live_rate * passed:
                self._send(next(turns), IN_CHAT, live=True)
                said += 1
            due = min(int(rate * passed) - flooded, 500)
            for _ in range(due):
                self._new_caller()
            flooded += max(due, 0)
            self._turn(0.0 if due > 50 else TURN)
        return self.tally.answered / seconds

    def drain(self, patience: float) -> bool:
        """Wait for what is not answered yet; new callers are given up. True when all are."""
        self._give_up(-1.0)
        deadline = time.monotonic() + patience
        while self._waiting and time.monotonic() < deadline:
            self._turn(TURN)
        return not self._waiting

    def normal_after(self, patience: float) -> float | None:
        """Seconds until ten texts in a row of live chats are answered within 100 ms each."""
        begun, good, turns = time.monotonic(), 0, self._live_turns()
        while time.monotonic() < begun + patience:
            self.tally = Tally()
            self._send(next(turns), IN_CHAT, live=True)
            until = time.monotonic() + 0.1
            while not self.tally.live_answered and time.monotonic() < until:
                self._turn(TURN)
            good = good + 1 if self.tally.live_answered else 0
            if good == 10:
                return time.monotonic() - begun
        return None

    def _live_turns(self) -> Iterator[Caller]:
        while True:
            yield from self._live

    def _new_caller(self) -> None:
        self._callers += 1
        self._send(Caller(self._callers), START, live=False)

    def _send(self, caller: Caller, kind: int, *, live: bool) -> None:
        self._branches += 1
        branch = f"z9hG4bK{self._port}x{self._branches}"
        data = caller.message(
            kind, "Hilfe, es brennt!", branch=branch, port=self._port, target=self._target
        )
        now = time.monotonic()
        key = branch.encode()
        self._waiting[key] = Sent(now, live, self.tally, data if live else b"")
        self.tally.sent += 1
        if live:
            self.tally.live_sent += 1
            self._repeats.append((now + T1, key))
        self._put(data)

    def _put(self, data: bytes) -> None:
        try:
            self._socket.sendto(data, (HOST, self._target))
        except BlockingIOError:
            pass  # lost, as datagrams are

    def _turn(self, wait: float) -> None:
        readable, _, _ = select.select([self._socket], [], [], wait)
        if readable:
            for _ in range(RECEIVED_AT_ONCE):
                try:
                    data, address = self._socket.recvfrom(65535)
                except BlockingIOError:
                    break
                self._received(data, address)
        now = time.monotonic()
        while self._repeats and self._repeats[0][0] <= now:
            _, key = self._repeats.popleft()
            self._repeat(key, now)

    def _repeat(self, key: bytes, now: float) -> None:
        sent = self._waiting.get(key)
        if sent is None or now > sent.at + TIMER_F:
            return
        sent.tally.repeated += 1
        self._put(sent.data)
        sent.interval = min(2 * sent.interval, T2)
        due = now + sent.interval
        if self._repeats and self._repeats[-1][0] > due:  # kept in order, nearly always at the end
            self._repeats = deque(sorted([*self._repeats, (due, key)]))
        else:
            self._repeats.append((due, key))

    def _received(self, data: bytes, address: tuple[str, int]) -> None:
        if not data.startswith(b"SIP/2.0 "):
            lines = data.partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]
            kept = [line for line in lines if line.partition(b":")[0].lower() in ECHOED]
            answer = [b"SIP/2.0 200 OK", *kept, b"Content-Length: 0", b"", b""]
            self._socket.sendto(b"\r\n".join(answer), address)
            return
        key = data.partition(b"branch=")[2].partition(b";")[0]
        sent = self._waiting.pop(key, None)
        if sent is None:
            return
        if not data.startswith(b"SIP/2.0 2"):
            sent.tally.refused += 1
            return
        sent.tally.answered += 1
        if sent.live:
            sent.tally.live_answered += 1
            sent.tally.live_seconds.append(time.monotonic() - sent.at)

    def _give_up(self, age: float) -> None:
        """Forget new callers that have waited for longer: they do not try again."""
        limit = time.monotonic() - age
        for key in [k for k, sent in self._waiting.items() if not sent.live and sent.at < limit]:
            del self._waiting[key]
