"""What is taken over of a chat's record elsewhere: all of it, once, and provably."""

import hashlib
import json
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from chats import exports, selectors
from chats.models import (
    AdditionalData,
    AttachmentFetch,
    BodyPart,
    Chat,
    ChatEvent,
    Journal,
    LocationFix,
    Message,
    Note,
    OutboxEntry,
    Reference,
)
from chats.services.transfers import fetch_quota
from chats.services.transfers.history import (
    HandedData,
    HandedFix,
    HandedLink,
    HandedNote,
    HandedPart,
    HandedReference,
)
from chats.services.verify_chat import verify_chat
from psap.models import Peer, User
from tests.support.chats import make_user, open_chat, receive_message
from tests.support.coming import CALL_ID, FROM, OWN, Coming, handed_chat, handed_message
from tests.support.histories import make_history, make_transfer
from transfer_api.profile.reader import read_data
from transfer_api.profile.writer import write_execution

pytestmark = pytest.mark.django_db
CALL = {"unique_part": "comingcall", "element": "bcf.example.org", "call_id": CALL_ID}
PICTURE = b"\x89PNG picture"
DIGEST = hashlib.sha256(PICTURE).digest()
FIRST = handed_message(1).id


@pytest.fixture
def coming(anna: User) -> Coming:
    """A transfer that anna has accepted."""
    made = Coming()
    made.now = timezone.now()
    made.ask()
    made.accept(anna)
    return made


def part(**values: Any) -> HandedPart:
    return HandedPart(
        **{
            "content_type": "image/png",
            "content_id": "<a@b>",
            "name": "x.png",
            "size": len(PICTURE),
            "sha256": DIGEST,
            "flag": "",
            "content": PICTURE,
        }
        | values
    )


def fix(message: str = FIRST, **values: Any) -> HandedFix:
    return HandedFix(
        **{
            "message": message,
            "shape": "Circle",
            "latitude": 48.2,
            "longitude": 16.37,
            "radius": 20.0,
            "altitude": None,
            "confidence": None,
            "geometry": None,
            "civic": None,
            "method": "GPS",
            "source": "device",
            "at": handed_message(1).at,
        }
        | values
    )


def content_of(chat: Chat) -> dict[str, list[Any]]:
    """Everything that messages of a chat carry, without our own ids, in order."""
    messages = list(Message.objects.filter(chat=chat, type__lt=265).order_by("pk"))
    places = {message.pk: place for place, message in enumerate(messages)}

    def rows(model: Any, *names: str, **which: Any) -> list[Any]:
        found = model.objects.filter(message_id__in=places, **which).order_by("pk")
        return [(places[row.message_id], *(getattr(row, name) for name in names)) for row in found]

    return {
        "messages": [
            (m.direction, m.type, m.msg_id, m.text, m.sip_status, m.at, m.flags) for m in messages
        ],
        "statuses": [m.status for m in messages if m.direction == "out"],
        "parts": rows(
            BodyPart, "position", "content_type", "content_id", "size", "name", "sha256", "flag"
        ),
        "fixes": rows(
            LocationFix, "shape", "latitude", "longitude", "radius", "altitude", "confidence",
            "geometry", "civic", "method", "source", "at",
        ),
        "data": rows(AdditionalData, "kind", "data"),
        "references": rows(Reference, "kind", "purpose", "url"),
        "notes": list(Note.objects.filter(chat=chat).order_by("pk").values_list("at", "text")),
    }  # fmt: skip


@pytest.mark.conformance("6.3.1-2", "6.3.3-2")
@pytest.mark.parametrize("seed", range(20))
def test_what_arrives_is_what_was_handed_over_field_by_field(coming: Coming, seed: int):
    theirs = make_history(Random(seed), **CALL)
    Reference.objects.filter(chat=theirs).exclude(
        pk__in=Reference.objects.filter(chat=theirs)
        .order_by("kind", "url", "pk")
        .distinct("kind", "url")
        .values("pk")
    ).delete()  # what is named twice is fetched once
    body = write_execution(make_transfer(theirs, coming.peer))
    handed = read_data(json.loads(body)["Data"], received_at=coming.now, peer_uris=[FROM])
    Chat.objects.filter(pk=theirs.pk).update(unique_part="elsewhere")  # another PSAP's record

    coming.execute(handed)

    wanted, found = content_of(theirs), content_of(coming.chat)
    assert {name: found[name] for name in wanted} == wanted
    coming.holds()


