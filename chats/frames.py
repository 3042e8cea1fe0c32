"""Frames of events: JSON written once and handed to every console that gets it."""

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from chats import wire
from chats.rows import DataRow, EventRow, FixRow, RelayRow
from chats.selectors import EventBatch

LARGEST_BATCH = 200


@dataclass(frozen=True, slots=True)
class Frame:
    """One event of a chat as text."""

    chat_id: int
    seq: int
    text: str


def event_frames(batch: EventBatch) -> list[Frame]:
    """Write the frames of a batch, in its order; each shows its chat's newest card."""
    cards = {chat_id: wire.card(row) for chat_id, row in batch.cards.items()}
    brought = _Brought(batch)
    frames = []
    for event in batch.events:
        message = batch.messages.get(event.message_id or 0)
        frame = wire.live_event(
            event,
            card=cards[event.chat_id],
            message=None if message is None else wire.message(message),
            **brought.by(event),
        )
        frames.append(Frame(event.chat_id, event.seq, dump(frame)))
    return frames


class _Brought:
    """What came with the events of a batch: by their message, or by the errand they tell of."""

    def __init__(self, batch: EventBatch) -> None:
        self._fixes: dict[_Source, list[wire.Json]] = defaultdict(list)
        self._data: dict[_Source, list[wire.Json]] = defaultdict(list)
        self._references: dict[_Source, list[wire.Json]] = defaultdict(list)
        self._reports = {str(row.id): wire.report(row) for row in batch.reports}
        for fix in batch.fixes:
            self._fixes[_source(fix)].append(wire.fix(fix))
        for block in batch.data:
            self._data[_source(block)].append(wire.additional_data(block))
        for row in batch.references:
            reference = wire.reference(row)
            self._references[("message", row.message_id)].append(reference)
            self._references[("reference", row.id)].append(reference)

    def by(self, event: EventRow) -> dict[str, list[wire.Json]]:
        if event.kind in _RELAYS:
            row = RelayRow(
                event.message_id or 0,
                event.data["target"],
                _RELAYS[event.kind],
                event.data["sipStatus"],
            )
            return {"relays": [wire.relay(row)]}
        if event.kind in _MESSAGES:
            source: _Source = ("message", event.message_id or 0)
        elif "reference" in event.data:
            source = ("reference", int(event.data["reference"]))
        elif "report" in event.data:
            report = self._reports.get(event.data["report"])
            return {"reports": [report]} if report else {}
        else:
            return {}
        found = {"references": self._references.get(source, [])}
        if event.kind in (*_MESSAGES, "location-fetched"):
            # Of a reference that was asked more than once, what this answer brought is the end.
            fixes = self._fixes.get(source, [])
            found["fixes"] = fixes[-_count(event, "fixes") :] if source[0] == "reference" else fixes
        if event.kind in (*_MESSAGES, "data-fetched"):
            data = self._data.get(source, [])
            found["data"] = data[-_count(event, "blocks") :] if source[0] == "reference" else data
        return found


_Source = tuple[str, int]
_MESSAGES = ("message-received", "message-imported", "message-supplemented")
_RELAYS = {"message-relayed": "relayed", "relay-failed": "failed"}


def _source(row: FixRow | DataRow) -> _Source:
    if row.reference_id is None:
        return ("message", row.message_id)
    return ("reference", row.reference_id)


def _count(event: EventRow, name: str) -> int:
    return max(int(event.data.get(name, 0)), 1)


def batches(texts: Sequence[str]) -> Iterator[str]:
    """Put several frames into one; what is written already is not written again."""
    for start in range(0, len(texts), LARGEST_BATCH):
        part = texts[start : start + LARGEST_BATCH]
        yield part[0] if len(part) == 1 else f'{{"ev":"batch","events":[{",".join(part)}]}}'


def dump(frame: Any) -> str:
    """Write JSON without blanks."""
    return json.dumps(frame, separators=(",", ":"), ensure_ascii=False)
