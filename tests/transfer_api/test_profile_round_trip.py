"""What we write of a chat is what a peer of ours reads of it, field by field."""

import json
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from chats.models import AdditionalData, BodyPart, Chat, LocationFix, Message, Note, Reference
from chats.services.transfers.foreign_ids import ids_of_messages, ids_of_notes
from chats.services.transfers.history import HandedChat, HandedPart
from chats.services.transfers.size import estimated_size
from psap.models import Peer
from tests.support.chats import make_psap, open_chat, receive_message
from tests.support.histories import make_history, make_transfer
from transfer_api.profile import attached
from transfer_api.profile.reader import read_data
from transfer_api.profile.writer import write_execution
from transfer_api.schemas import DATA, EXECUTION_REQUEST, validate

pytestmark = pytest.mark.django_db

OWN = "sip:psap@example.org"


@pytest.fixture(autouse=True)
def psap() -> None:
    make_psap(public_uri=OWN, name="Leitstelle A")


def hand_over(chat: Chat, **values: Any) -> tuple[dict[str, Any], HandedChat]:
    """Write a chat, and read it again: the request, and what a peer makes of it."""
    peer, _ = Peer.objects.get_or_create(name="B", uris="sip:b@example.org")
    request = json.loads(write_execution(make_transfer(chat, peer, **values)))
    return request, read_data(request["Data"], received_at=timezone.now(), peer_uris=[OWN])


@pytest.mark.parametrize("seed", range(25))
def test_what_is_written_is_what_is_read(seed: int):
    chat = make_history(random.Random(seed))
    request, read = hand_over(chat)

    assert validate(EXECUTION_REQUEST, request) == []
    assert validate(DATA, request["Data"]) == []
    assert_equal(chat, read)


def assert_equal(chat: Chat, read: HandedChat) -> None:
    """Compare every field of the record with what was read."""
    chat.refresh_from_db()
    same = (
        "caller_uri", "asserted_uri", "display_name", "language", "user_agent", "dialect",
        "service", "priority", "silent", "test", "opened_at", "last_sign_of_life",
        "last_in_msg_id", "signalling",
    )  # fmt: skip
    wanted = {name: getattr(chat, name) for name in same}
    if chat.last_in_msg_id is None:
        wanted["last_in_msg_id"] = read.last_in_msg_id
    assert {name: getattr(read, name) for name in same} == wanted
    assert read.app_uri == chat.target_uri
    assert chat.last_caller_text in (None, read.last_caller_text)
    assert [one["uri"] for one in read.psaps] == ["sip:first@example.org", OWN]
    assert read.clock_shift == 0

    ids = ids_of_messages(chat_id=chat.pk, own_uri=OWN)
    messages = Message.objects.filter(chat=chat).order_by("pk")
    assert [
        (m.id, m.direction, m.type, m.msg_id, m.text, m.psap, m.at, m.status, m.sip_status)
        for m in read.messages
    ] == [
        (ids[m.pk], m.direction, m.type, m.msg_id, m.text, m.origin or OWN, m.at, m.status,
         m.sip_status)
        for m in messages
    ]  # fmt: skip
    assert [m.flags for m in read.messages] == [tuple(m.flags) for m in messages]
    assert [m.role for m in read.messages] == [role(m) for m in messages]
    assert [[part(p) for p in m.parts] for m in read.messages] == [
        [part(p) for p in BodyPart.objects.filter(message=m).order_by("position")] for m in messages
    ]
    beside = (
        "shape", "latitude", "longitude", "radius", "altitude", "confidence", "geometry", "civic",
        "method", "source", "at",
    )  # fmt: skip
    assert [(f.message, *[getattr(f, name) for name in beside]) for f in read.fixes] == [
        (ids[f.message_id], *[getattr(f, name) for name in beside])
        for f in LocationFix.objects.filter(chat=chat).order_by("pk")
    ]
    assert [(d.message, d.kind, d.data) for d in read.data] == [
        (ids[d.message_id], d.kind, d.data)
        for d in AdditionalData.objects.filter(chat=chat).order_by("pk")
    ]
    assert [(r.message, r.kind, r.purpose, r.url) for r in read.references] == [
        (ids[r.message_id], r.kind, r.purpose, r.url)
        for r in Reference.objects.filter(chat=chat).order_by("pk")
    ]
    note_ids = ids_of_notes(chat_id=chat.pk, own_uri=OWN)
    assert [(n.id, n.at, n.text, n.psap) for n in read.notes] == [
        (note_ids[n.pk], n.at, n.text, n.origin or OWN)
        for n in Note.objects.filter(chat=chat).order_by("pk")
    ]
    assert read.links == ()


def role(message: Message) -> str:
    if message.role:
        return message.role
    if message.direction == "in":
        return "caller"
    return "calltaker" if message.author_id else "system"


