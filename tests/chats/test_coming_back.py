"""A chat that comes back brings what was learnt elsewhere about messages that we know: once."""

import hashlib
import json
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest

from chats.frames import event_frames
from chats.models import (
    AdditionalData,
    AttachmentFetch,
    BodyPart,
    Chat,
    ChatEvent,
    LocationFix,
    Message,
    Note,
    Reference,
)
from chats.selectors import missed_events
from chats.services.incoming import IncomingFix
from chats.services.verify_chat import verify_chat
from psap.models import User
from tests.support.chats import open_chat, receive_message
from tests.support.histories import make_history
from tests.support.passing import CALL, ToAndFro, assert_same, content_of

pytestmark = pytest.mark.django_db
AT = datetime(2026, 1, 31, 13, 0, tzinfo=UTC)
ELLIPSE = {"semiMajorAxis": 100.0, "semiMinorAxis": 12.5, "orientation": 30.0}
FIX = IncomingFix("Ellipse", 48.2, 16.37, 100.0, "GPS", AT, 171.5, 95.0, ELLIPSE, None, "device")
ADDRESS = IncomingFix("Civic", None, None, None, "Manual", None, civic={"A3": "Wien", "HNO": "1"})
BLOCK = ("SubscriberInfo", {"name": "Anna", "phone": "+43 1"})
PICTURE = b"\x89PNG picture"
LIS, DATA = "https://lis.example.org/1", "https://data.example.org/1"


@pytest.fixture
def going(anna: User) -> ToAndFro:
    """A chat with a picture, a position and a block of data of its own, and two URLs."""
    chat = open_chat("help", **CALL)
    told = receive_message(
        chat, "here", msg_id=2, parts=[PICTURE], position=(48.0, 16.0), additional=[BLOCK]
    )
    due = {"due_at": AT, "chat": chat, "message": told}
    Reference.objects.create(kind="location", url=LIS, **due)
    Reference.objects.create(kind="additional-data", purpose="SubscriberInfo", url=DATA, **due)
    return ToAndFro(anna, chat)


def told(chat: Chat) -> Message:
    return Message.objects.get(chat=chat, text="here")


def supplements(chat: Chat) -> list[ChatEvent]:
    return list(ChatEvent.objects.filter(chat=chat, kind="message-supplemented").order_by("seq"))


@pytest.mark.conformance("6.3.1-2", "6.3.3-2")
def test_what_the_other_psap_has_fetched_comes_back_field_by_field(going: ToAndFro):
    first = going.here
    second = going.pass_on()
    going.fetch_location(FIX, ADDRESS)
    going.fetch_data(("ServiceInfo", {"service": "Mobile"}), BLOCK)
    receive_message(second, "I am on the roof", msg_id=3, position=(48.3, 16.4))
    Note.objects.create(chat=second, at=AT, text="Door code 1234")

    assert going.pass_on() == first

    assert_same(going.handed, first)
    assert LocationFix.objects.filter(chat=first).count() == 4
    assert AdditionalData.objects.filter(chat=first).count() == 3
    (event,) = supplements(first)
    assert (event.message_id, event.actor) == (told(first).pk, "system")
    assert event.data["transfer"] == str(going.coming.transfer_id)
    assert (event.data["fixes"], event.data["blocks"], event.data["references"]) == (2, 2, 2)


def test_what_is_fetched_there_is_fetched_here_no_more(going: ToAndFro):
    """Red when our own reference stays open: the position would be asked for, and stand twice."""
    first = going.here
    other = "https://lis.example.org/2"
    Reference.objects.create(kind="location", url=other, due_at=AT, chat=first, message=told(first))
    second = going.pass_on()
    Reference.objects.filter(chat=second, url=other).update(status="failed")
    going.fetch_location(FIX)
    going.pass_on()
    statuses = dict(Reference.objects.filter(chat=first).values_list("url", "status"))
    assert statuses == {LIS: "fetched", other: "pending", DATA: "pending"}


