"""Applying journaled messages to their chats: many at a time, in set-based SQL.

`records` holds what comes in and how a chat stands, `matching` answers which chat a message
belongs to, `decisions` what it does to it; `plan` turns that into rows and events without I/O,
with `contents` for what it carries and `facts` for what it says of its caller; `projection` locks
and writes.
"""

from chats.services.incoming.facts import is_vouched_for
from chats.services.incoming.projection import Projection, project_messages
from chats.services.incoming.records import (
    ChatState,
    HouseRules,
    IncomingFix,
    IncomingMessage,
    IncomingPart,
    IncomingReference,
    Step,
)

__all__ = [
    "ChatState",
    "HouseRules",
    "IncomingFix",
    "IncomingMessage",
    "IncomingPart",
    "IncomingReference",
    "Projection",
    "Step",
    "is_vouched_for",
    "project_messages",
]
