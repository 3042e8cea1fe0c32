"""Verifying a chat's record: the chain from its first event, and all content against it."""

import hashlib
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from chats.models import (
    AdditionalData,
    BodyPart,
    Chat,
    ChatEvent,
    Direction,
    LocationFix,
    Message,
    Note,
    Session,
)
from chats.services.chain import canonical_data, event_hash, genesis_hash
from chats.services.chain_heads import Head
from chats.services.readings import readings_digest
from chats.services.texts import text_digest

# Marks a message or part whose content retention has removed; its digests stay.
ERASED = "erased"
TRUNCATED = "truncated"
FETCHED = ("location-fetched", "data-fetched")
NOTED = "note-imported"
SUPPLEMENTED = "message-supplemented"
# Kinds of event that tell of a message, and its direction where the kind says it.
TOLD = {
    "message-received": Direction.IN.value,
    "message-queued": Direction.OUT.value,
    "message-imported": "",
}

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class BrokenLink:
    """What does not fit, and the event at which it shows; 0 where no event is concerned."""

    seq: int
    reason: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome: how many events there are, the head's hash, and the first broken link."""

    events: int
    head: bytes
    broken: BrokenLink | None


def verify_chat(*, chat_id: int, heads: Iterable[Head] = ()) -> Verdict:
    """Recompute a chat's chain and compare texts, parts and exported heads with it.

    Call it where all reads see one instant, or a chat that goes on looks broken.
    """
    chat = Chat.objects.get(pk=chat_id)
    events = list(ChatEvent.objects.filter(chat_id=chat_id).order_by("seq"))
    faults = [
        *_chain(chat, events),
        *_content(chat, events),
        *_state(chat, events),
        *_exported(events, heads),
    ]
    first = min(faults, key=lambda link: link.seq or len(events) + 2, default=None)
    return Verdict(len(events), bytes(chat.head_hash), first)


def _chain(chat: Chat, events: list[ChatEvent]) -> Iterator[BrokenLink]:
    previous = genesis_hash(chat.pk)
    for position, event in enumerate(events, start=1):
        if event.seq != position:
            yield BrokenLink(position, f"event {position} is missing")
            return
        previous = event_hash(
            previous,
            chat_id=chat.pk,
            seq=event.seq,
            kind=event.kind,
            at=event.at,
            actor=event.actor,
            message_id=event.message_id,
            data=canonical_data(event.data),
        )
        if previous != bytes(event.hash):
            yield BrokenLink(event.seq, f"the hash of event {event.seq} ({event.kind}) is wrong")
            return
    if chat.head_seq > len(events):
        yield BrokenLink(len(events) + 1, f"event {len(events) + 1} is missing")
    elif (chat.head_seq, bytes(chat.head_hash)) != (len(events), previous):
        yield BrokenLink(len(events), "the chat's head is not its last event")


def _content(chat: Chat, events: list[ChatEvent]) -> Iterator[BrokenLink]:
    messages = {
        m.pk: m
        for m in Message.objects.filter(chat=chat).prefetch_related(
            "parts", "fixes", "additional_data"
        )
    }
    readings, fetched, notes = _Readings(messages.values(), events), _Fetched(chat), _Notes(chat)
    for event in events:
        if event.kind == SUPPLEMENTED:
            if fault := readings.fault(event):
                yield BrokenLink(event.seq, fault)
            continue
        if event.kind == NOTED:
            if fault := notes.fault(event):
                yield BrokenLink(event.seq, fault)
            continue
        if event.kind in FETCHED:
            if fault := fetched.fault(event):
                yield BrokenLink(event.seq, fault)
            continue
        if event.kind not in TOLD:
            continue
        message = messages.pop(event.message_id or 0, None)
        if message is None:
            yield BrokenLink(event.seq, f"message {event.message_id} is missing or told twice")
        elif fault := _fault(message, event) or readings.own_fault(message, event):
            yield BrokenLink(event.seq, f"message {message.pk}: {fault}")
    for message in messages.values():
        yield BrokenLink(0, f"message {message.pk} stands in no event")
    for reference in fetched.left_over():
        yield BrokenLink(0, f"what was fetched for reference {reference} stands in no event")
    for note in notes.left_over():
        yield BrokenLink(0, f"note {note} stands in no event")


def _fault(message: Message, event: ChatEvent) -> str | None:
    data = event.data
    if (message.direction, message.type, message.msg_id) != (
        TOLD[event.kind] or data["direction"],
        data["type"],
        data["msgId"],
    ):
        return "its direction, type or MsgId is not the recorded one"
    # Our own have none of these.
    if (message.role, message.origin, message.foreign_id) != (
        data.get("role", ""),
        data.get("psap", ""),
        data.get("id", ""),
    ):
        return "its role, PSAP or id is not the recorded one"
    if ERASED not in message.flags and text_digest(message.text) != data["textSha256"]:
        return "its text is not the recorded one"
    parts = sorted(message.parts.all(), key=lambda part: part.position)
    if [bytes(part.sha256).hex() for part in parts] != data.get("parts", []):
        return "its parts are not the recorded ones"
    for part in parts:
        if not _holds(part):
            return f"the content of part {part.position} is not the recorded one"
    return None


