"""Passing on what reaches us for a chat that another PSAP has, and settling redirects that are due.

Both work on rows in a thread of their own, by Django's ORM: a redirect is rare, and nothing of it
may cost the way of messages anything.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from datetime import UTC, datetime, timedelta

from chats.models import RelayStatus
from chats.services.due_sessions import settle_due_sessions
from chats.services.relays import (
    ClaimedRelay,
    RelayOutcome,
    claim_relays,
    free_relays,
    record_relay,
)
from psap.failpoints import reach
from sipgateway.configuration import Configuration
from sipgateway.flows import Flow
from sipgateway.outgoing import Outgoing
from sipgateway.protocol.errors import LocalProtocolError
from sipgateway.protocol.location_words import Located
from sipgateway.protocol.message import Response
from sipgateway.protocol.onward import onward_message
from sipgateway.record_thread import UNREACHABLE, RecordThread
from sipgateway.routes import NoRoute, Routes
from sipgateway.testcalls import answer_text
from sipgateway.unprojected import request_of

logger = logging.getLogger(__name__)

TURN = 1.0
# How soon an outcome is written down whose chat was held.
RECORD_AGAIN = 0.2
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 30.0
MOST_ATTEMPTS = 10
# Of a chat that another PSAP has for good nothing but this brings the message there: an hour.
MOST_AFTER_TRANSFER = 120
SILENCE = 408
NO_ANSWER = "no answer"
HERE_AGAIN = "the chat is here again"
# What was relayed for a transfer before, and could not be: the chat has come back since.
BACK = frozenset({"open", "transferring", "arriving"})


class Onward:
    """Two tasks: one claims and sends on, one settles deadlines, each second."""

    def __init__(
        self,
        *,
        outgoing: Outgoing,
        routes: Routes,
        configuration: Callable[[], Configuration],
        listening_since: Callable[[], datetime],
        exposed: Callable[[int, str], None],
        relayed_over: Callable[[ClaimedRelay, Flow], None],
        changed: Callable[[], None],
    ) -> None:
        self._outgoing = outgoing
        self._routes = routes
        self._configuration = configuration
        self._listening_since = listening_since
        self._exposed = exposed
        self._relayed_over = relayed_over
        self._changed = changed
        self._wake = asyncio.Event()
        self._thread = RecordThread("onward")
        self._tasks: set[asyncio.Task[None]] = set()
        self._held: set[int] = set()

    def wake(self) -> None:
        """Look for work now."""
        self._wake.set()

    async def run(self) -> None:
        """Pass on for ever; what a crash has left claimed goes out again, byte for byte."""
        freed = False
        while True:
            self._wake.clear()
            try:
                if not freed:
                    await self._thread.run(free_relays)
                    freed = True
                claimed = await self._thread.run(claim_relays, now=datetime.now(UTC))
            except UNREACHABLE as error:
                logger.warning("relays were not claimed: %s", error)
                claimed, freed = [], False  # it may have claimed them, its answer lost
            for relay in claimed:
                if relay.message_id not in self._held:
                    self._start(self._pass_on(relay))
            try:
                async with asyncio.timeout(TURN):
                    await self._wake.wait()
            except TimeoutError:
                pass

    async def run_deadlines(self) -> None:
        """Settle sessions that are due, for ever."""
        while True:
            await asyncio.sleep(TURN)
            try:
                settled = await self._thread.run(
                    settle_due_sessions,
                    now=datetime.now(UTC),
                    listening_since=self._listening_since(),
                    test_answer=self._answer_to_test,
                )
            except UNREACHABLE as error:
                logger.warning("sessions were not settled: %s", error)
                continue
            if settled:
                self._changed()

    def _answer_to_test(self, service: str, fixes: Sequence[Located]) -> str:
        return answer_text(self._configuration().psap_name, service, fixes)

    async def _pass_on(self, relay: ClaimedRelay) -> None:
        self._held.add(relay.message_id)
        reach("relay-claimed")
        try:
            if relay.session in BACK:
                await self._record(relay, None, HERE_AGAIN, fails=True)
                return
            flow = await self._routes.find(
                "",
                "",
                relay.target,
                trunk=relay.trunk,
                exposed=lambda transport: self._exposed(relay.chat_id, transport),
                of_stranger=False,  # one of the URIs of a peer, as the administrator wrote it
            )
            self._relayed_over(relay, flow)
            status, cause = await self._send(relay, flow)
            await self._record(relay, status, cause)
        except NoRoute as error:
            await self._record(relay, None, str(error))
        except LocalProtocolError as error:
            await self._record(relay, None, str(error), fails=True)
        except Exception:  # a fault of ours: it is tried again when its lease has run out
            logger.exception("message %d was not relayed", relay.message_id)
        finally:
            self._held.discard(relay.message_id)

    async def _send(self, relay: ClaimedRelay, flow: Flow) -> tuple[int, str]:
        via = self._routes.via(flow)
        data = onward_message(
            request_of(relay.raw),
            target=relay.target,
            branch=relay.branch,
            via_transport=via.transport,
            via_host=via.host,
            via_port=via.port,
            trusted=relay.trusted,
        )
        answered: asyncio.Future[tuple[int, str]] = asyncio.get_running_loop().create_future()

        def done(status: int, response: Response | None) -> None:
            if not answered.done():
                reason = f"{status} {response.reason}" if response else NO_ANSWER
                answered.set_result((status, reason))

        self._outgoing.send(data, relay.branch, flow, done)
        reach("relay-sent")
        return await answered

    async def _record(
        self, relay: ClaimedRelay, status: int | None, cause: str, *, fails: bool = False
    ) -> None:
        reach("relay-answered")
        outcome = judge_relay(relay, status, cause, datetime.now(UTC), fails=fails)
        while True:
            try:
                if await self._thread.run(record_relay, outcome):
                    break
                await asyncio.sleep(RECORD_AGAIN)
            except UNREACHABLE as error:  # what the target has taken stays taken
                logger.warning("a relay was not recorded: %s", error)
                await asyncio.sleep(TURN)
        reach("relay-recorded")
        self._changed()
        self._wake.set()

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def judge_relay(
    relay: ClaimedRelay, status: int | None, cause: str, now: datetime, *, fails: bool = False
) -> RelayOutcome:
    """Decide: relayed, again later, or failed. Until when it is tried is the chat's deadline."""

    def outcome(kind: RelayStatus, retry_at: datetime | None = None) -> RelayOutcome:
        anew = status is not None and cause != NO_ANSWER
        shown = "" if kind is RelayStatus.RELAYED else cause
        return RelayOutcome(
            relay.message_id, relay.chat_id, kind, status, shown, now, retry_at, anew
        )

    if status is not None and 200 <= status < 300:
        return outcome(RelayStatus.RELAYED)
    passing = status is None or status == SILENCE or 500 <= status < 600
    most = MOST_AFTER_TRANSFER if relay.session == "transferred" else MOST_ATTEMPTS
    if fails or not passing or relay.attempts >= most:
        return outcome(RelayStatus.FAILED)
    pause = min(FIRST_PAUSE * 2 ** min(relay.attempts - 1, 10), LONGEST_PAUSE)
    return outcome(RelayStatus.QUEUED, now + timedelta(seconds=pause))