def test_who_wrote_what_and_where_is_kept(coming: Coming):
    coming.execute(
        handed_chat(
            handed_message(1),
            handed_message(
                2, direction="out", role="calltaker", status="delivered", sip_status=200,
                psap="sip:c@c.example.org", id="abc@c", type=259,
            ),
            handed_message(3, direction="out", role="system", status="failed", psap=""),
        )
    )  # fmt: skip
    kept = Message.objects.filter(chat=coming.chat).exclude(type=265).order_by("pk")
    names = ("direction", "role", "origin", "foreign_id", "status", "sip_status", "author")
    assert [tuple(getattr(m, name) for name in names) for m in kept] == [
        ("in", "caller", FROM, handed_message(1).id, "received", None, None),
        ("out", "calltaker", "sip:c@c.example.org", "abc@c", "delivered", 200, None),
        ("out", "system", FROM, handed_message(3).id, "failed", None, None),
    ]
    assert coming.chat.last_delivered == handed_message(2).at
    imported = coming.event("message-imported")
    assert imported.data["direction"] == "out"
    assert (imported.data["role"], imported.data["psap"]) == ("system", FROM)
    coming.holds()


@pytest.mark.parametrize("status", ["queued", "sending", "deferred", "received", "nonsense"])
def test_nothing_of_another_psap_waits_to_be_sent_by_us(coming: Coming, status: str):
    coming.execute(handed_chat(handed_message(1, direction="out", status=status)))
    first, start = Message.objects.filter(chat=coming.chat).order_by("pk")
    assert (first.status, start.status) == ("cancelled", "queued")
    assert OutboxEntry.objects.get().message == start


def test_our_own_message_comes_after_the_whole_history(coming: Coming):
    coming.execute(handed_chat(*(handed_message(n) for n in range(1, 30))))
    texts = Message.objects.filter(chat=coming.chat).order_by("pk").values_list("text", flat=True)
    assert list(texts)[:-1] == [f"text {n}" for n in range(1, 30)]
    assert coming.start.pk == max(Message.objects.values_list("pk", flat=True))


def test_attachments_come_by_content_or_are_fetched(coming: Coming):
    other = hashlib.sha256(b"other").digest()
    coming.execute(
        handed_chat(
            handed_message(1, parts=(part(), part(sha256=other, content=None, size=5))),
            handed_message(2, parts=(part(sha256=other, content=None, size=5, name=""),)),
            links=(
                HandedLink(other, "https://a.example.org/transfer/v1/attachments/1"),
                HandedLink(other, "https://a.example.org/transfer/v1/attachments/2"),
                HandedLink(DIGEST, "https://a.example.org/transfer/v1/attachments/3"),
                HandedLink(b"x" * 32, "https://a.example.org/transfer/v1/attachments/4"),
            ),
        )
    )
    first, *_ = BodyPart.objects.order_by("pk")
    assert (first.position, first.content_type, first.content_id, first.name, first.size) == (
        0, "image/png", "<a@b>", "x.png", len(PICTURE),
    )  # fmt: skip
    assert bytes(first.content) == PICTURE
    fetch = AttachmentFetch.objects.get()  # the one that nobody has given yet, once
    assert (bytes(fetch.sha256), fetch.status, fetch.due_at) == (other, "pending", coming.now)
    assert fetch.transfer == coming.transfer
    coming.holds()