class _Readings:
    """What was read out of messages, in the order of the events that tell of it.

    The first rows of a message came with it; the last ones came later, by as many as the events
    say that supplement it.
    """

    def __init__(self, messages: Iterable[Message], events: Iterable[ChatEvent]) -> None:
        self._fixes: dict[int, deque[LocationFix]] = {}
        self._blocks: dict[int, deque[AdditionalData]] = {}
        self._erased: set[int] = set()
        for message in messages:
            fixes = (fix for fix in message.fixes.all() if fix.reference_id is None)
            blocks = (one for one in message.additional_data.all() if one.reference_id is None)
            self._fixes[message.pk] = deque(sorted(fixes, key=lambda fix: fix.pk))
            self._blocks[message.pk] = deque(sorted(blocks, key=lambda block: block.pk))
            if ERASED in message.flags:
                self._erased.add(message.pk)
        self._later: Counter[tuple[int, str]] = Counter()
        for event in events:
            if event.kind == SUPPLEMENTED:
                for name in ("fixes", "blocks"):
                    self._later[event.message_id or 0, name] += event.data[name]

    def own_fault(self, message: Message, event: ChatEvent) -> str | None:
        """Compare what a message brought itself with the event that tells of the message."""
        fixes, blocks = self._fixes[message.pk], self._blocks[message.pk]
        digest = _digest(
            _take(fixes, len(fixes) - self._later[message.pk, "fixes"]),
            _take(blocks, len(blocks) - self._later[message.pk, "blocks"]),
        )
        if message.pk in self._erased or digest == event.data.get("readingsSha256"):
            return None
        return "its positions or additional data are not the recorded ones"

    def fault(self, event: ChatEvent) -> str | None:
        """Compare what another PSAP had beside of a message with the event that tells of it."""
        pk = event.message_id or 0
        if pk not in self._fixes:
            return f"message {pk} is missing"
        digest = _digest(
            _take(self._fixes[pk], event.data["fixes"]),
            _take(self._blocks[pk], event.data["blocks"]),
        )
        if pk in self._erased or digest == event.data.get("readingsSha256"):
            return None
        return f"message {pk}: what came for it later is not the recorded one"


def _digest(fixes: list[LocationFix], blocks: list[AdditionalData]) -> str | None:
    if not fixes and not blocks:
        return None
    return readings_digest(
        ((fix, fix.at) for fix in fixes), ((block.kind, block.data) for block in blocks)
    )


class _Fetched:
    """What came by reference, in the order of the events that tell of it."""

    def __init__(self, chat: Chat) -> None:
        self._fixes: dict[int, deque[LocationFix]] = defaultdict(deque)
        self._blocks: dict[int, deque[AdditionalData]] = defaultdict(deque)
        for fix in LocationFix.objects.filter(chat=chat).order_by("pk"):
            if fix.reference_id is not None:
                self._fixes[fix.reference_id].append(fix)
        for block in AdditionalData.objects.filter(chat=chat).order_by("pk"):
            if block.reference_id is not None:
                self._blocks[block.reference_id].append(block)

    def fault(self, event: ChatEvent) -> str | None:
        """Compare the next positions or blocks of the event's reference with it."""
        reference = int(event.data["reference"])
        fixes = _take(self._fixes[reference], event.data.get("fixes", 0))
        blocks = _take(self._blocks[reference], event.data.get("blocks", 0))
        digest = readings_digest(
            ((fix, fix.at) for fix in fixes), ((block.kind, block.data) for block in blocks)
        )
        if digest == event.data["readingsSha256"]:
            return None
        return f"what was fetched for reference {reference} is not the recorded one"

    def left_over(self) -> Iterator[int]:
        """References with positions or blocks that no event tells of."""
        for found in (self._fixes, self._blocks):
            yield from (reference for reference, rows in found.items() if rows)


class _Notes:
    """Notes of other PSAPs, each of which one event tells of; ours are told of by none."""

    def __init__(self, chat: Chat) -> None:
        self._notes = {note.pk: note for note in Note.objects.filter(chat=chat)}

    def fault(self, event: ChatEvent) -> str | None:
        """Compare the note that an event tells of with it."""
        pk = int(event.data["note"])
        note = self._notes.pop(pk, None)
        if note is None:
            return f"note {pk} is missing or told twice"
        if text_digest(note.text) != event.data["textSha256"]:
            return f"note {pk} is not the recorded one"
        return None

    def left_over(self) -> Iterator[int]:
        """Notes taken over that no event tells of."""
        yield from (pk for pk, note in self._notes.items() if note.origin)


def _take(rows: "deque[Row]", count: int) -> "list[Row]":
    return [rows.popleft() for _ in range(min(count, len(rows)))]


def _state(chat: Chat, events: list[ChatEvent]) -> Iterator[BrokenLink]:
    """Compare how the chat ended with the last event that says so."""
    ended_by = disposition = None
    for event in events:
        if event.kind == "session-stopped":
            ended_by = event.data["endedBy"]
        elif event.kind == "session-reopened":
            ended_by = disposition = None
        elif _leaves(event):
            ended_by = None
        elif event.kind == "chat-closed":
            disposition = event.data["disposition"]
    if (chat.session == Session.STOPPED, chat.ended_by) != (ended_by is not None, ended_by):
        yield BrokenLink(0, "the state of its session is not the recorded one")
    if chat.disposition != disposition:
        yield BrokenLink(0, "its disposition is not the recorded one")


def _leaves(event: ChatEvent) -> bool:
    """Whether the chat is with another PSAP from then on, however its session had ended here."""
    if event.kind == "chat-released":  # a call-taker's release names no transfer
        return "transfer" in event.data
    return event.kind == "chat-transferred"


def _holds(part: BodyPart) -> bool:
    """Compare a part's content with its digest, where all of it is still there."""
    if part.content is None or part.flag in (TRUNCATED, ERASED):
        return True
    return hashlib.sha256(part.content).digest() == bytes(part.sha256)


def _exported(events: list[ChatEvent], heads: Iterable[Head]) -> Iterator[BrokenLink]:
    hashes = {event.seq: bytes(event.hash).hex() for event in events}
    for head in heads:
        if hashes.get(head.seq) != head.hash:
            yield BrokenLink(head.seq, f"the head exported at {head.at} is not on the chain")
