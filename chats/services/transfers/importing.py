"""Importing: the record that a chat had elsewhere, taken over field by field in few statements.

A message that we know already by its id is left as it is here (foreign_ids.py), so that a chat that
comes back grows and is not doubled; what was fetched for it elsewhere is added (merging.py).
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeVar

from django.db import transaction
from django.db.models import Q

from chats.models import (
    AdditionalData,
    AttachmentFetch,
    BodyPart,
    Chat,
    DeliveryStatus,
    Direction,
    LocationFix,
    Message,
    Note,
    Reference,
    ReferenceStatus,
    Transfer,
)
from chats.services.chain import SYSTEM, Happened, append_events
from chats.services.errands import wake_errands
from chats.services.readings import readings_digest
from chats.services.texts import text_digest
from chats.services.transfers.fetch_quota import BEYOND, within_quota
from chats.services.transfers.foreign_ids import ids_of_messages, ids_of_notes
from chats.services.transfers.history import (
    HandedChat,
    HandedData,
    HandedFix,
    HandedMessage,
    HandedNote,
    HandedReference,
)
from chats.services.transfers.merging import (
    Learnt,
    Places,
    fresh_data,
    fresh_fixes,
    supersede_fetches,
    supplement,
    take_contents,
    without_erased,
)

# What of a PSAP's message is known for good. Anything else never leaves: it is not ours to send.
FINAL = frozenset({DeliveryStatus.DELIVERED, DeliveryStatus.FAILED, DeliveryStatus.CANCELLED})
WAITING = (ReferenceStatus.PENDING, ReferenceStatus.UNLISTED)
AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Imported:
    """How much of a history was new to us."""

    messages: int
    notes: int
    links: int


class _Carried(Protocol):
    @property
    def message(self) -> str: ...


class _Named(Protocol):
    @property
    def id(self) -> str: ...


AnyCarried = TypeVar("AnyCarried", bound=_Carried)
AnyNamed = TypeVar("AnyNamed", bound=_Named)


def import_history(
    *, chat: Chat, transfer: Transfer, handed: HandedChat, own_uri: str, now: datetime
) -> Imported:
    """Write what we do not know yet of a locked chat's history, with an event for each message.

    `own_uri` is our public URI, by which ids of ours are known.
    """
    ours = {name: pk for pk, name in ids_of_messages(chat_id=chat.pk, own_uri=own_uri).items()}
    known = without_erased(chat=chat, places=ours)
    handed_messages = list(_unknown(handed.messages, set(ours)))
    rows = _messages(chat, handed_messages, transfer.transfer_from)
    # An id tells one message; what names one that came twice, or none, is on no message of ours.
    new = {message.id: row.pk for message, row in zip(handed_messages, rows, strict=True)}
    places = {**known, **new}
    fixes = fresh_fixes(chat=chat, handed=handed.fixes, places=places)
    blocks = fresh_data(chat=chat, handed=handed.data, places=places)
    references = [one for one in handed.references if one.message in new]
    carried = _Carriage(_by_message(fixes), _by_message(blocks), _by_message(references))
    _write_parts(handed_messages, rows)
    _write_fixes(chat, places, fixes)
    _write_data(chat, places, blocks)
    _write_references(chat, new, references, now)
    learnt = Learnt(fixes, blocks, handed.references)
    append_events(
        chat_id=chat.pk,
        events=[
            *(
                _imported(message, row, carried, now)
                for message, row in zip(handed_messages, rows, strict=True)
            ),
            *supplement(chat=chat, transfer=transfer, known=known, learnt=learnt, now=now),
            *take_contents(chat=chat, transfer=transfer, messages=handed.messages, now=now),
        ],
    )
    notes = _write_notes(chat, handed.notes, transfer.transfer_from, own_uri, now)
    links = _write_links(chat, transfer, handed, now)
    if links or references:
        transaction.on_commit(wake_errands)
    return Imported(len(rows), notes, links)


@dataclass(frozen=True, slots=True)
class _Carriage:
    """What messages brought, by the id of their message and in order."""

    fixes: Mapping[str, Sequence[HandedFix]]
    blocks: Mapping[str, Sequence[HandedData]]
    references: Mapping[str, Sequence[HandedReference]]


def _unknown(handed: Iterable[AnyNamed], known: set[str]) -> Iterator[AnyNamed]:
    """Pass over what is known by its id, also from before in the same history."""
    for one in handed:
        if not one.id:
            yield one
        elif one.id not in known:
            known.add(one.id)
            yield one


def _messages(chat: Chat, handed: Sequence[HandedMessage], transferor: str) -> list[Message]:
    return Message.objects.bulk_create(
        [
            Message(
                chat=chat,
                direction=message.direction,
                type=message.type,
                msg_id=message.msg_id,
                text=message.text,
                status=_status(message),
                sip_status=message.sip_status,
                at=message.at,
                origin=message.psap or transferor,
                foreign_id=message.id,
                role=message.role,
                flags=list(message.flags),
            )
            for message in handed
        ],
        batch_size=AT_ONCE,
    )


def _status(message: HandedMessage) -> str:
    if message.direction == Direction.IN:
        return DeliveryStatus.RECEIVED
    return message.status if message.status in FINAL else DeliveryStatus.CANCELLED


def _by_message(handed: Iterable[AnyCarried]) -> Mapping[str, list[AnyCarried]]:
    found: dict[str, list[AnyCarried]] = defaultdict(list)
    for one in handed:
        found[one.message].append(one)
    return found


def _imported(message: HandedMessage, row: Message, carried: _Carriage, now: datetime) -> Happened:
    fixes = carried.fixes.get(message.id, ())
    blocks = carried.blocks.get(message.id, ())
    references = carried.references.get(message.id, ())
    data: dict[str, Any] = {
        "type": row.type,
        "msgId": row.msg_id,
        "direction": row.direction,
        "role": row.role,
        "psap": row.origin,
        "id": row.foreign_id,
        "textSha256": text_digest(row.text),
        "parts": [part.sha256.hex() for part in message.parts],
        "fixes": len(fixes),
    }
    if fixes or blocks:
        data["readingsSha256"] = readings_digest(
            ((fix, fix.at) for fix in fixes), ((block.kind, block.data) for block in blocks)
        )
    if references:
        data["references"] = len(references)
    return Happened("message-imported", now, SYSTEM, data, row.pk)


def _write_parts(handed: Sequence[HandedMessage], rows: Sequence[Message]) -> None:
    BodyPart.objects.bulk_create(
        [
            BodyPart(
                message=row,
                position=position,
                content_type=part.content_type,
                content_id=part.content_id,
                size=part.size,
                name=part.name,
                sha256=part.sha256,
                flag=part.flag,
                content=part.content,
            )
            for message, row in zip(handed, rows, strict=True)
            for position, part in enumerate(message.parts)
        ],
        batch_size=AT_ONCE,
    )


def _write_fixes(chat: Chat, places: Places, fixes: Sequence[HandedFix]) -> None:
    LocationFix.objects.bulk_create(
        [
            LocationFix(
                chat=chat,
                message_id=places[fix.message],
                shape=fix.shape,
                latitude=fix.latitude,
                longitude=fix.longitude,
                radius=fix.radius,
                altitude=fix.altitude,
                confidence=fix.confidence,
                geometry=None if fix.geometry is None else dict(fix.geometry),
                civic=None if fix.civic is None else dict(fix.civic),
                method=fix.method,
                source=fix.source,
                at=fix.at,
            )
            for fix in fixes
        ],
        batch_size=AT_ONCE,
    )


def _write_data(chat: Chat, places: Places, blocks: Sequence[HandedData]) -> None:
    AdditionalData.objects.bulk_create(
        [
            AdditionalData(
                chat=chat,
                message_id=places[block.message],
                kind=block.kind,
                data=dict(block.data),
            )
            for block in blocks
        ],
        batch_size=AT_ONCE,
    )


def _write_references(
    chat: Chat, places: Places, references: Sequence[HandedReference], now: datetime
) -> None:
    """Have fetched what nobody has fetched yet, each URL once."""
    waiting = set(
        Reference.objects.filter(chat=chat, status__in=WAITING).values_list("kind", "url")
    )
    named = {(one.kind, one.url): one for one in references if (one.kind, one.url) not in waiting}
    Reference.objects.bulk_create(
        [
            Reference(
                chat=chat,
                message_id=places[one.message],
                kind=one.kind,
                purpose=one.purpose,
                url=one.url,
                due_at=now,
            )
            for one in named.values()
        ],
        batch_size=AT_ONCE,
    )


def _write_notes(
    chat: Chat, handed: Sequence[HandedNote], transferor: str, own_uri: str, now: datetime
) -> int:
    known = set(ids_of_notes(chat_id=chat.pk, own_uri=own_uri).values())
    notes = Note.objects.bulk_create(
        [
            Note(
                chat=chat,
                at=note.at,
                text=note.text,
                origin=note.psap or transferor,
                foreign_id=note.id,
            )
            for note in _unknown(handed, known)
        ],
        batch_size=AT_ONCE,
    )
    append_events(
        chat_id=chat.pk,
        events=[
            Happened(
                "note-imported",
                now,
                SYSTEM,
                {"note": str(note.pk), "textSha256": text_digest(note.text)},
            )
            for note in notes
        ],
    )
    return len(notes)


def _write_links(chat: Chat, transfer: Transfer, handed: HandedChat, now: datetime) -> int:
    """Have fetched what came by link and is not here yet, as far as the peer may make us."""
    lacking = BodyPart.objects.filter(Q(content=None), message__chat=chat).order_by("size")
    wanted = {bytes(digest): size for digest, size in lacking.values_list("sha256", "size")}
    links = {link.sha256: link for link in handed.links if link.sha256 in wanted}
    supersede_fetches(chat=chat, digests=links, now=now)
    sized = [(link, wanted[link.sha256]) for link in links.values()]
    allowed = within_quota(transfer, sized, now)
    AttachmentFetch.objects.bulk_create(
        [
            AttachmentFetch(transfer=transfer, url=link.url, sha256=link.sha256, due_at=now)
            for link in allowed
        ],
        batch_size=AT_ONCE,
    )
    missing = {"transfer": str(transfer.pk), "cause": BEYOND}
    append_events(
        chat_id=chat.pk,
        events=[
            Happened("attachment-missing", now, SYSTEM, {**missing, "sha256": digest.hex()})
            for digest in list(links)[len(allowed) :]
        ],
    )
    return len(allowed)
