"""Our record of a chat as the body of an execution request (Annex A.3, docs/transfer.md).

Who calls holds the lock of the chat's row. Whoever changes what stands here takes that lock too,
so that all reads see the chat of one instant.
"""

import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

from django.utils import timezone

from chats.models import (
    AdditionalData,
    Chat,
    DeliveryStatus,
    Direction,
    LocationFix,
    Message,
    Note,
    Reference,
    ReferenceStatus,
    Transfer,
    TransferSide,
    TransferState,
)
from chats.services.transfers.foreign_ids import ids_of_messages, ids_of_notes
from psap.models import Psap
from transfer_api.profile.attached import LARGEST_BODY, Parts, read_parts, write_attachments
from transfer_api.profile.clock import written
from transfer_api.profile.reader import VERSION

Json = dict[str, Any]
# As in the schema: whoever reads strictly would refuse the whole chat for one item too many.
MOST_MESSAGES = 50_000
MOST_LOCATIONS = 100_000
MOST_OTHERS = 10_000
MOST_NOTES = 1_000
MOST_PSAPS = 200
# What nobody has acknowledged when the chat is handed over counts as not delivered.
_FINAL = (DeliveryStatus.RECEIVED, DeliveryStatus.DELIVERED, DeliveryStatus.CANCELLED)
_NOT_IN_URIS = re.compile('[\\s<>"\x00-\x1f\x7f]')


def write_execution(transfer: Transfer) -> bytes:
    """Write the whole request body: CallId, MessageId, ExpiryTime and `Data`, as UTF-8 JSON.

    Called once for an attempt, in the transaction that holds the locks of chat and transfer.
    MessageId is `last_msg_id` where it is set, else the MsgId of our 266; ExpiryTime is
    `execution_expiry`, else the peer's.
    """
    last = transfer.last_msg_id
    if last is None:
        last = (transfer.stop_message and transfer.stop_message.msg_id) or 1
    expiry = transfer.execution_expiry or (transfer.peer and transfer.peer.execution_time) or 20
    chat = Chat.objects.get(pk=transfer.chat_id)
    at = transfer.executed_at or timezone.now()
    document = {
        "CallId": transfer.call_id,
        "MessageId": max(last, 1),
        "ExpiryTime": expiry,
        "Data": _Writing(chat, Psap.objects.first() or Psap(), at).data(),
    }
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


