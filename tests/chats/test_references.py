"""References as rows: who claims them, who may have them fetched, and what screens hear of it."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from django.db import connection
from django.test import Client

from chats.database_threads import database_threads
from chats.frames import event_frames
from chats.models import Chat, ChatEvent, Reference
from chats.selectors import missed_events
from chats.services.claim_chat import claim_chat
from chats.services.close_chat import close_chat
from chats.services.errors import ChatAlreadyClosed, NotYourChat, ReferenceNotWaiting
from chats.services.fetch_reference import fetch_reference
from chats.services.incoming import IncomingFix
from chats.services.incoming.statements import INSERT_REFERENCES
from chats.services.references import (
    DueReference,
    claim_references,
    record_data,
    record_failure,
    record_location,
    record_unlisted,
)
from psap.models import User
from tests.support.chats import make_psap, make_user, open_chat
from tests.support.console import console, log_in

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 1, 31, 13, 0, tzinfo=UTC)
FIX = IncomingFix("Point", 48.2, 16.37, None, "GPS", NOW)


def refer(chat: Chat, url: str = "https://lis.example.org/1", **values: Any) -> Reference:
    """Let the chat's first message name a URL."""
    message = chat.messages.order_by("pk")[0]
    defaults = {"kind": "location", "due_at": NOW}
    return Reference.objects.create(chat=chat, message=message, url=url, **defaults | values)


def claim(now: datetime = NOW, **limits: Any) -> list[DueReference]:
    return claim_references(**{"now": now, "most": 16, "per_host": 4, "busy": {}} | limits)


def owned_chat(owner: User) -> Chat:
    chat = open_chat("help")
    return claim_chat(chat_id=chat.pk, call_taker=owner, now=NOW)


def test_a_claimed_reference_is_left_alone_until_its_lease_is_over():
    reference = refer(open_chat("help"))
    assert [(due.id, due.attempts) for due in claim()] == [(reference.pk, 1)]
    assert claim() == []
    assert claim(NOW + timedelta(seconds=29)) == []
    assert [due.attempts for due in claim(NOW + timedelta(seconds=31))] == [2]


def test_what_is_not_due_or_not_pending_is_not_claimed():
    chat = open_chat("help")
    refer(chat, due_at=NOW + timedelta(seconds=1))
    for status in ("unlisted", "fetched", "failed"):
        refer(chat, status=status)
    assert claim() == []


def test_no_host_gets_more_than_its_share_and_the_others_are_not_kept_waiting():
    chat = open_chat("help")
    for number in range(50):
        refer(chat, f"https://hung.example.org/{number}")
    other = refer(chat, "https://lis.example.org/1", due_at=NOW)
    hosts = [due.host for due in claim(most=16, per_host=4)]
    assert sorted(hosts) == ["hung.example.org"] * 4 + ["lis.example.org"]
    busy = {"hung.example.org": 4}
    assert claim(busy=busy) == []
    Reference.objects.filter(pk=other.pk).update(lease_until=None)
    assert [due.host for due in claim(busy=busy)] == ["lis.example.org"]


def test_the_host_is_told_from_the_url_however_it_is_written():
    chat = open_chat("help")
    for url in ("HTTPS://LIS.example.org:8443?a", "https://lis.example.org:8443#b", "nonsense"):
        refer(chat, url)
    assert sorted(due.host for due in claim()) == ["", *["lis.example.org:8443"] * 2]


@pytest.mark.django_db(transaction=True)
def test_what_another_worker_claims_at_this_moment_is_not_claimed_twice():
    reference = refer(open_chat("help"))
    with psycopg.connect(**connection.get_connection_params()) as other:
        other.execute("SELECT FROM chats_reference WHERE id = %s FOR UPDATE", [reference.pk])
        assert claim() == []
    assert [due.id for due in claim()] == [reference.pk]


