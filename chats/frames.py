"""Frames of events: JSON written once and handed to every console that gets it."""

import json
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from chats import wire
from chats.selectors import EventBatch


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


def dump(frame: Any) -> str:
    """Write JSON without blanks."""
    return json.dumps(frame, separators=(",", ":"), ensure_ascii=False)