class _Writing:
    """One writing of one chat."""

    def __init__(self, chat: Chat, psap: Psap, at: datetime) -> None:
        self._chat, self._psap, self._at = chat, psap, at
        self._own_uri = psap.public_uri
        self._ids = ids_of_messages(chat_id=chat.pk, own_uri=self._own_uri)

    def data(self) -> Json:
        chat = self._chat
        parts = read_parts(chat.pk)
        data = _without_blanks(
            {
                "Version": VERSION,
                "SnapshotAt": written(self._at),
                "AppUri": chat.target_uri,
                "Service": chat.service,
                "OpenedAt": written(chat.opened_at),
                "Did": str(chat.signalling.get("did") or "")[:2000],
                "Caller": self._caller(),
                "LastCallerMessageId": chat.last_in_msg_id,
                "Priority": chat.priority,
                "Silent": chat.silent,
                "Test": chat.test,
                "Signalling": chat.signalling,
                "Psaps": self._psaps(),
                "Messages": self._messages(parts),
                "Locations": self._locations(),
                "AdditionalData": self._blocks(),
                "References": self._references(),
                "Notes": self._notes(),
            }
        )
        size = len(json.dumps(data, ensure_ascii=False).encode())
        data["Attachments"] = write_attachments(parts, room=LARGEST_BODY - size)
        return data

    def _caller(self) -> Json:
        chat = self._chat
        return _without_blanks(
            {
                "Uri": _uri(chat.caller_uri),
                "AssertedUri": _uri(chat.asserted_uri),
                "Asserted": bool(chat.asserted_uri),
                "DisplayName": chat.display_name,
                "Language": chat.language,
                "UserAgent": chat.user_agent,
                "Dialect": chat.dialect,
                "Liveness": chat.liveness,
                "LastSignOfLifeAt": written(chat.last_sign_of_life),
                "LastTextAt": chat.last_caller_text and written(chat.last_caller_text),
            }
        )

    def _psaps(self) -> list[Json]:
        before = [
            _without_blanks(
                {
                    "Uri": _uri(str(one.get("uri", ""))),
                    "Name": str(one.get("name", ""))[:200],
                    "From": one.get("from", ""),
                }
            )
            for one in self._chat.psaps
        ]
        arrived = (
            Transfer.objects.filter(chat=self._chat, side=TransferSide.IN, state=TransferState.DONE)
            .order_by("-pk")
            .values_list("executed_at", flat=True)
            .first()
        )
        since = arrived or self._chat.opened_at
        own = {"Uri": self._own_uri, "Name": self._psap.name, "From": written(since)}
        return [*[one for one in before if one.get("Uri")][1 - MOST_PSAPS :], own]

    def _messages(self, parts: Parts) -> list[Json]:
        found = Message.objects.filter(chat=self._chat).order_by("-pk")[:MOST_MESSAGES]
        return [self._message(message, parts) for message in reversed(found)]

    def _message(self, message: Message, parts: Parts) -> Json:
        status = message.status if message.status in _FINAL else DeliveryStatus.FAILED.value
        return _without_blanks(
            {
                "Id": self._ids[message.pk],
                "Direction": message.direction,
                "Type": message.type,
                "MessageId": message.msg_id,
                "Text": message.text,
                "Role": message.role or _role(message),
                "Psap": _uri(message.origin) or self._own_uri,
                "At": written(message.at),
                "Status": status,
                "SipStatus": message.sip_status,
                "Flags": message.flags,
                "Parts": [part.written() for part in parts.get(message.pk, ())],
            }
        )

    def _locations(self) -> list[Json]:
        found = LocationFix.objects.filter(chat=self._chat).order_by("-pk")[:MOST_LOCATIONS]
        return [
            _without_blanks(
                {
                    "Message": self._ids[fix.message_id],
                    "Shape": fix.shape,
                    "Latitude": fix.latitude,
                    "Longitude": fix.longitude,
                    "Radius": fix.radius,
                    "Altitude": fix.altitude,
                    "Confidence": fix.confidence,
                    "Geometry": fix.geometry,
                    "Civic": fix.civic,
                    "Method": fix.method[:400],
                    "Source": fix.source,
                    "At": written(fix.at),
                }
            )
            for fix in reversed(found)
        ]

    def _blocks(self) -> list[Json]:
        found = AdditionalData.objects.filter(chat=self._chat).order_by("-pk")[:MOST_OTHERS]
        return [
            {"Message": self._ids[one.message_id], "Kind": one.kind, "Data": one.data}
            for one in reversed(found)
        ]

    def _references(self) -> list[Json]:
        waiting = Reference.objects.filter(chat=self._chat).exclude(status=ReferenceStatus.FETCHED)
        return [
            _without_blanks(
                {
                    "Message": self._ids[one.message_id],
                    "Kind": one.kind,
                    "Purpose": one.purpose,
                    "Url": one.url,
                }
            )
            for one in reversed(waiting.order_by("-pk")[:MOST_OTHERS])
        ]

    def _notes(self) -> list[Json]:
        ids = ids_of_notes(chat_id=self._chat.pk, own_uri=self._own_uri)
        found = Note.objects.filter(chat=self._chat).order_by("-pk")[:MOST_NOTES]
        return [
            {
                "Id": ids[one.pk],
                "At": written(one.at),
                "Text": one.text[:10_000],
                "Psap": _uri(one.origin) or self._own_uri,
            }
            for one in reversed(found)
        ]


def _role(message: Message) -> str:
    if message.direction == Direction.IN:
        return "caller"
    return "system" if message.author_id is None else "calltaker"


def _uri(uri: str) -> str:
    """Write a URI as the schema wants it: what does not belong in one is escaped."""
    return _NOT_IN_URIS.sub(lambda found: quote(found[0]), uri)[:400]


def _without_blanks(members: Mapping[str, Any]) -> Json:
    """Leave out what is empty: that is the same as missing."""
    return {name: value for name, value in members.items() if value not in (None, "", [], {})}
