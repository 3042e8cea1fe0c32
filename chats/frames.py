"""Frames of events: JSON written once and handed to every console that gets it."""

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from chats import wire
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
    fixes: dict[int, list[wire.Json]] = defaultdict(list)
    for fix in batch.fixes:
        fixes[fix.message_id].append(wire.fix(fix))
    data: dict[int, list[wire.Json]] = defaultdict(list)
    for block in batch.data:
        data[block.message_id].append(wire.additional_data(block))
    frames = []
    for event in batch.events:
        message = batch.messages.get(event.message_id or 0)
        arrived = event.message_id if event.kind == "message-received" else None
        frame = wire.live_event(
            event,
            card=cards[event.chat_id],
            message=None if message is None else wire.message(message),
            fixes=fixes.get(arrived or 0, ()),
            data=data.get(arrived or 0, ()),
        )
        frames.append(Frame(event.chat_id, event.seq, dump(frame)))
    return frames


def batches(texts: Sequence[str]) -> Iterator[str]:
    """Put several frames into one; what is written already is not written again."""
    for start in range(0, len(texts), LARGEST_BATCH):
        part = texts[start : start + LARGEST_BATCH]
        yield part[0] if len(part) == 1 else f'{{"ev":"batch","events":[{",".join(part)}]}}'


def dump(frame: Any) -> str:
    """Write JSON without blanks."""
    return json.dumps(frame, separators=(",", ":"), ensure_ascii=False)
