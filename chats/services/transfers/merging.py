"""Merging: what another PSAP has learnt about messages that are on our record already.

A chat that comes back brings what was fetched there for messages that we know: positions,
additional data, contents of attachments. What we have as well is told by its content and by how
often it is there. A position of another time is the same one: whose clock differs moves times
(transfer_api/profile/clock.py), there and back by not quite the same.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol, TypeVar

from chats.models import (
    AdditionalData,
    AttachmentFetch,
    BodyPart,
    Chat,
    FetchStatus,
    LocationFix,
    Message,
    Reference,
    ReferenceKind,
    ReferenceStatus,
    Transfer,
)
from chats.services.chain import SYSTEM, Happened
from chats.services.readings import readings_digest
from chats.services.transfers.history import (
    HandedData,
    HandedFix,
    HandedMessage,
    HandedReference,
)
from chats.services.verify_chat import ERASED, TRUNCATED

SUPERSEDED = "it was handed over once more"
_NO_TIME = datetime(1970, 1, 1, tzinfo=UTC)

Places = Mapping[str, int]
"""Rows of messages by the id that they have in every PSAP's record."""


class _Carried(Protocol):
    @property
    def message(self) -> str: ...


class _Row(Protocol):
    message_id: int


AnyCarried = TypeVar("AnyCarried", bound=_Carried)
AnyRow = TypeVar("AnyRow", bound=_Row)


def without_erased(*, chat: Chat, places: Places) -> Places:
    """Leave out messages whose content was erased here: it stays so, whoever else has it."""
    erased = set(
        Message.objects.filter(chat=chat, flags__contains=[ERASED]).values_list("pk", flat=True)
    )
    return {name: pk for name, pk in places.items() if pk not in erased}


def fresh_fixes(*, chat: Chat, handed: Iterable[HandedFix], places: Places) -> list[HandedFix]:
    """Return the positions that are not on our record, in their order."""
    return _fresh(
        handed,
        LocationFix.objects.filter(chat=chat).order_by("pk"),
        places,
        lambda fix: readings_digest([(fix, _NO_TIME)], ()),
        lambda fix: fix.at,
    )


def fresh_data(*, chat: Chat, handed: Iterable[HandedData], places: Places) -> list[HandedData]:
    """Return the blocks of additional data that are not on our record, in their order."""
    return _fresh(
        handed,
        AdditionalData.objects.filter(chat=chat).order_by("pk"),
        places,
        lambda block: readings_digest((), [(block.kind, block.data)]),
        lambda block: _NO_TIME,
    )


def _fresh(
    handed: Iterable[AnyCarried],
    own: Iterable[AnyRow],
    places: Places,
    content: Callable[[AnyCarried | AnyRow], str],
    time: Callable[[AnyCarried | AnyRow], datetime],
) -> list[AnyCarried]:
    """Pass over what is there as often: what has the same time first, then the oldest."""
    found = [one for one in handed if one.message in places]
    about = {places[one.message] for one in found}
    ours = [(row.message_id, content(row), time(row)) for row in own if row.message_id in about]
    exactly = Counter(ours)
    anyhow = Counter((message, digest) for message, digest, _ in ours)
    ours_are_of = {message for message, _, _ in ours}
    keys = {
        number: (places[one.message], content(one))
        for number, one in enumerate(found)
        if places[one.message] in ours_are_of
    }
    here: set[int] = set()
    for number, key in keys.items():
        if exactly[*key, time(found[number])] > 0:
            exactly[*key, time(found[number])] -= 1
            anyhow[key] -= 1
            here.add(number)
    for number, key in keys.items():
        if number not in here and anyhow[key] > 0:
            anyhow[key] -= 1
            here.add(number)
    return [one for number, one in enumerate(found) if number not in here]