def test_positions_come_live_with_the_event_and_in_the_conversation(client: Client, anna: User):
    chat = owned_chat(anna)
    reference = refer(chat)
    (due,) = claim()
    seen = Chat.objects.get(pk=chat.pk).head_seq
    assert record_location(due=due, fixes=[FIX], http_status=200, now=NOW)
    (frame,) = _frames(chat, seen)
    assert (frame["ev"], frame["actor"]) == ("location-fetched", "system")
    assert [(fix["lat"], fix["lon"]) for fix in frame["fixes"]] == [(48.2, 16.37)]
    (told,) = frame["references"]
    assert (told["id"], told["status"]) == (str(reference.pk), "fetched")
    assert frame["card"]["fix"]["lat"] == 48.2
    client.force_login(anna)
    whole = client.get(f"/chats/{chat.pk}/conversation/").json()
    assert whole["references"] == [
        {
            "id": str(reference.pk),
            "kind": "location",
            "purpose": "",
            "url": "https://lis.example.org/1",
            "status": "fetched",
            "cause": "",
            "allowedBy": None,
            "messageId": str(reference.message_id),
        }
    ]
    assert len(whole["fixes"]) == 1


def test_of_a_reference_that_was_asked_twice_an_event_brings_what_its_answer_brought(anna: User):
    chat = owned_chat(anna)
    reference = refer(chat)
    for latitude in (48.1, 48.2):
        (due,) = claim()
        fix = IncomingFix("Point", latitude, 16.37, None, "GPS", NOW)
        record_location(due=due, fixes=[fix], http_status=200, now=NOW)
        seen = Chat.objects.get(pk=chat.pk).head_seq
        if latitude == 48.1:
            fetch_reference(chat_id=chat.pk, reference_id=reference.pk, call_taker=anna, now=NOW)
    (frame,) = _frames(chat, seen - 1)
    assert [fix["lat"] for fix in frame["fixes"]] == [48.2]


def test_the_message_that_names_a_url_does_not_show_what_was_fetched_later(anna: User):
    chat = owned_chat(anna)
    refer(chat)
    (due,) = claim()
    record_location(due=due, fixes=[FIX], http_status=200, now=NOW)
    arrived = next(frame for frame in _frames(chat, 0) if frame["ev"] == "message-received")
    assert "fixes" not in arrived
    assert [one["status"] for one in arrived["references"]] == ["fetched"]


def test_fetched_data_comes_with_its_event(anna: User):
    chat = owned_chat(anna)
    refer(chat, kind="additional-data", purpose="SubscriberInfo")
    (due,) = claim()
    blocks = [("SubscriberInfo", {"name": "Anna Berg"})]
    seen = Chat.objects.get(pk=chat.pk).head_seq
    record_data(due=due, blocks=blocks, http_status=200, now=NOW)
    (frame,) = _frames(chat, seen)
    assert frame["data"]["kind"] == "SubscriberInfo"
    assert [block["name"] for block in frame["additionalData"]] == ["Anna Berg"]


def _frames(chat: Chat, seen: int) -> list[dict[str, Any]]:
    return [json.loads(frame.text) for frame in event_frames(missed_events({chat.pk: seen}))]


def test_the_card_counts_what_waits_and_what_failed(client: Client, anna: User):
    chat = owned_chat(anna)
    for status in ("pending", "unlisted", "unlisted", "failed", "fetched"):
        refer(chat, status=status)
    client.force_login(anna)
    card = client.get(f"/chats/{chat.pk}/conversation/").json()["card"]
    assert card["references"] == {"pending": 1, "unlisted": 2, "failed": 1}


@pytest.fixture
def unlisted(anna: User) -> Reference:
    """A reference of a chat of anna's that waits for her decision."""
    reference = refer(owned_chat(anna))
    (due,) = claim()
    record_unlisted(due=due, now=NOW)
    reference.refresh_from_db()
    assert (reference.status, reference.attempts) == ("unlisted", 1)
    return reference


def allow(reference: Reference, who: User) -> Reference:
    return fetch_reference(
        chat_id=reference.chat_id, reference_id=reference.pk, call_taker=who, now=NOW
    )


def test_fetch_anyway_is_recorded_with_the_name_of_who_said_so(unlisted: Reference, anna: User):
    allow(unlisted, anna)
    event = ChatEvent.objects.get(kind="reference-allowed")
    assert event.actor == "calltaker:anna"
    assert event.data == {"reference": str(unlisted.pk), "url": unlisted.url}
    (due,) = claim()
    assert (due.id, due.allowed, due.attempts) == (unlisted.pk, True, 1)