def test_what_both_have_fetched_of_the_same_time_is_there_once(going: ToAndFro):
    """Red by content alone: the second stands twice then, and the first is missing."""
    first = going.here
    second = going.pass_on()
    earlier, later = (FIX._replace(at=AT + timedelta(minutes=minutes)) for minutes in (1, 2))
    going.fetch_location(earlier)
    Reference.objects.filter(chat=second, kind="location").update(status="pending")
    going.fetch_location(later)
    going.fetch_location(later, chat=first)
    going.pass_on()
    found = LocationFix.objects.filter(chat=first, shape="Ellipse").order_by("at")
    assert list(found.values_list("at", flat=True)) == [earlier.at, later.at]


def test_ten_times_to_and_fro_what_was_fetched_is_there_once(going: ToAndFro):
    """Each fetches something in its turn; at the end both have all of it, and all texts, once."""
    for turn in range(20):
        receive_message(going.here, f"turn {turn}", msg_id=100 + turn)
        if turn == 1:
            going.fetch_location(FIX, ADDRESS)
        if turn == 2:
            going.fetch_data(("ServiceInfo", {"service": "Mobile"}))
        known = len(supplements(going.there))
        going.pass_on()
        assert_same(going.handed, going.here)
        if turn > 3:
            assert len(supplements(going.here)) == known
    texts = Message.objects.filter(chat=going.here, text__startswith="turn").order_by("pk")
    assert [one.text for one in texts] == [f"turn {turn}" for turn in range(20)]
    fixes = LocationFix.objects.filter(chat=going.here).order_by("pk")
    assert list(fixes.values_list("shape", flat=True)) == ["Circle", "Ellipse", "Civic"]
    assert AdditionalData.objects.filter(chat=going.here).count() == 2
    assert content_of(going.there)["locations"] == content_of(going.here)["locations"]


@pytest.mark.parametrize("seed", range(5))
def test_all_kinds_of_content_come_back_as_they_went(anna: User, seed: int):
    chat = make_history(Random(seed), **CALL)
    Chat.objects.filter(pk=chat.pk).update(caller_uri="sip:a@b", asserted_uri="", test=False)
    before = content_of(chat)
    going = ToAndFro(anna, chat)
    second = going.pass_on()
    went = content_of(second)
    going.pass_on()
    found = content_of(chat)
    for name in ("locations", "additionalData", "attachments"):
        assert found[name] == before[name] == went[name]
    assert found["messages"][: len(before["messages"])] == before["messages"]
    assert supplements(chat) == []


def test_a_clock_that_differs_doubles_no_position(going: ToAndFro):
    """Red by the time: there and back all times are moved, by not quite the same."""
    first = going.here
    before = content_of(first)["locations"]
    late = going.coming.now + timedelta(hours=3)
    second = going.pass_on(SnapshotAt=late.isoformat())
    assert content_of(second)["locations"] != before
    going.pass_on(SnapshotAt=(going.coming.now - timedelta(hours=3, seconds=1)).isoformat())
    assert content_of(first)["locations"] == before
    assert supplements(first) == []


def test_the_same_position_twice_is_there_twice(going: ToAndFro):
    """A caller who stays where they are is located again: that is news."""
    first = going.here
    second = going.pass_on()
    for minutes in (1, 2):
        going.fetch_location(FIX._replace(at=AT + timedelta(minutes=minutes)))
        Reference.objects.filter(chat=second, kind="location").update(status="pending")
    going.pass_on()
    times = LocationFix.objects.filter(chat=first, shape="Ellipse").order_by("pk")
    assert list(times.values_list("at", flat=True)) == [
        AT + timedelta(minutes=1), AT + timedelta(minutes=2),
    ]  # fmt: skip


def test_positions_stand_in_the_order_in_which_they_became_known(going: ToAndFro):
    """The last one counts: red when those of known messages come before or after all others."""
    first = going.here
    second = going.pass_on()
    receive_message(second, "x", msg_id=3, position=(1.0, 1.0))
    going.fetch_location(FIX)
    receive_message(second, "y", msg_id=4, position=(2.0, 2.0))
    going.pass_on()
    found = LocationFix.objects.filter(chat=first).order_by("pk")
    assert list(found.values_list("latitude", flat=True)) == [48.0, 1.0, 48.2, 2.0]


# attachments


def lose_picture(chat: Chat) -> None:
    """Have a record that holds the picture by its digest alone."""
    BodyPart.objects.filter(message__chat=chat).update(content=None)


