"""The record of chats: what arrived, what it means, what was done about it."""

from chats.models.chat import DEC112, Chat, Disposition, EndedBy, Liveness, Session
from chats.models.errand import (
    Reference,
    ReferenceKind,
    ReferenceStatus,
    ReportStatus,
    SourceReport,
)
from chats.models.event import ChatEvent, CommandReceipt
from chats.models.journal import Journal, ProjectionMark, SetAside
from chats.models.message import (
    AdditionalData,
    BodyPart,
    DeliveryStatus,
    Direction,
    LocationFix,
    Message,
    OutboxEntry,
)
from chats.models.relay import Relay, RelayStatus
from chats.models.transfer import (
    NEGOTIABLE,
    UNDER_WAY,
    AttachmentFetch,
    FetchStatus,
    Note,
    Transfer,
    TransferSide,
    TransferState,
)

__all__ = [
    "DEC112",
    "NEGOTIABLE",
    "UNDER_WAY",
    "AdditionalData",
    "AttachmentFetch",
    "BodyPart",
    "Chat",
    "ChatEvent",
    "CommandReceipt",
    "DeliveryStatus",
    "Direction",
    "Disposition",
    "EndedBy",
    "FetchStatus",
    "Journal",
    "Liveness",
    "LocationFix",
    "Message",
    "Note",
    "OutboxEntry",
    "ProjectionMark",
    "Reference",
    "ReferenceKind",
    "ReferenceStatus",
    "Relay",
    "RelayStatus",
    "ReportStatus",
    "Session",
    "SetAside",
    "SourceReport",
    "Transfer",
    "TransferSide",
    "TransferState",
]
