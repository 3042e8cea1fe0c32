"""Applying a batch of journaled messages to their chats in one transaction.

Rows are locked in id order with SKIP LOCKED: a chat that somebody else holds leaves its messages
waiting and delays nobody. The caller commits; what raises must be rolled back whole.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain
from operator import attrgetter
from typing import Any, NamedTuple

from chats.models import Liveness, Session
from chats.services.batch import Connection, Cursor, draw_ids, fetch_ids, request_ids, run_rows
from chats.services.chain import genesis_hash
from chats.services.identifiers import new_tag
from chats.services.incoming import statements
from chats.services.incoming.decisions import Decision, Unsent, decide
from chats.services.incoming.matching import matching_chat
from chats.services.incoming.plan import Rows
from chats.services.incoming.records import ChatState, HouseRules, IncomingMessage, Machine

_COLUMN_ATTRIBUTES = {"signalling": "signalling_json"}


def _row_of(columns: Sequence[str]) -> Callable[[ChatState], tuple[Any, ...]]:
    return attrgetter(*(_COLUMN_ATTRIBUTES.get(column, column) for column in columns))


_new_values = _row_of(statements.NEW_COLUMNS)
_changed_values = _row_of(statements.CHANGED_COLUMNS)
_moved_values = attrgetter(*statements.MOVED_COLUMNS)


@dataclass(slots=True)
class Projection:
    """What became of a batch."""

    chats: list[ChatState] = field(default_factory=list)
    waiting: list[IncomingMessage] = field(default_factory=list)
    queued_answers: int = 0
    errands: int = 0
    relays: int = 0
    transfers: int = 0


class _KnownChat(NamedTuple):
    """A chat that exists but could not be locked just now."""

    id: int
    unique_part: str
    element: str
    caller_uri: str
    asserted_uri: str

    @property
    def identities(self) -> frozenset[str]:
        return frozenset(uri for uri in (self.caller_uri, self.asserted_uri) if uri)


async def project_messages(
    connection: Connection,
    messages: Sequence[IncomingMessage],
    *,
    machine: Machine,
    rules: HouseRules,
) -> Projection:
    """Write chats, messages, parts, fixes, data, answers, relays and events of a batch.

    `messages` are in journal order. Needs an open transaction on `connection`, best in a pipeline.
    """
    projection = Projection()
    locking = await connection.execute(
        statements.LOCK_CHATS.encode(), (list({m.unique_part for m in messages if m.unique_part}),)
    )
    # After the locks, so that within a chat keys rise in the order of its messages.
    drawing = await request_ids(connection, "chats_message", len(messages))
    locked = await _locked_chats(locking)
    alerts = await _locked_alerts(connection, messages)
    pairs: list[tuple[IncomingMessage, ChatState]] = []
    unmatched: list[IncomingMessage] = []
    for message in messages:
        if message.unique_part:
            chat = matching_chat(message, locked[message.unique_part])
        else:
            chat = alerts.get(_source_of(message)) if is_alert(message) else None
        if chat is None:
            unmatched.append(message)
        else:
            pairs.append((message, chat))
    new_chats: set[int] = set()
    if unmatched:
        opened = await _open_chats(connection, unmatched, projection)
        new_chats = {chat.id for _, chat in opened}
        pairs = sorted(pairs + opened, key=lambda pair: pair[0].journal_id)
    decisions = decide(pairs, new_chats, machine, rules)
    answers = sum(decision.queues for decision in decisions)
    more_ids = await draw_ids(connection, "chats_message", answers)
    message_ids = chain(await fetch_ids(drawing), more_ids)
    rows = Rows(rules, await _unsent(connection, decisions))
    for decision in decisions:
        rows.add(decision, message_ids)
    projection.chats = list({chat.id: chat for _, chat in pairs}.values())
    projection.queued_answers = answers
    projection.errands = len(rows.contents.references)
    projection.relays = len(rows.relays)
    projection.transfers = rows.transfers
    await _write(connection, rows, projection.chats)
    return projection


async def _locked_chats(locking: Cursor) -> dict[str, list[ChatState]]:
    locked: dict[str, list[ChatState]] = defaultdict(list)
    for row in await locking.fetchall():
        chat = ChatState(*row)
        locked[chat.unique_part].append(chat)
    return locked


def is_alert(message: IncomingMessage) -> bool:
    """Whether a message belongs to its source's open alert: what repeats rings once."""
    return message.alert and not message.unique_part and not message.test


def _source_of(message: IncomingMessage) -> tuple[str, str]:
    return message.caller_uri, message.asserted_uri


async def _locked_alerts(
    connection: Connection, messages: Iterable[IncomingMessage]
) -> dict[tuple[str, str], ChatState]:
    """Lock the open alerts of the sources in a batch; most batches hold none."""
    sources = list({message.caller_uri for message in messages if is_alert(message)})
    if not sources:
        return {}
    cursor = await connection.execute(statements.LOCK_ALERTS.encode(), (sources,))
    chats = [ChatState(*row) for row in await cursor.fetchall()]
    return {(chat.caller_uri, chat.asserted_uri): chat for chat in chats}