def test_what_was_allowed_for_a_host_counts_for_the_rest_of_that_chat_alone(
    unlisted: Reference, anna: User
):
    allow(unlisted, anna)
    refer(unlisted.chat, "https://lis.example.org/2")
    refer(unlisted.chat, "https://elsewhere.example.org/2")
    refer(open_chat("help"), "https://lis.example.org/2")
    allowed = {(due.chat_id == unlisted.chat_id, due.host): due.allowed for due in claim()}
    assert allowed == {
        (True, "lis.example.org"): True,
        (True, "elsewhere.example.org"): False,
        (False, "lis.example.org"): False,
    }


def test_only_the_owner_of_an_open_chat_decides(unlisted: Reference, anna: User, berta: User):
    with pytest.raises(NotYourChat):
        allow(unlisted, berta)
    close_chat(chat_id=unlisted.chat_id, call_taker=anna, disposition="resolved", text="", now=NOW)
    with pytest.raises(ChatAlreadyClosed):
        allow(unlisted, anna)
    assert not ChatEvent.objects.filter(kind="reference-allowed").exists()


def test_what_is_under_way_or_of_another_chat_cannot_be_fetched(unlisted: Reference, anna: User):
    allow(unlisted, anna)
    with pytest.raises(ReferenceNotWaiting):
        allow(unlisted, anna)
    foreign = refer(open_chat("help"), status="unlisted")
    with pytest.raises(ReferenceNotWaiting):
        fetch_reference(chat_id=unlisted.chat_id, reference_id=foreign.pk, call_taker=anna, now=NOW)


@pytest.mark.parametrize("status", ["fetched", "failed"])
def test_what_was_fetched_or_failed_may_be_asked_for_anew(anna: User, status: str):
    reference = refer(owned_chat(anna), status=status, attempts=8, cause="x")
    allow(reference, anna)
    (due,) = claim()
    assert (due.attempts, due.allowed) == (1, False)


def test_a_cause_that_no_screen_could_show_is_cut_and_cleaned():
    reference = refer(open_chat("help"))
    (due,) = claim()
    record_failure(due=due, cause="a\0\ud800" * 500, http_status=None, again=False, now=NOW)
    reference.refresh_from_db()
    assert len(reference.cause) == 300
    assert reference.cause.startswith("a␀?")


def _insert(rows: Sequence[tuple[Any, ...]]) -> None:
    with psycopg.connect(**connection.get_connection_params()) as other:
        columns = [list(column) for column in zip(*rows, strict=True)]
        other.execute(INSERT_REFERENCES.encode(), columns)


@pytest.mark.django_db(transaction=True)
def test_a_url_that_is_named_again_while_it_waits_is_not_asked_twice():
    chat = open_chat("help", "again")
    first, second = chat.messages.order_by("pk").values_list("pk", flat=True)
    url = "https://lis.example.org/1"
    named = (chat.pk, first, "location", "", url, "pending", NOW)
    again = (chat.pk, second, "location", "", url, "pending", NOW)
    _insert([named, again])
    _insert([again])
    assert [row.message_id for row in Reference.objects.all()] == [first]
    Reference.objects.update(status="fetched")
    _insert([again])
    assert Reference.objects.count() == 2


@pytest.mark.django_db(transaction=True)
async def test_the_command_over_the_socket_and_its_event():
    def prepare() -> tuple[str, int, int]:
        make_psap()
        anna = make_user("anna")
        reference = refer(owned_chat(anna), status="unlisted")
        return log_in(anna), reference.chat_id, reference.pk

    key, chat, reference = await database_threads.run(prepare)
    async with console(key) as desk:
        snapshot = await desk.event("snapshot")
        assert "fetch-reference" in snapshot["you"]["commands"]
        named = {"chat": str(chat), "reference": str(reference)}
        reply = await desk.command("fetch-reference", **named)
        assert reply["ok"], reply
        event = next((f for f in desk.frames if f.get("ev") == "reference-allowed"), None)
        event = event or await desk.event("reference-allowed")
        assert event["references"][0]["status"] == "pending"
        refused = await desk.command("fetch-reference", **named)
        assert refused["code"] == "reference-not-waiting"
        unread = await desk.command("fetch-reference", chat=str(chat))
        assert (unread["code"], unread["detail"]) == (
            "bad-request",
            "reference is missing or no id.",
        )
