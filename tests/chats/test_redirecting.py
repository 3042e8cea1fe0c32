"""Redirects as a console commands and shows them."""

from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client

from chats.database_threads import database_threads
from chats.models import Chat, ChatEvent, Message, OutboxEntry, Relay, RelayStatus
from chats.services.addresses import same_address
from chats.services.claim_chat import claim_chat
from chats.services.relays import RelayOutcome, record_relay
from psap.models import LimitedClient, Peer, User
from tests.support.chats import make_psap, open_chat, receive_message
from tests.support.console import Console, Frame, console, log_in

in_database = database_threads.run
pytestmark = pytest.mark.django_db(transaction=True)
TARGET = "sip:psap-b@b.example.org"


@pytest.fixture
def peer() -> Peer:
    make_psap(redirect_text="Wir verbinden Sie.")
    Peer.objects.create(name="C", uris="sip:psap-c@c.example.org", agreement=False)
    return Peer.objects.create(name="B", uris=f"{TARGET}\nsip:old@b.example.org")


@pytest.fixture
def chat(peer: Peer, anna: User) -> Chat:
    chat = open_chat("help", user_agent="ng112-js JsSIP/3.7", next_msg_id=2)
    return claim_chat(chat_id=chat.pk, call_taker=anna, now=datetime.now(UTC))


@pytest.fixture
def desk(anna: User) -> str:
    return log_in(anna)


@pytest.fixture
def other_desk(berta: User) -> str:
    return log_in(berta)


async def told(screen: Console, kind: str, number: int = 1) -> Frame:
    """Return the n-th event of a kind: it may come before the reply to what caused it."""
    while len(found := [frame for frame in screen.frames if frame.get("ev") == kind]) < number:
        await screen.read()
    return found[number - 1]


async def test_the_snapshot_says_where_chats_can_go(peer: Peer, desk: str):
    async with console(desk) as screen:
        snapshot = await screen.event("snapshot")
    found = {"id": str(peer.pk), "name": "B", "uri": TARGET, "transfers": False}
    assert snapshot["peers"] == [found]
    assert snapshot["psap"]["redirectText"] == "Wir verbinden Sie."
    assert {"redirect", "take-back"} <= set(snapshot["you"]["commands"])


async def test_a_console_redirects_and_takes_back(chat: Chat, peer: Peer, desk: str):
    async with console(desk) as screen:
        await screen.event("snapshot")
        reply = await screen.command("redirect", chat=str(chat.pk), peer=str(peer.pk), text="")
        assert reply["ok"]
        event = await told(screen, "chat-redirecting")
        assert event["card"]["goneTo"] == TARGET
        assert event["card"]["session"] == "redirecting"
        assert event["data"] == {"target": TARGET}
        assert event["actor"] == "calltaker:anna"
        queued = await told(screen, "message-queued")
        assert (queued["message"]["type"], queued["message"]["text"]) == (274, "Wir verbinden Sie.")
        reply = await screen.command("send", chat=str(chat.pk), text="Noch etwas")
        assert reply["code"] == "session-not-open"
        assert (await screen.command("take-back", chat=str(chat.pk)))["ok"]
        failed = await told(screen, "redirect-failed")
        assert failed["data"] == {"target": TARGET, "cause": "taken back"}
        assert (failed["card"]["session"], failed["card"]["goneTo"]) == ("open", "")
        again = await screen.command("take-back", chat=str(chat.pk))
        assert again["code"] == "not-redirecting"
    entry = await in_database(OutboxEntry.objects.get, message__type=274)
    assert entry.reply_to == TARGET


async def test_what_stands_in_the_way_of_a_redirect_is_said(chat: Chat, peer: Peer, desk: str):
    no_agreement = await in_database(Peer.objects.get, name="C")
    await in_database(LimitedClient.objects.create, user_agent="jssip")
    async with console(desk) as screen:
        snapshot = await screen.event("snapshot")
        assert snapshot["chats"][0]["clientEnds"]["redirect"] is True

        async def refused(**content: object) -> str:
            reply = await screen.command("redirect", chat=str(chat.pk), **content)
            return reply.get("code", "ok")

        assert await refused(peer="0") == "peer-unknown"
        assert await refused(peer="x") == "bad-request"
        assert await refused(peer=str(no_agreement.pk)) == "no-agreement"
        assert await refused(peer=str(peer.pk)) == "client-ends-session"
        assert await refused(peer=str(peer.pk), text="x" * 20_000) == "text-too-long"
        assert await refused(peer=str(peer.pk), override=True) == "ok"
        assert await refused(peer=str(peer.pk), override=True) == "session-not-open"
    event = await in_database(ChatEvent.objects.get, kind="chat-redirecting")
    assert event.data == {"target": TARGET, "override": True}