async def _unsent(connection: Connection, decisions: Iterable[Decision]) -> dict[int, list[Unsent]]:
    """Hold what we have queued in chats that end or begin anew; most batches have none."""
    chats = [decision.chat.id for decision in decisions if decision.may_cancel]
    unsent: dict[int, list[Unsent]] = {}
    if chats:
        cursor = await connection.execute(statements.UNSENT.encode(), (chats,))
        for chat_id, message_id, kind in await cursor.fetchall():
            unsent.setdefault(chat_id, []).append(Unsent(message_id, kind))
    return unsent


async def _open_chats(
    connection: Connection, messages: Sequence[IncomingMessage], projection: Projection
) -> list[tuple[IncomingMessage, ChatState]]:
    """Open chats for messages that no locked chat takes; those of a chat held elsewhere wait."""
    unique_parts = list({m.unique_part for m in messages if m.unique_part})
    cursor = await connection.execute(statements.FIND_CHATS.encode(), (unique_parts,))
    known: dict[str, list[_KnownChat]] = defaultdict(list)
    for row in await cursor.fetchall():
        known[row[1]].append(_KnownChat(*row))
    opened: list[tuple[IncomingMessage, ChatState]] = []
    fresh: dict[str, list[ChatState]] = defaultdict(list)
    alerts: dict[tuple[str, str], ChatState] = {}
    ids = await draw_ids(connection, "chats_chat", len(messages))
    for message in messages:
        alerts_us = is_alert(message)
        if message.unique_part:
            held = matching_chat(message, known[message.unique_part]) is not None
            chat = matching_chat(message, fresh[message.unique_part])
        else:
            held = False  # an alert's entry that is held refuses a second one when it is inserted
            chat = alerts.get(_source_of(message)) if alerts_us else None
        if held:
            projection.waiting.append(message)
            continue
        if chat is None:
            relatives: list[_KnownChat | ChatState] = [
                *known[message.unique_part],
                *fresh[message.unique_part],
            ]
            linked_to = relatives[0].id if message.unique_part and relatives else None
            chat = _new_chat(next(ids), message, linked_to)
            fresh[message.unique_part].append(chat)
            if alerts_us:
                alerts[_source_of(message)] = chat
        opened.append((message, chat))
    inserted = await _insert_chats(connection, list({c.id: c for _, c in opened}.values()))
    # A chat that another gateway opened this very moment is found in the next round; so is the
    # open alert of a source that somebody else holds.
    projection.waiting.extend(m for m, chat in opened if chat.id not in inserted)
    return [(m, chat) for m, chat in opened if chat.id in inserted]


def _new_chat(chat_id: int, message: IncomingMessage, linked_to: int | None) -> ChatState:
    return ChatState(
        id=chat_id,
        call_id=message.call_id,
        unique_part=message.unique_part,
        element=message.element,
        service=message.service,
        session=Session.OPEN.value,
        ended_by=None,
        liveness=Liveness.ALIVE.value,
        owner_id=None,
        disposition=None,
        caller_uri=message.caller_uri,
        asserted_uri=message.asserted_uri,
        target_uri=message.target_uri,
        display_name=message.display_name,
        language=message.language,
        user_agent=message.user_agent,
        standalone=not message.unique_part,
        recovered=False,
        linked_to_id=linked_to,
        opened_at=message.received_at,
        ringing_since=message.received_at,
        ended_at=None,
        closed_at=None,
        last_sign_of_life=message.received_at,
        last_caller_text=None,
        trunk=message.trunk,
        transport=message.transport,
        peer=message.peer,
        local_tag=new_tag(),
        last_in_msg_id=None,
        next_msg_id=1,
        next_cseq=1,
        head_seq=0,
        head_hash=genesis_hash(chat_id),
        test=message.test,
        alert=is_alert(message),
        silent=message.silent,
        dialect=message.dialect,
        priority=message.priority,
        came_from=message.came_from,
    )


async def _insert_chats(connection: Connection, chats: list[ChatState]) -> set[int]:
    if not chats:
        return set()
    columns = [list(column) for column in zip(*map(_new_values, chats), strict=True)]
    cursor = await connection.execute(statements.INSERT_CHATS.encode(), columns)
    return {row[0] for row in await cursor.fetchall()}


async def _write(connection: Connection, rows: Rows, chats: list[ChatState]) -> None:
    contents = rows.contents
    await run_rows(connection, statements.INSERT_MESSAGES, rows.messages)
    await run_rows(connection, statements.INSERT_PARTS, contents.parts)
    if contents.beside:  # all together: the order of their ids is that of their arrival
        await run_rows(connection, statements.INSERT_RICH_FIXES, contents.rich_fixes)
    else:
        await run_rows(connection, statements.INSERT_FIXES, contents.fixes)
    await run_rows(connection, statements.INSERT_REFERENCES, contents.references)
    await run_rows(connection, statements.INSERT_ADDITIONAL, contents.additional)
    await run_rows(connection, statements.INSERT_OUTBOX, rows.outbox)
    await run_rows(connection, statements.INSERT_RELAYS, rows.relays)
    await run_rows(connection, statements.CANCEL, rows.cancelled)
    await rows.events.insert(connection)
    moved = [_moved_values(chat) for chat in chats if not chat.changed]
    changed = [_changed_values(chat) for chat in chats if chat.changed]
    await run_rows(connection, statements.MOVE_CHATS, moved)
    await run_rows(connection, statements.UPDATE_CHATS, changed)
