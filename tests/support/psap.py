"""A small PSAP of the tests' own, to try the simulator against; it shares no code with anything.

It answers 200, greets a start/257 and does what `Manners` says wrongly on purpose.
"""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass, field

URI = "sip:psap@psap.example.org"
CRLF = "\r\n"


@dataclass(slots=True)
class Manners:
    """How this PSAP behaves; the defaults are right."""

    lose_first: int = 0
    status: int = 200
    greeting_type: int | None = 257
    first_msg_id: int = 1
    reply_to: str = URI
    extra_headers: tuple[str, ...] = ()
    call_info: Callable[[str], str] = lambda lines: lines
    repeat_greeting: int = 1
    close_after: int | None = None


@dataclass(slots=True)
class Arrival:
    """One request that arrived: the text of its head, its body, and the way back."""

    line: str
    head: str
    body: bytes
    send: Callable[[bytes], None]

    def header(self, name: str) -> str:
        found = re.search(rf"(?im)^{name}: *(.*?)\r?$", self.head)
        return found[1] if found else ""

    def call_info(self, kind: str) -> str:
        found = re.search(rf"<([^>]*:{kind}:[^>]*)>", self.head)
        return found[1] if found else ""

    @property
    def msg_type(self) -> int:
        return int(self.call_info("msgtype").split(":")[-2] or 0)


@dataclass(slots=True)
class SmallPsap:
    """Listens on UDP and TCP of one port of 127.0.0.1; use as an async context manager."""

    manners: Manners = field(default_factory=Manners)
    port: int = 0
    arrivals: list[Arrival] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _msg_ids: dict[str, int] = field(default_factory=dict)
    _open: list = field(default_factory=list)
    connections: set[asyncio.Transport] = field(default_factory=set)

    async def __aenter__(self) -> "SmallPsap":
        loop = asyncio.get_running_loop()
        wanted = self.port
        while True:
            server = await loop.create_server(lambda: _Tcp(self), "127.0.0.1", wanted)
            self.port = server.sockets[0].getsockname()[1]
            try:
                transport, _ = await loop.create_datagram_endpoint(
                    lambda: _Udp(self), local_addr=("127.0.0.1", self.port)
                )
                break
            except OSError:  # somebody has the UDP port of that number
                server.close()
                if wanted:
                    raise
        self._open = [server, transport]
        return self

    async def __aexit__(self, *exc: object) -> None:
        for opened in self._open:
            opened.close()
        self.drop_connections()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until the condition holds after some message; fails after 10 s."""
        async with asyncio.timeout(10):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    def drop_connections(self) -> None:
        for connection in list(self.connections):
            connection.close()

    def of_type(self, msg_type: int) -> list[Arrival]:
        return [arrival for arrival in self.arrivals if arrival.msg_type == msg_type]

    def stall(self, arrival: Arrival, text: str = "Bitte warten.") -> None:
        """Send the app of that arrival a stop|transfer/266 with the MsgId used last."""
        self._msg_ids[arrival.call_info("callid")] -= 1
        self.say(arrival, 266, text)

    def say(self, arrival: Arrival, msg_type: int, text: str, *, branch: str = "") -> None:
        """Send the app of that arrival a message over the way it came."""
        call_id = arrival.call_info("callid")
        number = self._msg_ids.get(call_id, self.manners.first_msg_id)
        self._msg_ids[call_id] = number + 1
        uid = "urn:emergency:service:uid"
        info = self.manners.call_info(
            f"Call-Info: <{call_id}>;purpose=EmergencyCallData.CallId\r\n"
            f"Call-Info: <{uid}:msgid:{number}:psap.at>;purpose=EmergencyCallData.MsgId\r\n"
            f"Call-Info: <{uid}:msgtype:{msg_type}:psap.at>;purpose=EmergencyCallData.MsgType"
        )
        payload = text.encode()
        lines = [
            "MESSAGE sip:app@example.org SIP/2.0",
            f"Via: SIP/2.0/UDP 127.0.0.1:{self.port};branch=z9hG4bK{branch}p{number}t{msg_type}",
            "Max-Forwards: 70",
            f"From: <{URI}>;tag=psap",
            f"To: {arrival.header('From').split(';tag=')[0]}",
            f"Call-ID: psap-{call_id}-{number}-{msg_type}",
            f"CSeq: {number} MESSAGE",
            *([f"Reply-To: {self.manners.reply_to}"] if self.manners.reply_to else []),
            info,
            *self.manners.extra_headers,
            "Content-Type: text/plain;charset=utf-8",
            f"Content-Length: {len(payload)}",
        ]
        arrival.send((CRLF.join(lines) + CRLF * 2).encode() + payload)

    def received(self, data: bytes, send: Callable[[bytes], None]) -> None:
        head, _, body = data.partition(b"\r\n\r\n")
        text = head.decode()
        if text.startswith("SIP/2.0"):
            self.answers.append(text)
        elif self.manners.lose_first > 0:
            self.manners.lose_first -= 1
        else:
            arrival = Arrival(text.split(CRLF)[0], text, body, send)
            self.arrivals.append(arrival)
            self._answer(arrival)
            if arrival.msg_type == 257 and self.manners.greeting_type is not None:
                self.say(arrival, self.manners.greeting_type, "Was ist passiert?")
                for _ in range(self.manners.repeat_greeting - 1):
                    self._msg_ids.clear()
                    self.say(arrival, self.manners.greeting_type, "Was ist passiert?")
        self._changed.set()

    def _answer(self, arrival: Arrival) -> None:
        copied = [f"{name}: {arrival.header(name)}" for name in ("Via", "From", "Call-ID", "CSeq")]
        to = f"To: {arrival.header('To')};tag=uas"
        lines = [f"SIP/2.0 {self.manners.status} Whatever", *copied, to, "Content-Length: 0"]
        arrival.send((CRLF.join(lines) + CRLF * 2).encode())


class _Udp(asyncio.DatagramProtocol):
    def __init__(self, psap: SmallPsap) -> None:
        self._psap = psap

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._psap.received(data, lambda answer: self._transport.sendto(answer, addr))


class _Tcp(asyncio.Protocol):
    def __init__(self, psap: SmallPsap) -> None:
        self._psap = psap
        self._buffer = b""
        self._taken = 0

    def connection_made(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._psap.connections.add(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._psap.connections.discard(self._transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while b"\r\n\r\n" in self._buffer:
            head, _, rest = self._buffer.partition(b"\r\n\r\n")
            length = int(re.search(rb"(?i)content-length: *(\d+)", head)[1])
            if len(rest) < length:
                return
            if self._taken == self._psap.manners.close_after:
                self._psap.manners.close_after = None
                self._transport.close()
                return
            self._taken += 1
            self._buffer = rest[length:]
            self._psap.received(head + b"\r\n\r\n" + rest[:length], self._transport.write)
