"""The projector: applies journaled messages to their chats, right behind the journal.

A chat that somebody else holds, or a message that the database refuses, waits its turn alone. A
sweep takes up what a crash left between journal and chat.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from datetime import timedelta

import psycopg

from chats.services.incoming import (
    HouseRules,
    IncomingMessage,
    Projection,
    Step,
    project_messages,
)
from sipgateway.configuration import Configuration
from sipgateway.database import Database
from sipgateway.interpret import interpret, interpret_text_alone
from sipgateway.journal import Journaled
from sipgateway.pace import Pace
from sipgateway.protocol import session
from sipgateway.set_aside import APART, REDUCED, TRIES, interpret_apart, note_set_aside
from sipgateway.testcalls import answer_to_test
from sipgateway.waiting import WaitingRoom

logger = logging.getLogger(__name__)

LARGEST_BATCH = 512
# What may wait here, acknowledged, in bytes and in seconds. Here everybody waits in one line, so
# the rest had better wait for the journal, where urgent ones go first.
LARGEST_BACKLOG = 128 * 1024 * 1024
LONGEST_BACKLOG = 1.0
LEAST_BACKLOG = 2 * LARGEST_BATCH
SMOOTHING = 0.2
CYCLE = 0.05
# How soon a chat that was held is tried again.
LOOK_AGAIN = 0.1

_steps: dict[tuple[str | None, int, bool, bool, bool, bool], Step] = {}


def machine(
    state: str | None,
    msg_type: int,
    *,
    has_text: bool,
    standalone: bool,
    test: bool,
    comes_back: bool,
) -> Step:
    """Run the protocol core's session machine, in the words of the record."""
    key = (state, msg_type, has_text, standalone, test, comes_back)
    step = _steps.get(key)
    if step is None:
        known = session.Session(state) if state is not None else None
        outcome = session.step(
            known,
            msg_type,
            has_text=has_text,
            standalone=standalone,
            test=test,
            comes_back=comes_back,
        )
        step = Step(outcome.new.value, frozenset(action.value for action in outcome.actions))
        if len(_steps) < 10_000:  # message types are the caller's to choose
            _steps[key] = step
    return step