def part(one: BodyPart | HandedPart) -> tuple[Any, ...]:
    content = None if one.content is None else bytes(one.content)
    return (
        one.content_type, one.content_id, one.name, one.size, bytes(one.sha256), one.flag, content
    )  # fmt: skip


def test_the_request_names_call_last_message_id_and_expiry():
    chat = open_chat("help")
    request, _ = hand_over(chat, last_msg_id=4711, execution_expiry=33)
    assert request["CallId"] == chat.call_id
    assert (request["MessageId"], request["ExpiryTime"]) == (4711, 33)


def test_before_they_are_set_the_stop_and_the_peer_say_them():
    request, _ = hand_over(open_chat("help"))
    assert (request["MessageId"], request["ExpiryTime"]) == (9, 20)


def test_content_beyond_the_bound_goes_by_link(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(attached, "LARGEST_INLINE", 2000)
    chat = open_chat()
    contents = [b"a" * 2000, b"small", b"b" * 2000, b"a" * 2000]
    receive_message(chat, "x", parts=contents)
    request, read = hand_over(chat)

    assert [one.content for one in read.messages[0].parts] == [None, b"small", None, None]
    parts = BodyPart.objects.order_by("position")
    assert [(one.sha256, one.url) for one in read.links] == [
        (bytes(p.sha256), f"transfer/v1/attachments/{bytes(p.sha256).hex()}")
        for p in (parts[0], parts[2])
    ]
    assert validate(DATA, request["Data"]) == []


def test_what_is_still_on_its_way_counts_as_not_delivered():
    """Red when it goes as it stands: the transferee's gateway takes it for one to be sent."""
    chat = open_chat("help")
    Message.objects.create(
        chat=chat, direction="out", type=259, msg_id=2, text="?", status="sending",
        at=timezone.now(),
    )  # fmt: skip
    _, read = hand_over(chat)
    assert [one.status for one in read.messages] == ["received", "failed", "delivered"]


def test_a_uri_that_is_none_is_escaped_and_refuses_no_chat():
    chat = open_chat("help", caller_uri='sip:"a b"@<example.org>')
    request, read = hand_over(chat)
    assert read.caller_uri == "sip:%22a%20b%22@%3Cexample.org%3E"
    assert validate(DATA, request["Data"]) == []


def test_the_history_of_psaps_grows_with_each_transfer():
    chat = open_chat("help", psaps=[{"uri": "sip:b@example.org", "name": "B", "from": ""}])
    arrived = datetime(2026, 1, 31, 13, tzinfo=UTC)
    peer = Peer.objects.create(name="C", uris="sip:c@example.org")
    make_transfer(chat, peer, side="in", state="done", executed_at=arrived, call_id="x")
    request, read = hand_over(chat)
    assert [dict(one) for one in read.psaps] == [
        {"uri": "sip:b@example.org", "name": "B", "from": ""},
        {"uri": OWN, "name": "Leitstelle A", "from": "2026-01-31T13:00:00.000000Z"},
    ]


def test_a_peer_whose_clock_is_wrong_hands_over_times_by_ours():
    chat = open_chat("help")
    peer = Peer.objects.create(name="B", uris="sip:b@example.org")
    data = json.loads(write_execution(make_transfer(chat, peer)))["Data"]
    late = timezone.now() + timedelta(hours=3)
    read = read_data(data, received_at=late, peer_uris=[OWN])
    assert read.clock_shift == pytest.approx(3 * 3600, abs=5)
    shift = timedelta(seconds=read.clock_shift)
    assert read.opened_at == chat.opened_at + shift
    assert read.messages[0].at == chat.messages.order_by("pk")[0].at + shift


def test_a_repetition_long_after_the_snapshot_is_no_wrong_clock():
    """Red by SnapshotAt alone: the same bytes are sent again for as long as the peer is away."""
    chat = open_chat("help")
    peer = Peer.objects.create(name="B", uris="sip:b@example.org")
    data = json.loads(write_execution(make_transfer(chat, peer)))["Data"]
    later = timezone.now() + timedelta(seconds=20)
    read = read_data(data, received_at=later, sent_at=later, peer_uris=[OWN])
    assert read.clock_shift == 0
    assert read.opened_at == chat.opened_at


@pytest.mark.parametrize("seed", range(3))
def test_the_estimated_size_of_a_chat_is_that_of_its_body_without_contents(seed: int):
    """Red when a kind of rows is left out: what is just small enough to us is 413 to the peer."""
    chat = make_history(random.Random(seed))
    request, _ = hand_over(chat)
    del request["Data"]["Attachments"]
    size = len(json.dumps(request, ensure_ascii=False, separators=(",", ":")).encode())
    assert size <= estimated_size(chat) <= 3 * size
