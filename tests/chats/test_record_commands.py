"""exportchat and verifychat, and the heads outside the database."""

import json
from pathlib import Path

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from chats.models import AdditionalData, BodyPart, Chat, ChatEvent, LocationFix, Message
from chats.services.claim_chat import claim_chat
from chats.services.close_chat import close_chat
from chats.services.send_text import send_text
from chats.tasks import export_chain_heads
from psap.models import User
from tests.support.chats import open_chat, receive_message

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def state_dir(settings: Settings, tmp_path: Path) -> Path:
    settings.STATE_DIR = tmp_path
    return tmp_path


@pytest.fixture
def chat() -> Chat:
    chat = open_chat("help", unique_part="abcdefghij", asserted_uri="sip:+4312345@example.org")
    receive_message(
        chat,
        "here",
        msg_id=2,
        parts=[b"here"],
        position=(48.2, 16.37),
        additional=[("SubscriberInfo", {"name": "Anna Berg"})],
    )
    return chat


def run(command: str, name: str, capsys: pytest.CaptureFixture[str]) -> str:
    call_command(command, name)
    return capsys.readouterr().out


def commit_elsewhere() -> None:
    """Let another connection use up a transaction, as autovacuum may at any time."""
    with psycopg.connect(**connection.get_connection_params()) as other:
        other.execute("SELECT pg_current_xact_id()")


def test_the_export_holds_the_whole_record(
    chat: Chat, anna: User, capsys: pytest.CaptureFixture[str]
):
    now = timezone.now()
    claim_chat(chat_id=chat.pk, call_taker=anna, now=now)
    send_text(chat_id=chat.pk, call_taker=anna, text="Coming.", now=now)
    close_chat(chat_id=chat.pk, call_taker=anna, disposition="dispatched", text="Bye", now=now)
    record = json.loads(run("exportchat", "abcdefghij", capsys))
    assert list(record) == [
        "id", "callId", "service", "session", "endedBy", "liveness", "owner", "disposition",
        "caller", "openedAt", "answeredAt", "endedAt", "test", "alert", "silent", "unprotected",
        "priority", "cameFrom", "goneTo", "signalling", "messages", "locations",
        "additionalData", "references", "reports", "notes", "psaps", "transfers", "events",
    ]  # fmt: skip
    assert (record["session"], record["endedBy"], record["owner"]) == (
        "stopped",
        "calltaker",
        "anna",
    )
    assert record["caller"] == {
        "uri": "sip:+4312345@example.org",
        "asserted": True,
        "displayName": "Anna",
        "language": "de",
    }
    authors = [(m["direction"], m["author"], m["text"]) for m in record["messages"]]
    assert authors == [
        ("in", "caller", "help"),
        ("in", "caller", "here"),
        ("out", "anna", "Coming."),
        ("out", "anna", "Bye"),
    ]
    assert record["messages"][1]["parts"][0]["size"] == 4
    (location,) = record["locations"]
    assert (location["lat"], location["lon"], location["radius"]) == (48.2, 16.37, 20.0)
    assert location["msgId"] == 2
    assert record["additionalData"] == [{"name": "Anna Berg", "kind": "SubscriberInfo"}]
    assert [event["seq"] for event in record["events"]] == list(range(1, 9))
    assert all(len(event["hash"]) == 64 for event in record["events"])


@pytest.mark.parametrize(
    "name",
    [
        "abcdefghij",
        "abcdefghij:bcf.example.org",
        "urn:emergency:uid:callid:abcdefghij:bcf.example.org",
        "urn:emergency:service:uid:callid:abcdefghij:bcf.example.org",
        "URN:emergency:service:uid:callid:abcdefghij",
    ],
)
def test_a_chat_is_found_by_every_form_of_its_name(
    chat: Chat, name: str, capsys: pytest.CaptureFixture[str]
):
    assert json.loads(run("exportchat", name, capsys))["id"] == str(chat.pk)


def test_a_chat_is_found_by_our_id(chat: Chat, capsys: pytest.CaptureFixture[str]):
    for name in (str(chat.pk), f"#{chat.pk}"):
        assert json.loads(run("exportchat", name, capsys))["id"] == str(chat.pk)


@pytest.mark.parametrize("command", ["exportchat", "verifychat"])
@pytest.mark.parametrize("name", ["unknown", "", "#", "99999999999999999999"])
def test_an_unknown_chat_is_one_line_and_exit_1(chat: Chat, command: str, name: str):
    with pytest.raises(CommandError) as error:
        call_command(command, name)
    assert error.value.returncode == 1
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("command", ["exportchat", "verifychat"])
def test_an_ambiguous_name_lists_the_candidates_and_exits_2(chat: Chat, command: str):
    other = open_chat(unique_part="abcdefghij", caller_uri="sip:eve@example.org", linked_to=chat)
    with pytest.raises(CommandError) as error:
        call_command(command, chat.call_id)
    assert error.value.returncode == 2
    assert f"#{chat.pk} " in str(error.value)
    assert f"#{other.pk} " in str(error.value)
    assert "sip:eve@example.org" in str(error.value)