class Projector:
    """One task that keeps the chats in step with the journal."""

    def __init__(
        self,
        database: Database,
        *,
        configuration: Callable[[], Configuration],
        projected: Callable[[Projection], None],
        clock: Callable[[], float],
        beats_between: Callable[[int, int, int], int | None] = lambda chat_id, after, before: 0,
    ) -> None:
        self._database = database
        self._clock = clock
        self._configuration = configuration
        self._projected = projected
        self._beats_between = beats_between
        self._queue: deque[IncomingMessage] = deque()
        self._journaled: deque[Journaled] = deque()
        self._handed_over = 0  # bytes
        self._pace = Pace(clock, cycle=CYCLE)
        self._waiting = WaitingRoom(clock)
        self._refused_had_its_turn = False
        self._filled = asyncio.Event()
        self._under_way = 0
        # When how many arrived, and how many of the first of these have had their turn.
        self._arrived: deque[tuple[float, int]] = deque()
        self._had_their_turn = 0
        self._rate = 0.0  # messages a second, while there is a backlog

    def hand_over(self, journaled: Journaled) -> None:
        """Take messages that were just committed to the journal."""
        if journaled:
            self._journaled.append(journaled)
            self._arrived.append((self._clock(), len(journaled)))
            self._handed_over += sum(arrival.size for _, arrival in journaled)
            self._filled.set()

    def take_up(self, messages: list[IncomingMessage]) -> None:
        """Take messages that the sweep found in the journal and on no chat."""
        known = self._waiting.journal_ids() | {m.journal_id for m in self._queue}
        known |= {journal_id for batch in self._journaled for journal_id, _ in batch}
        fresh = [m for m in messages if m.journal_id not in known]
        self._queue.extend(fresh)
        if fresh:
            self._arrived.append((self._clock(), len(fresh)))
        self._filled.set()

    @property
    def is_busy(self) -> bool:
        """Whether messages wait in memory that need nothing but their turn."""
        return bool(self._queue or self._journaled)

    @property
    def backlog(self) -> int:
        """How many journaled messages are not on their chat yet."""
        unread = sum(map(len, self._journaled))
        return unread + len(self._queue) + self._under_way + len(self._waiting)

    @property
    def waiting(self) -> int:
        """How many of them wait for a chat that is held elsewhere, or were refused."""
        return len(self._waiting)

    @property
    def lag(self) -> float:
        """Seconds since the first was acknowledged of those that need nothing but their turn."""
        return self._clock() - self._arrived[0][0] if self._arrived else 0.0

    @property
    def is_behind(self) -> bool:
        """Whether so much waits that no more should be acknowledged for now."""
        if self._handed_over > LARGEST_BACKLOG:
            return True
        return self.backlog > max(LEAST_BACKLOG, LONGEST_BACKLOG * self._rate)

    async def run(self) -> None:
        """Project for ever."""
        while True:
            batch = self._next_batch()
            if batch:
                self._under_way = len(batch)
                begun = self._clock()
                projecting = asyncio.create_task(self._project(batch))
                await self._read_ahead(projecting)
                await projecting
                self._under_way = 0
                self._forget_arrived()
                if self.is_busy:
                    seconds = max(self._clock() - begun, 0.001)
                    self._rate += SMOOTHING * (len(batch) / seconds - self._rate)
                # Who has a backlog needs no pause to fill the next batch.
                await asyncio.sleep(self._pace.pause(0 if self.is_busy else len(batch)))
                continue
            self._filled.clear()
            try:
                async with asyncio.timeout(LOOK_AGAIN if self._waiting else None):
                    await self._filled.wait()
            except TimeoutError:
                pass

    def _next_batch(self) -> list[IncomingMessage]:
        """By turns: one that was refused before, alone since it may be so again, and the rest."""
        refused = None if self._refused_had_its_turn else self._waiting.refused_and_due()
        self._refused_had_its_turn = refused is not None
        if refused is not None:
            return [refused]
        batch = self._waiting.due()
        while len(batch) < LARGEST_BATCH and (self._queue or self._journaled):
            if not self._queue:
                self._read()
            else:
                message = self._queue.popleft()
                self._had_their_turn += 1
                if not self._waiting.joins(message):
                    batch.append(message)
        return batch

    def _forget_arrived(self) -> None:
        while self._arrived and self._arrived[0][1] <= self._had_their_turn:
            self._had_their_turn -= self._arrived.popleft()[1]

    async def _read_ahead(self, projecting: asyncio.Task[None]) -> None:
        """Read what was journaled meanwhile, as long as PostgreSQL is busy with a batch."""
        while self._journaled and len(self._queue) < LARGEST_BATCH and not projecting.done():
            await asyncio.sleep(0)
            self._read()

    def _read(self) -> None:
        journaled = self._journaled.popleft()
        self._handed_over -= sum(arrival.size for _, arrival in journaled)
        self._queue.extend(self._interpret(journaled))

    def _interpret(self, journaled: Journaled) -> list[IncomingMessage]:
        configuration = self._configuration()
        return [
            interpret(
                arrival.request,
                arrival.identifiers,
                arrival.caller,
                journal_id=journal_id,
                received_at=arrival.received_at,
                trunk=arrival.trunk,
                transport=arrival.flow.transport,
                peer=arrival.flow.peer,
                numbers=configuration.numbers,
                trusted_peer=arrival.trusted_peer,
            )
            for journal_id, arrival in journaled
        ]

    async def _project(self, batch: list[IncomingMessage]) -> None:
        """Project a batch; what is refused is halved until it stands alone.

        Of a batch that was halved the later part goes behind those of the earlier that now wait.
        """
        if self._waiting:
            batch = [message for message in batch if not self._waiting.joins(message)]
            if not batch:
                return
        try:
            projection = await self._database.retry(lambda: self._write(batch))
        except psycopg.errors.UniqueViolation:
            await self._drop_projected(batch)
            return
        except Exception as error:  # noqa: BLE001  (a fault of ours must cost one message at most)
            await self._halve(batch, error)
            return
        self._waiting.add(projection.waiting)
        self._waiting.forget(batch)
        self._projected(projection)

    async def _write(self, batch: list[IncomingMessage]) -> Projection:
        connection = await self._database.connection()
        # Two round trips: what is locked, and all that is written with its COMMIT.
        async with connection.pipeline(), connection.transaction():
            return await project_messages(connection, batch, machine=machine, rules=self._rules())

    def _rules(self) -> HouseRules:
        configuration = self._configuration()
        return HouseRules(
            greeting=configuration.greeting,
            test_answer=lambda message: answer_to_test(message, configuration.psap_name),
            redirect_patience=timedelta(seconds=configuration.redirect_patience),
            beats_between=self._beats_between,
        )

    async def _halve(self, batch: list[IncomingMessage], error: Exception) -> None:
        if len(batch) > 1:
            middle = len(batch) // 2
            await self._project(batch[:middle])
            await self._project(batch[middle:])
            return
        message = batch[0]
        logger.error("message %s of the journal does not project: %r", message.journal_id, error)
        if APART in message.flags:
            await self._set_aside(message, error)
        elif self._waiting.tries(message) >= TRIES:
            await self._project([interpret_apart(message)])
        elif REDUCED in message.flags:
            self._waiting.postpone(message)
        else:
            await self._project([interpret_text_alone(message)])

    async def _set_aside(self, message: IncomingMessage, error: Exception) -> None:
        try:
            await note_set_aside(self._database, message, error)
        except psycopg.Error:  # it stays here, then
            logger.exception("message %s of the journal is on no chat", message.journal_id)
            self._waiting.postpone(message)
        else:
            self._waiting.forget([message])

    async def _drop_projected(self, batch: list[IncomingMessage]) -> None:
        """Sort out messages that another gateway, or we before a lost answer, projected.

        And those that are there twice: sent again while the first was on its way.
        """
        done = await self._database.retry(lambda: self._on_chats(batch))
        rest = list({m.journal_id: m for m in batch if m.journal_id not in done}.values())
        if len(rest) == len(batch):  # another constraint: never expected, never a loop
            await self._halve(batch, RuntimeError("a unique constraint refuses the message"))
        elif rest:
            await self._project(rest)

    async def _on_chats(self, batch: list[IncomingMessage]) -> set[int]:
        connection = await self._database.connection()
        cursor = await connection.execute(
            "SELECT journal_id FROM chats_message WHERE journal_id = ANY(%s)",
            ([message.journal_id for message in batch],),
        )
        return {row[0] for row in await cursor.fetchall()}