async def test_only_the_call_taker_who_has_a_chat_redirects_it(
    chat: Chat, peer: Peer, other_desk: str
):
    async with console(other_desk) as screen:
        for do in ("redirect", "take-back"):
            reply = await screen.command(do, chat=str(chat.pk), peer=str(peer.pk))
            assert reply["code"] == "not-your-chat"


async def test_the_dialect_knows_no_redirect(chat: Chat, peer: Peer, desk: str):
    await in_database(Chat.objects.update, dialect="dec112")
    async with console(desk) as screen:
        reply = await screen.command(
            "redirect", chat=str(chat.pk), peer=str(peer.pk), override=True
        )
    assert reply["code"] == "client-ends-session"


@pytest.mark.parametrize(
    ("status", "kind", "shown"),
    [
        (RelayStatus.RELAYED, "message-relayed", ("relayed", 200)),
        (RelayStatus.FAILED, "relay-failed", ("failed", 403)),
    ],
)
async def test_what_went_on_to_the_target_is_shown(
    chat: Chat, anna: User, desk: str, status: RelayStatus, kind: str, shown: tuple[str, int]
):
    message = await in_database(passed_on, chat)
    async with console(desk) as screen:
        await screen.event("snapshot")
        outcome = RelayOutcome(message.pk, chat.pk, status, shown[1], "no", datetime.now(UTC))
        await in_database(record_relay, outcome)
        event = await screen.event(kind)
    expected = {"messageId": str(message.pk), "target": TARGET}
    expected |= {"status": shown[0], "sipStatus": shown[1]}
    assert event["relays"] == [expected]
    assert event["message"]["id"] == str(message.pk)
    client = Client(headers={"host": "localhost"})
    await in_database(client.force_login, anna)
    body = (await in_database(client.get, f"/chats/{chat.pk}/conversation/")).json()
    assert body["relays"] == [expected]


def test_a_reason_phrase_that_postgresql_cannot_store_ends_a_relay_all_the_same(chat: Chat):
    message, now = passed_on(chat), datetime.now(UTC)
    cause = "603 no\0 \udcff" + "x" * 500
    outcome = RelayOutcome(message.pk, chat.pk, RelayStatus.FAILED, 603, cause, now)
    assert record_relay(outcome)
    shown = Relay.objects.get(message=message).cause
    assert shown.startswith("603 no␀ ?x") and len(shown) == 300


def passed_on(chat: Chat) -> Message:
    message = receive_message(chat, "wo sind Sie?", msg_id=9)
    now = datetime.now(UTC)
    Relay.objects.create(message=message, chat=chat, target=TARGET, branch="z9hG4bK1", due_at=now)
    return message


def test_the_list_of_tests_shows_the_newest_first(anna: User):
    make_psap()
    first = open_chat(test=True, disposition="test", ringing_since=None)
    later = first.opened_at + timedelta(minutes=1)
    second = open_chat(test=True, disposition="test", ringing_since=None, opened_at=later)
    open_chat()
    client = Client(headers={"host": "localhost"})
    assert client.get("/chats/tests/").status_code == 401
    client.force_login(anna)
    chats = client.get("/chats/tests/").json()["chats"]
    assert [card["chat"] for card in chats] == [str(second.pk), str(first.pk)]
    client.force_login(User.objects.create_user("norole"))
    assert client.get("/chats/tests/").status_code == 403


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("sip:b@b.example.org", "<sips:b@B.example.org:5061;transport=tls>", True),
        ("sip:b@b.example.org", "sip:a@b.example.org", False),
        ("sip:b@[2001:db8::1]:5060", "sip:b@[2001:DB8::1]", True),
        ("sip:b.example.org", "sip:c.example.org", False),
        ("sip:b@192.0.2.1:5070", "sip:b@192.0.2.1:5080", False),  # two on one host
        ("", "", False),
    ],
)
def test_addresses_of_one_psap(one: str, other: str, same: bool):
    assert same_address(one, other) is same
