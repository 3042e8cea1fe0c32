"""What a SIP message that arrives leads to: an answer, a place in the journal, or silence.

MESSAGE is acknowledged by the journal after its COMMIT, never here; only a heartbeat that brings
nothing new is answered from memory.
"""

import logging
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime

from sipgateway.answers import response_bytes, way_back
from sipgateway.arrivals import Arrival
from sipgateway.configuration import Configuration
from sipgateway.figures import GatewayFigures
from sipgateway.flows import Flow, split_address
from sipgateway.journal import JournalWriter
from sipgateway.outgoing import Outgoing
from sipgateway.overload import Overload
from sipgateway.passing_back import PassingBack
from sipgateway.precedence import Kind, kind_of_rank, place_of
from sipgateway.presence import Presence
from sipgateway.protocol.errors import LocalProtocolError, RemoteProtocolError
from sipgateway.protocol.geolocation import geolocation_error
from sipgateway.protocol.invite_refusal import RefusedInvites
from sipgateway.protocol.lmpe import MessageType, identify, identify_caller, request_key
from sipgateway.protocol.message import Request, Response, parse_message
from sipgateway.protocol.overload import offers_loss_control
from sipgateway.protocol.transaction import Retransmission, ServerTransactions
from sipgateway.protocol.uas import Answer, answer_to
from sipgateway.refusals import RefusalLog
from sipgateway.testcalls import TakenTests

logger = logging.getLogger(__name__)

STARTS = (MessageType.START, MessageType.START_REDIRECT)
MOST_EARLY = 10_000


