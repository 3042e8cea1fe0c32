"""The outbox's way out: claims what is due, sends it, and marks what became of it.

One outstanding MESSAGE per chat, in order. Everything that a message says was committed before;
what is sent twice after a crash is the same bytes.
"""

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from chats.services.deliveries import Delivery, record_deliveries
from chats.services.message_types import OF_TRANSFERS, SENT_AWAY
from psap.failpoints import reach
from sipgateway.database import Connection, Database
from sipgateway.flows import Flow
from sipgateway.followups import Again, Credentials, follow
from sipgateway.outbound import Letter, compose
from sipgateway.outgoing import Outgoing
from sipgateway.protocol.errors import LocalProtocolError
from sipgateway.protocol.message import Response
from sipgateway.routes import NoRoute, Routes
from sipgateway.verdicts import NO_ANSWER, UNADDRESSABLE, judge

logger = logging.getLogger(__name__)

POLL = 1.0
# Longer than Timer F (32 s) and a connection's set-up.
LEASE = timedelta(seconds=45)
MOST_IN_FLIGHT = 10_000
# From here on only first attempts are claimed: repetitions to dead peers keep no new text back.
CROWDED = 8_000
LARGEST_CLAIM = 256
MARK_AGAIN = 0.2
# An app that waits for another PSAP waits for this outcome.
MARK_SOON = 0.02
ANY_ATTEMPT = 2**31 - 1
# Characters of a foreign reason phrase that go on the record and to all screens.
LONGEST_REASON = 200
STALE = "transfer"

# Our 265 as transferee is never sent after its time (clause 6.3.3): the transferor takes the chat
# back then, and the app would follow whoever comes last.
_TOO_LATE = """
    EXISTS (
        SELECT FROM chats_transfer t
        WHERE t.chat_id = m.chat_id AND t.start_message_id = m.id AND t.side = 'in'
          AND (t.state IN ('uncertain', 'failed', 'released')
            OR t.state = 'executing' AND t.execution_expires_at <= %(now)b))"""
_RECLAIM = b"UPDATE chats_outboxentry SET lease_until = NULL WHERE lease_holder = %b"
_CLAIM = f"""
WITH due AS (
    SELECT o.message_id FROM chats_outboxentry o JOIN chats_message m ON m.id = o.message_id
    WHERE m.status IN ('queued', 'sending') AND o.due_at <= %(now)b
      AND (o.lease_until IS NULL OR o.lease_until < %(now)b)
      AND o.attempts <= %(attempts)b
      AND NOT EXISTS (
          SELECT 1 FROM chats_message e
          WHERE e.chat_id = m.chat_id AND e.id < m.id
            AND e.status IN ('queued', 'sending', 'deferred'))
      AND (m.type <> 265 OR o.attempts > 0 OR NOT {_TOO_LATE})
    ORDER BY o.attempts, o.due_at, o.message_id LIMIT %(most)b
    FOR UPDATE OF o SKIP LOCKED
), claimed AS (
    UPDATE chats_outboxentry o
    SET lease_until = %(until)b, lease_holder = %(holder)b, attempts = attempts + 1
    FROM due WHERE o.message_id = due.message_id
    RETURNING o.message_id, o.sip_call_id, o.cseq, o.branch, o.attempts, o.redirected_to,
        o.authorization AS proof, o.reply_to, o.priority
), marked AS (
    UPDATE chats_message m SET status = 'sending'
    FROM claimed WHERE m.id = claimed.message_id
        AND m.status IN ('queued', 'sending')  -- or it was cancelled this very moment
    RETURNING m.id, m.chat_id, m.type, m.msg_id, m.text
)
SELECT m.id, m.chat_id, m.type, m.msg_id, m.text, k.sip_call_id, k.cseq, k.branch, k.attempts,
    c.call_id, c.local_tag, c.target_uri,
    c.transport, c.peer, c.session, c.liveness, k.redirected_to, k.proof, c.trunk,
    k.reply_to, k.priority, c.session = 'transferred' OR m.type = 265 AND {_TOO_LATE}
FROM marked m JOIN claimed k ON k.message_id = m.id JOIN chats_chat c ON c.id = m.chat_id
ORDER BY m.id
""".encode()  # noqa: S608


