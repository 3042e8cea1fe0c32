"""Messages of a real client (ng112-js), byte for byte, and what the record makes of them."""

import asyncio
import json
from pathlib import Path

import pytest

from tests.support.caller import kind_of
from tests.support.eventually import eventually
from tests.support.rawsip import RawSip
from tests.support.record import GREETING, PUBLIC_URI

CAPTURES = Path(__file__).parent.parent / "data" / "captures"
IN_ORDER = (
    "start-257",
    "in-chat-259",
    "heartbeat-260-with-location",
    "heartbeat-260-empty-multipart",
    "stop-258",
)
CALL_ID = "urn:emergency:uid:callid:0ZWkMCW8YZ0cAhMrI1mdGvB7I1aiBF:dec112.at"


@pytest.fixture(scope="module")
def replayed(gateway, record):
    """All five over one TCP connection, and what came back on it."""

    async def replay():
        async with RawSip(gateway.target("tcp")) as app:
            for name in IN_ORDER:
                answer = await app.exchange((CAPTURES / f"ng112js-{name}.sip").read_bytes())
                assert (name, answer.status) == (name, 200)
                if name == "start-257":
                    await app.until(lambda: bool(app.requests))
            await eventually(lambda: stopped(record), "the stop is on the record")
            return app

    return asyncio.run(replay())


def stopped(record):
    chat = record.chat_id(CALL_ID)
    return chat and record.export(chat)["session"] == "stopped"


@pytest.fixture(scope="module")
def export(replayed, record):
    return record.export(CALL_ID)


def received(export):
    return [message for message in export["messages"] if message["direction"] == "in"]


@pytest.mark.conformance("5.4-2", "5.6-1", "6.1.2.1-1", "6.2.3-2", "6.2.4-2", "6.2.4-3")
def test_five_messages_are_one_chat_that_its_caller_stopped(export, record):
    assert len(record.chat_ids(CALL_ID)) == 1
    assert (export["callId"], export["service"]) == (CALL_ID, "urn:service:sos")
    assert (export["session"], export["endedBy"], export["liveness"]) == (
        *("stopped", "caller"),
        "alive",
    )
    assert (export["owner"], export["disposition"], export["answeredAt"]) == (None, None, None)
    assert export["endedAt"] >= export["openedAt"]


@pytest.mark.conformance("6.1.2.3-2")
def test_the_caller_is_asserted_and_named(export):
    assert export["caller"] == {
        "uri": "sip:caller2@example.org",
        "asserted": True,
        "displayName": "0043664123456",
        "language": "",
    }


@pytest.mark.conformance("6.1.2.7-12")
def test_three_texts_came_in_with_their_types_and_msg_ids(export):
    texts = [(m["type"], m["msgId"], m["text"]) for m in received(export) if m["text"]]
    assert texts == [
        (257, 1, "Notruf über ng112-js 🚑"),
        (259, 2, "Meine Küche brennt! 🔥"),
        (258, 5, "bye"),
    ]
    assert {m["status"] for m in received(export)} == {"received"}


@pytest.mark.conformance("5.6-3", "5.6-4", "6.1.2.8-4")
def test_two_locations_are_kept_with_their_source(export):
    fixes = [
        (f["shape"], f["lat"], f["lon"], f["radius"], f["method"], f["msgId"])
        for f in export["locations"]
    ]
    assert fixes == [
        ("Circle", 48.1799778, 16.341437, 15.0, "GPS", 1),
        ("Circle", 48.18, 16.35, 40.0, "Cell", 3),
    ]


def test_subscriber_data_is_read_from_the_obsolete_content_type(export):
    (subscriber,) = export["additionalData"]
    assert subscriber["kind"] == "SubscriberInfo"
    assert "Erika Mustermann" in json.dumps(subscriber)
    assert "d@example.com" in json.dumps(subscriber)


@pytest.mark.conformance("6.1.2.8-1", "6.1.2.8-5")
def test_the_parts_of_the_start_are_kept_by_digest(export):
    parts = received(export)[0]["parts"]
    assert [part["contentType"] for part in parts] == [
        "application/pidf+xml",
        "application/addcallsub+xml",
        "text/plain",
    ]
    assert all(part["size"] and len(part["sha256"]) == 64 for part in parts)
    assert {part["flag"] for part in parts} == {""}


def test_the_automatic_start_came_back_on_the_same_connection(replayed, export):
    (greeting,) = [m for m in export["messages"] if m["direction"] == "out"]
    assert (greeting["type"], greeting["msgId"], greeting["text"], greeting["author"]) == (
        *(257, 1),
        *(GREETING, "system"),
    )
    request = replayed.requests[0]
    assert kind_of(request) == 257
    assert request.header("reply-to") == PUBLIC_URI
    assert request.body.decode() == GREETING


def test_the_journal_has_the_bytes_as_they_came(replayed, record):
    """Red without `request.raw` in the journal's insert."""
    stored = [bytes(row[0]) for row in record.rows("SELECT raw FROM chats_journal ORDER BY id")]
    sent = [(CAPTURES / f"ng112js-{name}.sip").read_bytes() for name in IN_ORDER]
    assert [data for data in sent if data not in stored] == [sent[3]]  # brings nothing new
    assert len(stored) == 4


def test_the_chain_of_events_holds(export, record):
    record.verify(CALL_ID)
    assert [event["seq"] for event in export["events"]] == [*range(1, len(export["events"]) + 1)]