def take_contents(
    *, chat: Chat, transfer: Transfer, messages: Iterable[HandedMessage], now: datetime
) -> list[Happened]:
    """Give parts that lack their content what has come by value; an event for each content."""
    lacking = BodyPart.objects.filter(message__chat=chat, content=None)
    lacking = lacking.exclude(flag__in=(ERASED, TRUNCATED))
    wanted = {bytes(digest) for digest in lacking.values_list("sha256", flat=True)}
    found: dict[bytes, bytes] = {}
    for part in (part for message in messages for part in message.parts):
        content = part.content
        if part.sha256 not in wanted or part.sha256 in found or content is None:
            continue
        if hashlib.sha256(content).digest() == part.sha256:  # else it is the beginning alone
            found[part.sha256] = content
    for sha256, content in found.items():
        lacking.filter(sha256=sha256).update(content=content)
    supersede_fetches(chat=chat, digests=found, now=now)
    return [
        Happened(
            "attachment-fetched",
            now,
            SYSTEM,
            {"transfer": str(transfer.pk), "sha256": sha256.hex()},
        )
        for sha256 in found
    ]


def supersede_fetches(*, chat: Chat, digests: Iterable[bytes], now: datetime) -> None:
    """Fetch contents no more by links of earlier transfers: they are here, or have newer links."""
    wanted = set(digests)
    waiting = AttachmentFetch.objects.filter(transfer__chat=chat, status=FetchStatus.PENDING)
    over = [pk for pk, sha256 in waiting.values_list("pk", "sha256") if bytes(sha256) in wanted]
    AttachmentFetch.objects.filter(pk__in=over).update(
        status=FetchStatus.FAILED, cause=SUPERSEDED, done_at=now, lease_until=None
    )


@dataclass(frozen=True, slots=True)
class Learnt:
    """What is new about messages that we know."""

    fixes: Sequence[HandedFix]
    blocks: Sequence[HandedData]
    listed: Sequence[HandedReference]  # what the transferor has not fetched either


def supplement(
    *, chat: Chat, transfer: Transfer, known: Places, learnt: Learnt, now: datetime
) -> list[Happened]:
    """Return an event for each known message about which something is new; its rows are written.

    What the transferor has fetched is not fetched here any more.
    """
    fixes: defaultdict[int, list[HandedFix]] = defaultdict(list)
    blocks: defaultdict[int, list[HandedData]] = defaultdict(list)
    for fix in learnt.fixes:
        if fix.message in known:
            fixes[known[fix.message]].append(fix)
    for block in learnt.blocks:
        if block.message in known:
            blocks[known[block.message]].append(block)
    if not fixes and not blocks:
        return []
    brought = {
        *((ReferenceKind.LOCATION.value, message) for message in fixes),
        *((ReferenceKind.ADDITIONAL_DATA.value, message) for message in blocks),
    }
    fetched = _fetch_no_more(chat, brought, learnt.listed, now)
    return [
        _supplemented(transfer, message, fixes[message], blocks[message], fetched[message], now)
        for message in sorted({*fixes, *blocks, *fetched})
    ]


def _supplemented(
    transfer: Transfer,
    message: int,
    fixes: Sequence[HandedFix],
    blocks: Sequence[HandedData],
    references: int,
    now: datetime,
) -> Happened:
    data = {"transfer": str(transfer.pk), "fixes": len(fixes), "blocks": len(blocks)}
    if fixes or blocks:
        data["readingsSha256"] = readings_digest(
            ((fix, fix.at) for fix in fixes), ((block.kind, block.data) for block in blocks)
        )
    if references:
        data["references"] = references
    return Happened("message-supplemented", now, SYSTEM, data, message)


def _fetch_no_more(
    chat: Chat, brought: set[tuple[str, int]], listed: Sequence[HandedReference], now: datetime
) -> Counter[int]:
    """Mark as fetched what the transferor does not list any more; how many of each message."""
    open_there = {(one.kind, one.url) for one in listed}
    waiting = list(
        Reference.objects.filter(chat=chat)
        .exclude(status=ReferenceStatus.FETCHED)
        .values_list("pk", "message_id", "kind", "url")
    )
    fetched = {(kind, url) for _, message, kind, url in waiting if (kind, message) in brought}
    fetched -= open_there
    over = {pk: message for pk, message, kind, url in waiting if (kind, url) in fetched}
    Reference.objects.filter(pk__in=over).update(
        status=ReferenceStatus.FETCHED, cause="", http_status=None, done_at=now, lease_until=None
    )
    return Counter(over.values())