class Intake:
    """The first to see what a transport has framed."""

    def __init__(
        self,
        *,
        journal: JournalWriter,
        presence: Presence,
        passing_back: PassingBack,
        outgoing: Outgoing,
        configuration: Callable[[], Configuration],
        commits_succeed: Callable[[], bool],
        overload: Overload,
        tests: TakenTests,
        figures: GatewayFigures,
        clock: Callable[[], float],
    ) -> None:
        self._overload = overload
        self._figures = figures
        self._journal = journal
        self._tests = tests
        self._presence = presence
        self._passing_back = passing_back
        self._outgoing = outgoing
        self._configuration = configuration
        self._commits_succeed = commits_succeed
        self._clock = clock
        self._transactions = ServerTransactions()
        self._refused_invites: RefusedInvites[tuple[Request, Flow, Answer]] = RefusedInvites()
        self.refusals = RefusalLog(clock)
        self._early: deque[tuple[Request, Flow]] | None = deque(maxlen=MOST_EARLY)

    def begin(self) -> None:
        """Take up what came before the configuration was read: whom we trust decides what it is.

        What came to a port that turns out to belong to no trunk is dropped.
        """
        early, self._early = self._early, None
        for request, flow in early or ():
            if flow.trunk or not self._configuration().has_trunk_rows:
                self._receive_message(request, flow)

    def receive(self, data: bytes, flow: Flow) -> bool:
        """Take one datagram or one frame of a stream; True when it was turned away unread."""
        try:
            if (
                self._journal.is_crowded
                and not flow.reliable
                and self._overload.turns_away(data, flow)
            ):
                return True
            self._receive(data, flow)
        except Exception:  # a fault of ours must not cost the others on that connection theirs
            logger.exception("what %s sent was not understood", flow.peer)
        return False

    def _receive(self, data: bytes, flow: Flow) -> None:
        if not data.strip(b"\r\n\0"):
            return  # a keep-alive (RFC 5626 3.5.1)
        try:
            message = parse_message(data)
        except RemoteProtocolError as error:
            self.refuse(error, flow)
            return
        if isinstance(message, Response):
            self._outgoing.receive_response(message)
        elif message.method == "MESSAGE":
            self._receive_message(message, flow)
        else:
            self._receive_other(message, flow)

    def _receive_other(self, request: Request, flow: Flow) -> None:
        """Answer what is no MESSAGE; an INVITE over UDP again and again until its ACK."""
        answer = answer_to(request, serves=self._commits_succeed())
        if answer is None:
            self._refused_invites.acknowledge(request)
            return
        self._answer(request, flow, *answer)
        if request.method == "INVITE" and not flow.reliable:
            self._refused_invites.refuse(request, (request, flow, answer), self._clock())

    def refuse(self, error: RemoteProtocolError, flow: Flow) -> None:
        """Count what could not be taken, and answer it as far as it can be answered."""
        self.refusals.note(flow.peer, f"{error.status} {error.reason}")
        request = error.request
        if isinstance(request, Request) and request.method != "ACK":
            self._answer(request, flow, error.status)

    def refuse_oversized(self, header: bytes, flow: Flow) -> None:
        """Answer 413 to a message over the hard limit, of which only the header was read."""
        try:
            message = parse_message(header)
        except RemoteProtocolError as error:
            message = error.request
        request = message if isinstance(message, Request) else None
        self.refuse(RemoteProtocolError(413, "over the size limit", request), flow)

    def expire(self) -> None:
        """Forget transactions whose Timer J has fired; refuse INVITEs again that got no ACK."""
        now = self._clock()
        self._transactions.expire(now)
        for request, flow, answer in self._refused_invites.due(now):
            self._answer(request, flow, *answer)

    def _receive_message(self, request: Request, flow: Flow) -> None:
        if self._early is not None:
            self._early.append((request, flow))
            return
        now = self._clock()
        outcome = self._transactions.receive_request(
            request, now, source=flow.peer, reliable=flow.reliable
        )
        if isinstance(outcome, Retransmission):
            self._figures.retransmissions += 1
            if outcome.final is not None:
                way_back(request, flow).send(outcome.final)
            return
        trunk = flow.trunk
        trusted = flow.trusted
        if trusted is None:
            trusted = self._configuration().trunk_of(trunk).trusts(split_address(flow.peer)[0])
        arrival = Arrival(
            request=request,
            identifiers=identify(request.headers),
            caller=identify_caller(request.headers, trusts_assertion=trusted),
            flow=flow,
            transaction=outcome,
            received_at=datetime.now(UTC),
            trunk=trunk,
            key=request_key(request),
            trusted_peer=trusted,
        )
        self._figures.count_received(arrival.identifiers.msg_type, trunk, flow.transport)
        if self._passing_back.concerns(arrival):
            self._passing_back.pass_back(arrival, self._conclude, self.give_up)
        elif self._presence.absorbs(arrival):
            self._figures.absorbed += 1
            self.acknowledge(arrival)
        elif reason := self._tests.refuses(arrival, self._configuration()):
            self.refusals.note(flow.peer, f"486 {reason}")
            self._conclude(arrival, 486)
        elif not self._journal.offer(arrival):
            self._put_off(arrival)

    def _put_off(self, arrival: Arrival) -> None:
        """Do what the other side copes with where there is no room; docs/sip.md has the table.

        New calls are refused where the upstream is known to take them elsewhere. What nobody
        would repeat waits, and what follows it with its sender. Over UDP there is silence, so that
        the app sends it again: a 503 could end its attempt.
        """
        flow = arrival.flow
        self.refusals.note(flow.peer, "no room in the journal's queue")
        kind = kind_of_rank(place_of(arrival, self._presence).rank)
        copes = self._configuration().trunk_of(arrival.trunk).upstream_copes_with_503
        if copes and kind is not Kind.LIVE:
            self._answer(arrival.request, flow, 503, self._come_again(arrival))
            self.give_up(arrival)
        elif flow.reliable:
            self._journal.hold(arrival)
        else:
            self.give_up(arrival)

    def _come_again(self, arrival: Arrival) -> tuple[tuple[str, str], ...]:
        """Say when; not to clients of overload control, whose `oc` says how much instead."""
        if offers_loss_control(arrival.request.headers.get("via") or ""):
            return ()
        seconds = self._overload.retry_after(arrival.key[0] / 255)
        return (("Retry-After", str(seconds)),)

    def give_up(self, arrival: Arrival) -> None:
        """Forget a request that is not answered: when it comes again it is a new one."""
        self._transactions.forget(arrival.transaction)

    def acknowledge(self, arrival: Arrival) -> None:
        """Send the 200 and keep it for retransmissions."""
        self._conclude(arrival, 200, _remarks(arrival))

    def _conclude(
        self, arrival: Arrival, status: int, headers: tuple[tuple[str, str], ...] = ()
    ) -> None:
        self._figures.answers[status] += 1
        data = response_bytes(arrival.request, arrival.flow, status, headers, self._overload.report)
        try:
            arrival.transaction.respond(data, self._clock())
        except LocalProtocolError:
            pass  # it took us longer than Timer F; the app may still listen
        way_back(arrival.request, arrival.flow).send(data)

    def _answer(
        self, request: Request, flow: Flow, status: int, headers: tuple[tuple[str, str], ...] = ()
    ) -> None:
        self._figures.answers[status] += 1
        data = response_bytes(request, flow, status, headers, self._overload.report)
        way_back(request, flow).send(data)


def _remarks(arrival: Arrival) -> tuple[tuple[str, str], ...]:
    """What the 200 to a call's first message says beside."""
    if arrival.identifiers.msg_type not in STARTS:
        return ()
    error = geolocation_error(arrival.request)
    return (error,) if error else ()
