"""One emergency app: its chat as TS 103 698 clause 6.2 has it, driven by a script or by a test."""

import asyncio
import secrets
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Literal, Self

from sipgateway.simulator import body, lmpe
from sipgateway.simulator.agent import NoFinalResponse, Timers, UserAgent
from sipgateway.simulator.checks import Conversation, Failure, Name
from sipgateway.simulator.message import SipMessage
from sipgateway.simulator.persona import Persona, make_persona
from sipgateway.simulator.received import AppCounters, Received, read_received
from sipgateway.simulator.shapes import Location
from sipgateway.simulator.transport import Target, target_of

USER_AGENT = "Leitstand-Simulator/1.0"
# What a redirected app waits for: the new PSAP's start, or the old one's that takes it back.
TAKES_UP = lmpe.STARTS
# "The APP shall not accept further" 265s (clause 6.2.6): understood, and refused.
FORBIDDEN = 403
ACCEPTED = 202
LONGEST_STALL = 90.0
PATIENCE = 15.0
Follows = Literal["from", "reply-to", ""]


class SimulatedApp:
    """Starts a chat, writes, moves, beats and stops; collects what the PSAP sends.

    Every sending method returns the final response and raises NoFinalResponse when there is none.
    `answer_status` is what the PSAP's messages are answered with, None for silence; what was not
    answered with 2xx is not in `received`. `proxy_headers` are added to every message, as a proxy
    on the way would. `follows` says where a redirected app goes (clause 6.2.7): to the `from` URI
    of the PSAP that redirects, as the clause has it, to its `reply-to`, the target itself, or
    nowhere ("").

    A stop|transfer/266 stalls its user: `say` waits for the start|transfer/265, whose Reply-To is
    the new peer (clause 6.2.6). A 265 that no 266 came before is answered 403 and stands in
    `refused`. Where `patient` is off, its user writes all the same; with `ends_on_transfer` a 266
    ends the chat, as in some apps. `answers` has other statuses for single message types: 202 is
    that of a server on the way, and the app never sees it. `lose_answers` counts for a type how
    many of its answers get lost, repetitions included.

    It sends by the target. One that is `direct` has no proxy: over UDP and TCP its From URI leads
    to its own socket, and it sends straight to a Reply-To that names an address. Use as an async
    context manager.
    """

    def __init__(
        self,
        target: Target,
        persona: Persona | None = None,
        *,
        call_id: str = "",
        timers: Timers | None = None,
        dialled: str = "",
        follows: Follows = "from",
        opening: int = lmpe.START,
        direct: bool = False,
        user_agent: str = USER_AGENT,
    ) -> None:
        self.persona = persona or make_persona(secrets.randbits(32), secrets.randbelow(10_000))
        self.call_id = call_id or lmpe.new_call_id(
            self.persona.element, self.persona.call_id_prefix
        )
        self.agent = UserAgent(target, self._message_received, timers=timers, at_home=direct)
        self.direct = direct
        self.user_agent = user_agent
        self.answer_status: int | None = 200
        self.answers: dict[int, int | None] = {}
        self.lose_answers: dict[int, int] = {}
        self.patient = True
        self.ends_on_transfer = False
        self.refused: list[Received] = []
        self.proxy_headers: list[tuple[str, str]] = []
        self.received: list[Received] = []
        self.failures: list[Failure] = []
        self.counters = AppCounters()
        self.greeted = asyncio.Event()
        self.ended_by_psap = False
        self.vanished = False
        self.next_target = dialled or self.persona.dialled
        self.follows: Follows = follows
        self.redirected_to = ""
        self.stalled = False
        self._free = asyncio.Event()
        self._free.set()
        self._stalled_at: float | None = None  # by a transfer
        self.location = self.persona.walk.here
        self._reported: Location | None = None
        self._msg_id = 0
        self._seen: set[tuple[str, str, str]] = set()
        self._checks = Conversation(self.call_id, opening=opening)
        self._history: list[str] = []
        self._following: asyncio.Task[None] | None = None
        self._turn = asyncio.Lock()  # one outstanding MESSAGE per target (RFC 3428 8)
        self._arrived = asyncio.Event()
        self._started_at = 0.0

    async def __aenter__(self) -> Self:
        await self.agent.open()
        if self.direct and self.agent.target.transport != "tls":
            self._live_at(*self.agent.contact)
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._following:
            self._following.cancel()
        self.agent.close()

    async def start(
        self, text: str | None = None, *, enclosed: Sequence[body.Part] = ()
    ) -> SipMessage:
        """Send start/257 with location, subscriber data and the opening text."""
        return await self._start(lmpe.START, text, enclosed)

    async def say(self, text: str, *, enclosed: Sequence[body.Part] = ()) -> SipMessage:
        """Send an in-chat/259 text, with the location when it has changed.

        While a transfer is pending a patient user waits.
        """
        if self.patient:
            await self._until_free()
        return await self._send(lmpe.IN_CHAT, text, enclosed)

    async def report(self, *parts: body.Part) -> SipMessage:
        """Send data outside of a session, as a machine does: no identifiers, no text."""
        return await self._send(None, "", parts)

    async def heartbeat(self, *, inactive: bool = False) -> SipMessage:
        """Send heartbeat/260 (388 from the background), with the location when it has changed."""
        return await self._send(lmpe.HEARTBEAT_INACTIVE if inactive else lmpe.HEARTBEAT, "")

    async def stop(self, text: str | None = None) -> SipMessage:
        """Send stop/258; an empty text sends none."""
        return await self._send(lmpe.STOP, self.persona.phrases.goodbye if text is None else text)

    def move(self, latitude: float, longitude: float, radius: float = 15.0) -> None:
        """Be somewhere else; the next message tells."""
        self.location = Location(latitude, longitude, radius)

    def walk(self) -> None:
        """Go one step of the persona's walk; the next message tells."""
        self.location = self.persona.walk.step()

    def vanish(self) -> None:
        """Send and answer nothing any more, without a stop, as a phone whose battery died."""
        self.vanished = True
        self.agent.mute()

    async def wait_for(
        self,
        predicate: Callable[[Received], bool],
        timeout: float = PATIENCE,  # noqa: ASYNC109 - every caller wants one
        *,
        after: int = 0,
    ) -> Received:
        """Return the first received message that the predicate takes; raises TimeoutError.

        `after` is the number of messages, from the first on, that are not to be looked at.
        """
        async with asyncio.timeout(timeout):
            seen = after
            while True:
                while seen < len(self.received):
                    if predicate(self.received[seen]):
                        return self.received[seen]
                    seen += 1
                self._arrived.clear()
                await self._arrived.wait()

    async def wait_for_type(
        self,
        msg_type: int,
        timeout: float = PATIENCE,  # noqa: ASYNC109
    ) -> Received:
        """Return the first message of that type; raises TimeoutError."""
        return await self.wait_for(lambda message: message.msg_type == msg_type, timeout)

    def check_silence(self) -> None:
        """Note a failure when the PSAP's heartbeats have stayed away, or never were."""
        self.failures += self._checks.silence_checked(asyncio.get_running_loop().time())

    @property
    def transferring(self) -> bool:
        """Whether a 266 has come and no 265 yet."""
        return self._stalled_at is not None

    async def _until_free(self) -> None:
        try:
            async with asyncio.timeout(LONGEST_STALL):
                await self._free.wait()
        except TimeoutError as error:
            self.failures.append(Failure(Name.TRANSFER_UNFINISHED, "no 265 after the 266"))
            raise NoFinalResponse("the user waits for a 265") from error

    def _live_at(self, host: str, port: int) -> None:
        name = self.persona.uri.partition(":")[2].partition("@")[0]
        shown = f"[{host}]" if ":" in host else host
        over = ";transport=tcp" if self.agent.target.transport == "tcp" else ""
        self.persona = replace(self.persona, uri=f"sip:{name}@{shown}:{port}{over}")

    async def _start(
        self, msg_type: int, text: str | None, enclosed: Sequence[body.Part] = ()
    ) -> SipMessage:
        self._started_at = asyncio.get_running_loop().time()
        person = self.persona
        about = body.subscriber_part(person.display_name, person.phone, person.language)
        return await self._send(msg_type, text or person.texts[0], [about, *enclosed])

    async def _send(
        self, msg_type: int | None, text: str, enclosed: Sequence[body.Part] = ()
    ) -> SipMessage:
        async with self._turn:
            self._msg_id += 1
            headers, content = self._compose(msg_type, text, enclosed)
            sent_at = asyncio.get_running_loop().time()
            try:
                response = await self.agent.request(
                    "MESSAGE", self.next_target, headers, content, to=self._straight_to()
                )
            except NoFinalResponse as error:
                if not self.vanished:
                    detail = f"{msg_type} with MsgId {self._msg_id}: {error}"
                    self.failures.append(Failure(Name.REQUEST_UNANSWERED, detail))
                self._reported = None  # nobody has it: the next message tells again
                raise
        self.counters.answer_latencies.append(asyncio.get_running_loop().time() - sent_at)
        self.failures += self._checks.response_received(response)
        if response.status < 300:
            self.counters.texts_sent += bool(text)
            self.counters.heartbeats_sent += msg_type in lmpe.HEARTBEATS
        else:
            self._reported = None
        return response

    def _straight_to(self) -> Target | None:
        return target_of(self.next_target, self.agent.target) if self.direct else None

    def _compose(
        self, msg_type: int | None, text: str, enclosed: Sequence[body.Part]
    ) -> tuple[list[tuple[str, str]], bytes]:
        person, parts = self.persona, list(enclosed)
        geolocation = []
        if msg_type and self.location != self._reported:
            self._reported = self.location
            where = body.location_part(self.location, person.uri, person.element)
            parts.insert(0, where)
            geolocation = [
                ("Geolocation", f"<cid:{where.content_id}>"),
                ("Geolocation-Routing", "yes"),
            ]
        if text:
            parts.append(body.text_part(text))
        content_type, content = body.compose(parts)
        # As ng112-js: a From tag, Call-ID and CSeq of its own for every message.
        headers = [
            ("Max-Forwards", "70"),
            ("To", f"<{self.next_target}>"),
            ("From", f'"{person.display_name}" <{person.uri}>;tag={secrets.token_hex(5)}'),
            ("Call-ID", secrets.token_hex(10)),
            ("CSeq", f"{secrets.randbelow(9_999) + 1} MESSAGE"),
            ("History-Info", self._came_by()),
            *geolocation,
            *self._identifiers(msg_type),
            ("Accept-Language", person.language),
            ("Content-Language", person.language),
            ("Content-Type", content_type),
            ("User-Agent", self.user_agent),
            *self.proxy_headers,
        ]
        return headers, content

    def _identifiers(self, msg_type: int | None) -> list[tuple[str, str]]:
        if msg_type is None:
            return []
        return lmpe.call_info(self.call_id, self._msg_id, msg_type, self.persona.element)

    def _came_by(self) -> str:
        """History-Info: every PSAP that redirected us, and where this goes (RFC 7044)."""
        way = [*self._history, self.next_target]
        indexes = (".".join(["1"] * (depth + 1)) for depth in range(len(way)))
        return ", ".join(f"<{uri}>;index={index}" for uri, index in zip(way, indexes, strict=True))

    def _message_received(self, message: SipMessage) -> int | None:
        msg_type = lmpe.identify(message).msg_type or lmpe.IN_CHAT
        status = self.answers.get(msg_type, self.answer_status)
        if status is None or status >= 300 or (msg_type in self.answers and status == ACCEPTED):
            return status
        key = (message.header("from"), message.header("call-id"), message.header("cseq"))
        if key in self._seen:  # repeated after Timer J, by a PSAP that lost our answer
            self.agent.counters.duplicates += 1
        else:
            now = asyncio.get_running_loop().time()
            if msg_type == lmpe.START_TRANSFER and not self.stalled:
                self.refused.append(read_received(message, now))
                self.failures.append(Failure(Name.START_REFUSED, message.header("call-info")))
                return FORBIDDEN
            self._seen.add(key)
            self.failures += self._out_of_turn(msg_type, message)
            self.failures += self._checks.message_received(message, now)
            self._take(message, now)
        if self.lose_answers.get(msg_type, 0) > 0:
            self.lose_answers[msg_type] -= 1
            return None
        return status

    def _out_of_turn(self, msg_type: int, message: SipMessage) -> list[Failure]:
        """Check that whoever has sent us away sends nothing more."""
        if not self.stalled or msg_type in TAKES_UP:
            return []
        if not self.transferring:
            return [Failure(Name.SENT_AFTER_REDIRECT, message.header("call-info"))]
        if msg_type == lmpe.STOP_TRANSFER:
            return []
        return [Failure(Name.SENT_AFTER_TRANSFER, message.header("call-info"))]

    def _take(self, message: SipMessage, now: float) -> None:
        received = read_received(message, now)
        self.received.append(received)
        self._arrived.set()
        self.counters.heartbeats_received += received.msg_type in lmpe.HEARTBEATS
        self.counters.texts_received += bool(received.text)
        if received.msg_type in lmpe.STARTS:
            self.next_target = received.reply_to or self.next_target
            if not self.greeted.is_set():
                self.counters.greeting_latency = now - self._started_at
            self.greeted.set()
            if self._stalled_at is not None and received.msg_type == lmpe.START_TRANSFER:
                self.counters.transfer_gaps.append(now - self._stalled_at)
            self.stalled, self._stalled_at = False, None
            self._free.set()
        elif received.msg_type == lmpe.STOP_REDIRECT and self.follows:
            self._go_over(message)
        elif received.msg_type == lmpe.STOP_TRANSFER and not self.ends_on_transfer:
            self.stalled, self._stalled_at = True, now
            self._free.clear()
        elif received.msg_type in lmpe.ENDINGS:
            self.ended_by_psap = True

    def _go_over(self, message: SipMessage) -> None:
        """Stall until the new PSAP's 257 and call it (clause 6.2.7)."""
        self.stalled = True
        self.redirected_to = message.header("reply-to")
        self._history.append(self.next_target)
        sender = message.header("from").partition("<")[2].partition(">")[0]
        self.next_target = self.redirected_to if self.follows == "reply-to" else sender
        self._checks = Conversation(self.call_id, continues=True)
        self._reported = None
        self._following = asyncio.create_task(self._call_target())

    async def _call_target(self) -> None:
        try:
            await self._start(lmpe.START_REDIRECT, None)
        except NoFinalResponse:
            self.failures.append(Failure(Name.REDIRECT_UNFINISHED, self.redirected_to))