class OutboxSender:
    """Two tasks: one claims and sends, one writes down what came back."""

    def __init__(
        self,
        database: Database,
        *,
        name: str,
        outgoing: Outgoing,
        routes: Routes,
        public_uri: Callable[[], str],
        credentials_for: Callable[[Flow, str], Credentials],
        way_of: Callable[[int], tuple[str, str] | None],
        ended: Callable[[int], None],
        dismissed: Callable[[int], None],
        reached: Callable[[int, str, str, str], None],
        recorded: Callable[[list[Delivery]], None],
        exposed: Callable[[int, str], None] = lambda chat_id, transport: None,
    ) -> None:
        self._database = database
        self._name = name
        self._outgoing = outgoing
        self._routes = routes
        self._public_uri = public_uri
        self._credentials_for = credentials_for
        self._way_of = way_of
        self._ended = ended
        self._dismissed = dismissed
        self._reached = reached
        self._recorded = recorded
        self._exposed = exposed
        self._wake = asyncio.Event()
        # Claimed here and not written down yet: never sent again, also when a lease has run out.
        self._held: set[int] = set()
        self._claims_on: Connection | None = None
        self._deliveries: list[Delivery] = []
        self._delivered = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    def wake(self) -> None:
        """Look for work now."""
        self._wake.set()

    async def run(self) -> None:
        """Claim and send for ever."""
        while True:
            self._wake.clear()
            letters = await self._database.retry(self._claim)
            for letter in letters:
                self._held.add(letter.message_id)
                task = asyncio.create_task(self._dispatch(letter))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            if letters:
                continue
            try:
                async with asyncio.timeout(POLL):
                    await self._wake.wait()
            except TimeoutError:
                pass

    async def run_marking(self, database: Database) -> None:
        """Write down outcomes for ever, on a connection of its own."""
        while True:
            await self._delivered.wait()
            self._delivered.clear()
            deliveries, self._deliveries = self._deliveries, []
            waiting = await database.retry(lambda: _record(database, deliveries))  # noqa: B023
            still = {delivery.message_id for delivery in waiting}
            done = [delivery for delivery in deliveries if delivery.message_id not in still]
            self._held.difference_update(delivery.message_id for delivery in done)
            self._recorded(done)
            self._wake.set()
            if waiting:
                self._deliveries = waiting + self._deliveries
                urgent = any(delivery.msg_type in OF_TRANSFERS for delivery in waiting)
                await asyncio.sleep(MARK_SOON if urgent else MARK_AGAIN)
                self._delivered.set()

    async def _claim(self) -> list[Letter]:
        room = MOST_IN_FLIGHT - len(self._held)
        if room <= 0:
            return []
        connection = await self._database.connection()
        if connection is not self._claims_on:
            # What a crash of ours left leased, or a claim whose answer was lost on its way.
            await connection.execute(_RECLAIM, (self._name,))
            self._claims_on = connection
        now = datetime.now(UTC)
        cursor = await connection.execute(
            _CLAIM,
            {
                "now": now,
                "until": now + LEASE,
                "holder": self._name,
                "attempts": ANY_ATTEMPT if len(self._held) < CROWDED else 0,
                "most": min(room, LARGEST_CLAIM),
            },
        )
        letters = [Letter(*row) for row in await cursor.fetchall()]
        return [letter for letter in letters if letter.message_id not in self._held]

    async def _dispatch(self, letter: Letter) -> None:
        try:
            if letter.stale:
                self._judge(letter, None, STALE)
                return
            transport, peer = self._way_of(letter.chat_id) or (letter.transport, letter.peer)
            if letter.msg_type in SENT_AWAY:
                self._dismissed(letter.chat_id)
            elif letter.session != "open":  # nothing follows our stop, no heartbeat either
                self._ended(letter.chat_id)
            if letter.redirected_to:  # by the proxy where there is one: it guards what is inside
                transport, peer = "", ""
            flow = await self._routes.find(
                transport,
                peer,
                letter.request_uri,
                trunk=letter.trunk,
                exposed=lambda transport: self._exposed(letter.chat_id, transport),
            )
            self._send(letter, flow)
        except NoRoute as error:
            self._judge(letter, None, str(error))
        except Exception:  # a fault of ours; the text must not stay on its way for ever
            logger.exception("message %d was not sent", letter.message_id)
            self._judge(letter, None, "internal error")

    def _send(self, letter: Letter, flow: Flow) -> None:
        try:
            data = compose(letter, public_uri=self._public_uri(), via=self._routes.via(flow))
        except LocalProtocolError as error:
            self._judge(letter, UNADDRESSABLE, str(error))
            return

        def done(status: int, response: Response | None) -> None:
            reach("before-marking")
            if response is None:
                self._judge(letter, status, NO_ANSWER)
                return
            if not letter.peer and 200 <= status < 300:
                self._reached(letter.chat_id, flow.transport, flow.peer, flow.trunk)
            again = follow(letter, status, response, self._credentials_for(flow, letter.trunk))
            self._judge(letter, status, f"{status} {response.reason[:LONGEST_REASON]}", again)

        self._outgoing.send(data, letter.branch, flow, done)
        reach("after-sending")

    def _judge(
        self, letter: Letter, status: int | None, cause: str, again: Again | None = None
    ) -> None:
        self._deliveries.append(judge(letter, status, cause, datetime.now(UTC), again))
        self._delivered.set()


async def _record(database: Database, deliveries: list[Delivery]) -> list[Delivery]:
    connection = await database.connection()
    async with connection.transaction():
        return await record_deliveries(connection, deliveries)