def linked(first: int, number: int, size: int) -> Any:
    """A chat with so many attachments by link, of a size each."""
    digests = [hashlib.sha256(b"%d" % (first + n)).digest() for n in range(number)]
    parts = tuple(part(sha256=digest, content=None, size=size) for digest in digests)
    links = tuple(HandedLink(digest, "transfer/v1/attachments/1") for digest in digests)
    return handed_chat(handed_message(1, parts=parts), links=links)


def test_a_peer_makes_us_fetch_no_more_than_a_chats_share_and_a_days(
    coming: Coming, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(fetch_quota, "MOST_OF_A_CHAT", 3)
    monkeypatch.setattr(fetch_quota, "LARGEST_OF_A_CHAT", 100)
    monkeypatch.setattr(fetch_quota, "LARGEST_OF_A_DAY", 150)
    monkeypatch.setattr(fetch_quota, "MOST_OF_A_DAY", 7)

    def fetched(first: int, *, number: int, size: int) -> int:
        coming.ask(call_id=f"{CALL_ID}{first}")
        coming.accept(anna)
        handed = linked(first, number, size)
        coming.execute(handed, call_id=f"{CALL_ID}{first}", body=b"%d" % first)
        return AttachmentFetch.objects.filter(transfer=coming.transfer_id).count()

    anna = make_user("taker")
    assert fetched(100, number=5, size=10) == 3  # 30 of the day's
    missing = ChatEvent.objects.filter(chat=coming.chat, kind="attachment-missing")
    assert len({event.data["sha256"] for event in missing}) == 2
    coming.holds()
    assert fetched(200, number=3, size=40) == 2  # of a chat's 100; 110 of the day's
    assert fetched(300, number=3, size=30) == 1  # 140
    assert fetched(400, number=1, size=0) == 0  # nobody says how large it is: as large as may be
    coming.later(24 * 3600 + 1)
    assert fetched(500, number=3, size=1) == fetched(600, number=3, size=1) == 3
    assert fetched(700, number=3, size=1) == 1  # the seventh of the day


def test_what_nobody_has_fetched_yet_is_fetched_here(coming: Coming):
    url = "https://lis.example.org/held?x"
    coming.execute(
        handed_chat(
            handed_message(1),
            handed_message(2),
            references=(
                HandedReference(FIRST, "location", "", url),
                HandedReference(handed_message(2).id, "location", "", url),
                HandedReference(FIRST, "additional-data", "SubscriberInfo", url),
            ),
        )
    )
    found = Reference.objects.order_by("kind").values_list("kind", "purpose", "url", "status")
    assert list(found) == [
        ("additional-data", "SubscriberInfo", url, "pending"),
        ("location", "", url, "pending"),
    ]
    coming.holds()


def _history() -> Any:
    return handed_chat(
        handed_message(1, parts=(part(),)),
        handed_message(2),
        fixes=(fix(), fix(shape="Civic", latitude=None, longitude=None, civic={"A3": "Wien"})),
        data=(HandedData(FIRST, "SubscriberInfo", {"name": "Anna", "n": [1, 2.5, None]}),),
        notes=(HandedNote("n1", handed_message(1).at, "Door code 1234", FROM),),
    )


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda: Message.objects.filter(msg_id=1).update(text="x"), "its text is not"),
        (lambda: Message.objects.filter(msg_id=1).update(role="calltaker"), "its role, PSAP"),
        (lambda: Message.objects.filter(msg_id=1).update(origin="sip:x"), "its role, PSAP"),
        (lambda: Message.objects.filter(msg_id=1).update(foreign_id="x"), "its role, PSAP"),
        (lambda: Message.objects.filter(msg_id=1).update(direction="out"), "its direction"),
        (lambda: Message.objects.filter(type=265).update(role="caller"), "its role, PSAP"),
        (lambda: BodyPart.objects.update(content=b"x"), "the content of part 0"),
        (lambda: BodyPart.objects.update(sha256=b"x" * 32), "its parts are not"),
        (lambda: LocationFix.objects.update(latitude=1.0), "its positions or additional data"),
        (lambda: AdditionalData.objects.update(data={}), "its positions or additional data"),
        (lambda: Note.objects.update(text="x"), "is not the recorded one"),
        (lambda: Note.objects.all().delete(), "is missing or told twice"),
        (lambda: Note.objects.update(id=10**9), "is missing or told twice"),
    ],
)
def test_a_change_of_what_was_taken_over_is_found(coming: Coming, change: Any, reason: str):
    coming.execute(_history())
    coming.holds()
    change()
    broken = verify_chat(chat_id=coming.chat.pk).broken
    assert broken is not None
    assert reason in broken.reason