def test_content_that_we_lack_comes_back(going: ToAndFro):
    first = going.here
    going.pass_on()
    lose_picture(first)
    going.pass_on()
    assert_same(going.handed, first)
    assert content_of(first)["attachments"] == [(hashlib.sha256(PICTURE).hexdigest(), PICTURE)]
    (event,) = ChatEvent.objects.filter(chat=first, kind="attachment-fetched")
    assert event.data == {
        "transfer": str(going.coming.transfer_id), "sha256": hashlib.sha256(PICTURE).hexdigest(),
    }  # fmt: skip


def by_link() -> dict[str, Any]:
    digest = hashlib.sha256(PICTURE).hexdigest()
    return {"Attachments": [{"Sha256": digest, "Url": f"transfer/v1/attachments/{digest}"}]}


def test_a_link_that_comes_again_and_again_is_fetched_once(going: ToAndFro):
    """Red when each transfer adds one: the record would tell of as many fetches."""
    going.pass_on(**by_link())
    first = going.there
    for _ in range(3):
        going.pass_on()
        going.pass_on(**by_link())
    assert AttachmentFetch.objects.filter(status="pending").count() == 1
    assert going.fetch_attachment(PICTURE) == 1
    assert content_of(going.here)["attachments"] == content_of(first)["attachments"]
    assert verify_chat(chat_id=going.here.pk).broken is None


def test_what_comes_by_content_is_fetched_by_its_link_no_more(going: ToAndFro):
    second = going.pass_on(**by_link())
    assert AttachmentFetch.objects.get().status == "pending"
    going.pass_on()
    going.pass_on()
    assert going.here == second
    assert AttachmentFetch.objects.get().status == "failed"
    assert content_of(second)["attachments"][0][1] == PICTURE
    assert_same(going.handed, second)


def test_what_was_erased_here_stays_so(going: ToAndFro):
    first = going.here
    going.pass_on()
    going.fetch_location(FIX)
    Message.objects.filter(pk=told(first).pk).update(flags=["erased"])
    BodyPart.objects.filter(message__chat=first).update(content=None, flag="erased")
    LocationFix.objects.filter(chat=first).delete()
    AdditionalData.objects.filter(chat=first).delete()
    going.pass_on()
    assert not LocationFix.objects.filter(chat=first).exists()
    assert not AdditionalData.objects.filter(chat=first).exists()
    assert BodyPart.objects.get(message__chat=first).content is None
    assert verify_chat(chat_id=first.pk).broken is None


# what is provable, and what screens hear


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda fixes, blocks: fixes.filter(shape="Ellipse").update(latitude=1.0), "came for it"),
        (lambda fixes, blocks: fixes.filter(shape="Circle").update(latitude=1.0), "its positions"),
        (lambda fixes, blocks: blocks.filter(kind="ServiceInfo").update(data={}), "came for it"),
        (lambda fixes, blocks: fixes.filter(shape="Ellipse").delete(), "its positions"),
    ],
)
def test_a_change_of_what_came_back_is_found(going: ToAndFro, change: Any, reason: str):
    first = going.here
    going.pass_on()
    going.fetch_location(FIX)
    going.fetch_data(("ServiceInfo", {"service": "Mobile"}))
    going.pass_on()
    assert verify_chat(chat_id=first.pk).broken is None
    change(LocationFix.objects.filter(chat=first), AdditionalData.objects.filter(chat=first))
    broken = verify_chat(chat_id=first.pk).broken
    assert broken is not None
    assert reason in broken.reason


def test_screens_hear_of_it_with_the_event(going: ToAndFro):
    first = going.here
    going.pass_on()
    going.fetch_location(FIX)
    going.fetch_data(("ServiceInfo", {"service": "Mobile"}))
    seen = Chat.objects.get(pk=first.pk).head_seq
    going.pass_on()
    frames = [json.loads(one.text) for one in event_frames(missed_events({first.pk: seen}))]
    (frame,) = (one for one in frames if one["ev"] == "message-supplemented")
    assert frame["message"]["text"] == "here"
    assert [fix["shape"] for fix in frame["fixes"]] == ["Circle", "Ellipse"]
    kinds = [block["kind"] for block in frame["additionalData"]]
    assert kinds == ["SubscriberInfo", "ServiceInfo"]
    assert {one["status"] for one in frame["references"]} == {"fetched"}
