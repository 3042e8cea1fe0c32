"""Apps over one UDP socket: they open chats, write, and answer what the PSAP sends."""

import asyncio
import secrets
import time
from collections.abc import Sequence
from typing import Self, cast

HOST = "127.0.0.1"
ELEMENT = "bench.example"
START, IN_CHAT = 257, 259
# Timer F (RFC 3261 17.1.2.2) is 32 s; a screen that waits that long has failed anyway.
PATIENCE = 10.0
ECHOED = (b"via", b"from", b"to", b"call-id", b"cseq")
LOCATION_EVERY = 5


class Caller:
    """One app in one chat."""

    __slots__ = ("_name", "_tag", "msg_id", "unique_part")

    def __init__(self, number: int) -> None:
        self._name = f"screen{number:04d}"
        self._tag = secrets.token_hex(6)
        self.unique_part = secrets.token_hex(12)
        self.msg_id = 0

    def message(self, kind: int, text: str, *, branch: str, port: int, target: int) -> bytes:
        """Return the bytes of the app's next MESSAGE; every fifth brings a position."""
        self.msg_id += 1
        if self.msg_id % LOCATION_EVERY:
            content_type, body = "text/plain;charset=utf-8", text
        else:
            content_type, body = "multipart/mixed;boundary=bench", self._with_position(text)
        data = body.encode()
        call_info = "Call-Info: <urn:emergency:"
        return (
            f"MESSAGE sip:112@{HOST}:{target} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP {HOST}:{port};branch={branch};rport\r\n"
            "Max-Forwards: 68\r\n"
            f"From: <sip:{self._name}@{ELEMENT}>;tag={self._tag}\r\n"
            f"To: <sip:112@{HOST}:{target}>\r\n"
            f"Call-ID: {branch}@{ELEMENT}\r\n"
            f"CSeq: {self.msg_id} MESSAGE\r\n"
            f"{call_info}uid:callid:{self.unique_part}:{ELEMENT}>"
            ";purpose=EmergencyCallData.CallId\r\n"
            f"{call_info}service:uid:msgid:{self.msg_id}:{ELEMENT}>"
            ";purpose=EmergencyCallData.MsgId\r\n"
            f"{call_info}service:uid:msgtype:{kind}:{ELEMENT}>"
            ";purpose=EmergencyCallData.MsgType\r\n"
            "User-Agent: Leitstand bench\r\n"
            f"Content-Type: {content_type}\r\n"
            f"Content-Length: {len(data)}\r\n\r\n"
        ).encode() + data

    def _with_position(self, text: str) -> str:
        latitude, longitude = 48.2 + self.msg_id * 1e-5, 16.37 + self.msg_id * 1e-5
        return (
            f"--bench\r\nContent-Type: text/plain;charset=utf-8\r\n\r\n{text}\r\n"
            "--bench\r\nContent-Type: application/pidf+xml\r\n\r\n"
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            '<presence xmlns="urn:ietf:params:xml:ns:pidf"'
            ' xmlns:gp="urn:ietf:params:xml:ns:pidf:geopriv10"'
            ' xmlns:gs="http://www.opengis.net/pidflo/1.0"'
            ' xmlns:gml="http://www.opengis.net/gml"'
            f' entity="pres:{self._name}@{ELEMENT}"><tuple id="app"><status><gp:geopriv>'
            '<gp:location-info><gs:Circle srsName="urn:ogc:def:crs:EPSG::4326">'
            f"<gml:pos>{latitude:.6f} {longitude:.6f}</gml:pos>"
            '<gs:radius uom="urn:ogc:def:uom:EPSG::9001">25</gs:radius></gs:Circle>'
            "</gp:location-info><gp:usage-rules/></gp:geopriv></status></tuple></presence>\r\n"
            "--bench--\r\n"
        )


class Callers(asyncio.DatagramProtocol):
    """All callers of a measurement behind one socket."""

    def __init__(self, target: int, count: int) -> None:
        self.everyone = [Caller(number) for number in range(count)]
        self.answered = 0
        self.refused: list[int] = []
        self.heard = 0
        self._target = target
        self._waiting: dict[str, asyncio.Future[int]] = {}
        self._branches = 0
        self._run = secrets.token_hex(4)
        self._transport: asyncio.DatagramTransport

    @classmethod
    async def connect(cls, target: int, count: int) -> Self:
        """Bind a port; `target` is the gateway's on this machine."""
        loop = asyncio.get_running_loop()
        _transport, protocol = await loop.create_datagram_endpoint(
            lambda: cls(target, count), local_addr=(HOST, 0)
        )
        return protocol

    def close(self) -> None:
        """Release the port."""
        self._transport.close()

    async def open_chats(self) -> None:
        """Start every chat and wait for the answers."""
        answers = [self.send(caller, START, "Fire in the house") for caller in self.everyone]
        await self._all_answered(answers)

    async def write(
        self, writers: Sequence[Caller], *, rate: float, seconds: float
    ) -> list[list[str]]:
        """Let the writers write in turn, `rate` a second together, each text with its time stamp.

        A text is "bench <ns since 1970>". Returns the stamps that each writer sent, once the
        gateway has answered all of them.
        """
        loop = asyncio.get_running_loop()
        begun, answers = loop.time(), []
        sent: list[list[str]] = [[] for _ in writers]
        for number in range(round(rate * seconds)):
            await asyncio.sleep(begun + number / rate - loop.time())
            turn = number % len(writers)
            stamp = str(time.time_ns())
            answers.append(self.send(writers[turn], IN_CHAT, f"bench {stamp}"))
            sent[turn].append(stamp)
        await self._all_answered(answers)
        return sent

    def send(self, caller: Caller, kind: int, text: str) -> asyncio.Future[int]:
        """Send one MESSAGE now; the future is the status of its final answer."""
        self._branches += 1
        branch = f"z9hG4bK{self._run}{self._branches}"
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiting[branch] = future
        port = self._transport.get_extra_info("sockname")[1]
        data = caller.message(kind, text, branch=branch, port=port, target=self._target)
        self._transport.sendto(data, (HOST, self._target))
        return future

    async def _all_answered(self, answers: Sequence[asyncio.Future[int]]) -> None:
        done, late = await asyncio.wait(answers, timeout=PATIENCE)
        statuses = [future.result() for future in done]
        self.answered += sum(200 <= status < 300 for status in statuses)
        self.refused += [status for status in statuses if status >= 300]
        self.refused += [408] * len(late)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        head = data.partition(b"\r\n\r\n")[0].split(b"\r\n")
        if head[0].startswith(b"SIP/2.0 "):
            self._take_answer(head)
        else:
            self.heard += 1
            kept = [line for line in head[1:] if line.partition(b":")[0].strip().lower() in ECHOED]
            answer = [b"SIP/2.0 200 OK", *kept, b"Content-Length: 0", b"", b""]
            self._transport.sendto(b"\r\n".join(answer), addr)

    def _take_answer(self, head: Sequence[bytes]) -> None:
        status = int(head[0].split()[1])
        if status < 200:
            return
        via = next(line for line in head if line.lower().startswith((b"via:", b"v:")))
        branch = via.partition(b"branch=")[2].partition(b";")[0].decode()
        future = self._waiting.pop(branch, None)
        if future is not None and not future.done():
            future.set_result(status)