def test_a_note_that_was_slipped_in_is_found(coming: Coming):
    coming.execute(_history())
    Note.objects.create(chat=coming.chat, at=coming.now, text="x", origin=FROM)
    assert "stands in no event" in verify_chat(chat_id=coming.chat.pk).broken.reason


def test_the_export_tells_whose_record_it_was(coming: Coming):
    coming.execute(_history())
    record = exports.record(selectors.conversation(coming.chat.pk))
    json.dumps(record)
    found = [(m["author"], m["role"], m["psap"]) for m in record["messages"]]
    assert found == [
        ("caller", "caller", FROM),
        ("caller", "caller", FROM),
        ("system", "system", ""),
    ]
    assert [(n["text"], n["psap"]) for n in record["notes"]] == [("Door code 1234", FROM)]
    assert record["psaps"][-1]["uri"] == FROM
    (transfer,) = record["transfers"]
    assert (transfer["side"], transfer["state"], transfer["from"], transfer["to"]) == (
        "in", "executing", FROM, OWN,
    )  # fmt: skip
    assert (transfer["automatic"], transfer["by"]["username"]) == (False, "anna")


# A chat that comes back


def _ours(coming: Coming) -> tuple[Chat, dict[str, str]]:
    """Have had the chat: a message of the app, one of ours; and their ids elsewhere."""
    chat = open_chat(session="transferred", gone_to=FROM, ringing_since=None, **CALL)
    key = b"k" * 16
    journal = Journal.objects.create(
        received_at=coming.now, trunk="t", transport="tcp", peer="p", request_key=key, raw=b"-"
    )
    told = receive_message(chat, "from the app", msg_id=1)
    Message.objects.filter(pk=told.pk).update(journal_id=journal.pk)
    return chat, {"app": "sip:" + key.hex()}


def test_what_we_know_by_our_own_ids_is_not_doubled(coming: Coming):
    chat, ids = _ours(coming)
    coming.execute(
        handed_chat(
            handed_message(1, id=ids["app"], text="from the app"),
            handed_message(2),
            fixes=(fix(ids["app"]),),
        )
    )
    texts = Message.objects.filter(chat=chat).order_by("pk").values_list("text", flat=True)
    assert list(texts) == ["from the app", "text 2", coming.start.text]
    assert LocationFix.objects.get().message.text == "from the app"
    coming.holds()


def test_two_thousand_messages_take_few_statements(coming: Coming):
    messages = tuple(handed_message(number, text="x" * 200) for number in range(1, 2001))
    fixes = tuple(fix(message.id) for message in messages)
    with CaptureQueriesContext(connection) as made:
        coming.execute(handed_chat(*messages, fixes=fixes))
    assert len(made.captured_queries) < 60
    assert Message.objects.filter(chat=coming.chat).count() == 2001
    coming.holds()


def test_a_time_in_the_future_is_no_sign_of_life(coming: Coming):
    coming.execute(
        handed_chat(
            opened_at=coming.now + timedelta(seconds=4),
            last_sign_of_life=coming.now + timedelta(seconds=4),
        )
    )
    assert (coming.chat.opened_at, coming.chat.last_sign_of_life) == (coming.now, coming.now)


def test_a_peer_that_is_deleted_leaves_the_record(coming: Coming):
    coming.execute(handed_chat())
    Peer.objects.all().delete()
    assert (coming.transfer.peer, coming.transfer.peer_name) == (None, "A")
    coming.holds()