@pytest.mark.django_db(transaction=True)  # the export counts in committed transactions
def test_an_untouched_record_verifies(chat: Chat, capsys: pytest.CaptureFixture[str]):
    export_chain_heads()
    receive_message(chat, "more", msg_id=3)
    export_chain_heads()
    assert run("verifychat", str(chat.pk), capsys).startswith(f"OK chat {chat.pk}: 4 events, head ")


def _change_actor(chat: Chat) -> None:
    ChatEvent.objects.filter(chat=chat, seq=2).update(actor="calltaker:eve")


def _remove_last(chat: Chat) -> None:
    ChatEvent.objects.filter(chat=chat, seq=3).delete()


def _remove_from_the_middle(chat: Chat) -> None:
    ChatEvent.objects.filter(chat=chat, seq=2).delete()


def _change_text(chat: Chat) -> None:
    Message.objects.filter(chat=chat, msg_id=2).update(text="elsewhere")


def _change_part(chat: Chat) -> None:
    BodyPart.objects.filter(message__chat=chat).update(content=b"elsewhere")


def _add_message(chat: Chat) -> None:
    Message.objects.create(
        chat=chat, direction="in", type=259, text="invented", status="received", at=chat.opened_at
    )


def _remove_position(chat: Chat) -> None:
    LocationFix.objects.filter(chat=chat).delete()


def _move_position(chat: Chat) -> None:
    LocationFix.objects.filter(chat=chat).update(latitude=0.0)


def _invent_data(chat: Chat) -> None:
    message = Message.objects.get(chat=chat, msg_id=2)
    AdditionalData.objects.create(chat=chat, message=message, kind="Comment", data={"a": "b"})


def _stop_silently(chat: Chat) -> None:
    Chat.objects.filter(pk=chat.pk).update(session="stopped", ended_by="caller")


def _close_silently(chat: Chat) -> None:
    Chat.objects.filter(pk=chat.pk).update(disposition="test")


@pytest.mark.parametrize(
    ("forgery", "seq"),
    [
        (_remove_position, 3),
        (_move_position, 3),
        (_invent_data, 3),
        (_stop_silently, 0),
        (_close_silently, 0),
        (_change_actor, 2),
        (_remove_from_the_middle, 2),
        (_remove_last, 3),
        (_change_text, 3),
        (_change_part, 3),
        (_add_message, 0),
    ],
)
def test_a_forgery_is_found_and_named(chat: Chat, forgery, seq: int):
    forgery(chat)
    with pytest.raises(CommandError) as error:
        call_command("verifychat", str(chat.pk))
    assert error.value.returncode == 1
    place = f"broken at event {seq}:" if seq else "broken:"
    assert str(error.value).startswith(f"chat {chat.pk} {place}")


def test_erased_content_leaves_the_record_provable(chat: Chat, capsys: pytest.CaptureFixture[str]):
    BodyPart.objects.filter(message__chat=chat).update(content=None)
    Message.objects.filter(chat=chat).update(text="", flags=["erased"])
    assert run("verifychat", str(chat.pk), capsys).startswith("OK ")


def test_a_whole_rewritten_chain_does_not_match_the_exported_head(chat: Chat, state_dir: Path):
    export_chain_heads()
    (file,) = (state_dir / "chain-heads").glob("*.jsonl")
    line = json.loads(file.read_text())
    assert (line["chat"], line["seq"]) == (str(chat.pk), 3)
    file.write_text(json.dumps(line | {"hash": "0" * 64}) + "\n")
    with pytest.raises(CommandError, match="broken at event 3: the head exported at"):
        call_command("verifychat", str(chat.pk))


@pytest.mark.django_db(transaction=True)  # the export counts in committed transactions
def test_a_line_cut_off_by_a_crash_spoils_no_other(
    chat: Chat, state_dir: Path, capsys: pytest.CaptureFixture[str]
):
    commit_elsewhere()
    export_chain_heads()
    (file,) = (state_dir / "chain-heads").glob("*.jsonl")
    file.write_text(file.read_text() + '{"at": "2026-01-31T12:00:00Z", "chat": "1')
    receive_message(chat, "more", msg_id=3)
    export_chain_heads()
    assert json.loads(file.read_text().splitlines()[-1])["seq"] == 4
    assert run("verifychat", str(chat.pk), capsys).startswith("OK ")
