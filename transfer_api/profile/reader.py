"""A peer's `Data` as plain values: strict about types, liberal about whatever is missing."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from chats.models import DeliveryStatus, Direction
from chats.services.addresses import same_address
from chats.services.message_types import IN_CHAT
from chats.services.transfers.history import (
    HandedChat,
    HandedData,
    HandedFix,
    HandedMessage,
    HandedNote,
    HandedReference,
)
from transfer_api.profile.clock import Clock, written
from transfer_api.profile.contents import Contents, links_for, read_contents, read_part
from transfer_api.profile.fields import Faults, Fields
from transfer_api.profile.shapes import block_of, geometry_of, signalling_of
from transfer_api.schemas import DATA, schema

VERSION = 1
LONGEST_ID = 200
# Bytes of JSON: it stands in the chat's row, which is read whenever the chat is locked.
LARGEST_SIGNALLING = 256 * 1024
UNKNOWN_SERVICE = "urn:service:sos"
_ROLES = {Direction.IN: "caller", Direction.OUT: "system"}
_STATUSES = {Direction.IN: DeliveryStatus.RECEIVED, Direction.OUT: DeliveryStatus.FAILED}


def read_data(
    data: Mapping[str, Any],
    *,
    received_at: datetime,
    peer_uris: Sequence[str],
    sent_at: datetime | None = None,
) -> HandedChat:
    """Read `Data` of an execution request; raises ProfileError with every violation found.

    `received_at` is our clock's, `sent_at` what the peer's clock showed then (the request's Date);
    without it SnapshotAt counts. Where they differ by more than 5 s, all times are moved by the
    difference (`clock_shift`). `peer_uris` are the peer's; the first stands for it where it does
    not say who it is. Without AppUri `app_uri` is the caller's, which may be empty.
    """
    return _Reading(data, received_at, peer_uris, sent_at).chat()


class _Reading:
    """One reading of one `Data`."""

    def __init__(
        self,
        data: Mapping[str, Any],
        received_at: datetime,
        peer_uris: Sequence[str],
        sent_at: datetime | None,
    ) -> None:
        self._faults = Faults()
        self._data = Fields(data, schema(DATA), "", self._faults)
        snapshot_at = self._data.time("SnapshotAt")
        self._clock = Clock(received_at=received_at, written_at=sent_at or snapshot_at)
        self._received_at = received_at
        self._opened_at = min(self._time(self._data, "OpenedAt", received_at), received_at)
        self._psaps = self._read_psaps(peer_uris)
        self._sender = self._psaps[-1]["uri"]
        self._ids: set[str] = set()
        self._bearer = ""  # the message that things without one came with

    def chat(self) -> HandedChat:
        data, caller = self._data, self._data.object("Caller")
        data.integer("Version", VERSION)  # another one is out of its bounds
        app_uri, from_uri = data.exact("AppUri"), caller.exact("Uri")
        asserted = caller.exact("AssertedUri") if caller.flag("Asserted", True) else ""
        contents = read_contents(data.objects("Attachments"))
        messages = self._read_messages(contents)
        seen = [one for one in messages if one.direction == Direction.IN]
        last_seen = max((one.at for one in seen), default=self._opened_at)
        last_text = max((one.at for one in seen if one.text.strip()), default=None)
        last_msg_id = next((one.msg_id for one in reversed(seen) if one.msg_id is not None), None)
        handed = HandedChat(
            app_uri=app_uri or asserted or from_uri,
            caller_uri=from_uri or asserted or app_uri,
            asserted_uri=asserted,
            display_name=caller.text("DisplayName"),
            language=caller.text("Language"),
            user_agent=caller.text("UserAgent"),
            dialect=caller.text("Dialect"),
            service=data.text("Service") or UNKNOWN_SERVICE,
            priority=data.text("Priority"),
            silent=data.flag("Silent"),
            test=data.flag("Test"),
            opened_at=self._opened_at,
            last_sign_of_life=min(
                self._time(caller, "LastSignOfLifeAt", last_seen), self._received_at
            ),
            last_caller_text=self._time_if_any(caller, "LastTextAt") or last_text,
            last_in_msg_id=data.integer("LastCallerMessageId", last_msg_id),
            signalling=self._read_signalling(),
            psaps=self._psaps,
            messages=messages,
            fixes=tuple(self._read_fix(one) for one in data.objects("Locations")),
            data=tuple(self._read_block(one) for one in data.objects("AdditionalData")),
            references=tuple(self._read_reference(one) for one in data.objects("References")),
            notes=self._read_notes(),
            links=links_for((part for one in messages for part in one.parts), contents),
            clock_shift=self._clock.shift.total_seconds(),
        )
        caller.text("Liveness")  # for people; its type counts all the same
        self._faults.raise_if_any()
        return _without_orphans(handed)

    def _read_psaps(self, peer_uris: Sequence[str]) -> tuple[Mapping[str, str], ...]:
        """Return those that had the chat; the last one is who hands it over, whatever it says."""
        found = []
        for one in self._data.objects("Psaps"):
            since = self._time_if_any(one, "From")
            uri = one.exact("Uri", required=True)
            found.append(
                {"uri": uri, "name": one.text("Name"), "from": written(since) if since else ""}
            )
        if not found or not any(same_address(found[-1]["uri"], uri) for uri in peer_uris):
            since = self._opened_at if not found else self._received_at
            found.append({"uri": next(iter(peer_uris), ""), "name": "", "from": written(since)})
        return tuple(found)

    def _read_signalling(self) -> Mapping[str, Any]:
        signalling = signalling_of(self._data.free("Signalling") or {})
        if len(json.dumps(signalling)) > LARGEST_SIGNALLING:
            self._data.fault("Signalling", f"must have {LARGEST_SIGNALLING} bytes at most")
        if did := self._data.text("Did"):
            signalling.setdefault("did", did)
        return signalling

    def _read_messages(self, contents: Contents) -> tuple[HandedMessage, ...]:
        found, at = [], self._opened_at
        for number, one in enumerate(self._data.objects("Messages")):
            at = self._time(one, "At", at)
            direction = one.word("Direction", Direction.IN, required=True)
            message = HandedMessage(
                id=self._id_of(one, f"message:{number}"),
                direction=direction,
                type=one.integer("Type", IN_CHAT) or 0,
                msg_id=one.integer("MessageId"),
                text=one.text("Text"),
                role=one.word("Role", _ROLES[Direction(direction)]),
                psap=one.exact("Psap") or self._sender,
                at=at,
                status=one.word("Status", _STATUSES[Direction(direction)]),
                sip_status=one.integer("SipStatus"),
                flags=one.texts("Flags"),
                parts=tuple(read_part(part, contents) for part in one.objects("Parts")),
            )
            if not self._bearer or direction == Direction.IN:
                self._bearer = message.id
            found.append(message)
        return tuple(found)

    def _id_of(self, one: Fields, otherwise: str) -> str:
        """Return an id that no other message has; one that its PSAP gave none is told by place."""
        found = one.exact("Id") or f"{otherwise}@{self._sender}"[:LONGEST_ID]
        if found in self._ids:
            one.fault("Id", "stands twice")
        self._ids.add(found)
        return found

    def _bearer_of(self, one: Fields) -> str:
        message = one.exact("Message")
        if message and message not in self._ids:
            one.fault("Message", "is the Id of no message")
        return message or self._bearer

    def _read_fix(self, one: Fields) -> HandedFix:
        geometry = one.free("Geometry")
        return HandedFix(
            message=self._bearer_of(one),
            shape=one.exact("Shape", required=True),
            latitude=one.number("Latitude"),
            longitude=one.number("Longitude"),
            radius=one.number("Radius"),
            altitude=one.number("Altitude"),
            confidence=one.number("Confidence"),
            geometry=None if geometry is None else geometry_of(geometry),
            civic=one.civic("Civic"),
            method=one.text("Method"),
            source=one.text("Source"),
            at=self._time(one, "At", self._received_at),
        )

    def _read_block(self, one: Fields) -> HandedData:
        kind = one.exact("Kind", required=True)
        return HandedData(self._bearer_of(one), kind, block_of(kind, one.free("Data") or {}))

    def _read_reference(self, one: Fields) -> HandedReference:
        return HandedReference(
            message=self._bearer_of(one),
            kind=one.word("Kind", required=True),
            purpose=one.text("Purpose"),
            url=one.exact("Url", required=True),
        )

    def _read_notes(self) -> tuple[HandedNote, ...]:
        return tuple(
            HandedNote(
                id=self._id_of(one, f"note:{number}"),
                at=self._time(one, "At", self._received_at),
                text=one.text("Text"),
                psap=one.exact("Psap") or self._sender,
            )
            for number, one in enumerate(self._data.objects("Notes"))
        )

    def _time(self, one: Fields, name: str, default: datetime) -> datetime:
        read = self._time_if_any(one, name)
        return default if read is None else read

    def _time_if_any(self, one: Fields, name: str) -> datetime | None:
        read = one.time(name)
        return None if read is None else self._clock.moved(read)


def _without_orphans(handed: HandedChat) -> HandedChat:
    """Drop what a message has brought where no message at all is handed over."""
    if handed.messages:
        return handed
    return replace(handed, fixes=(), data=(), references=())
