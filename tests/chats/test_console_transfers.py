"""Transfers as a console commands and shows them: offers to us, chats of ours on their way."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from chats.database_threads import database_threads
from chats.models import Chat, Transfer
from chats.services.claim_chat import claim_chat
from chats.services.redirect_chat import redirect_chat
from chats.services.transfers.history import HandedFix, HandedNote
from chats.services.transfers.negotiated import record_agreed, record_refused
from psap.models import User
from tests.support.chats import open_chat, receive_message
from tests.support.coming import FROM, OWN, Coming, handed_chat, handed_message
from tests.support.console import Console, Frame, console, log_in

in_database = database_threads.run
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def coming() -> Coming:
    coming = Coming(url="https://a.example.org:8443/")
    coming.now = datetime.now(UTC)
    return coming


@pytest.fixture
def chat(coming: Coming, anna: User) -> Chat:
    chat = open_chat("help", next_msg_id=2)
    return claim_chat(chat_id=chat.pk, call_taker=anna, now=datetime.now(UTC))


@pytest.fixture
def desk(anna: User) -> str:
    return log_in(anna)


@pytest.fixture
def other_desk(berta: User) -> str:
    return log_in(berta)


async def offers(screen: Console, *states: str) -> Frame:
    """Wait until the open offers are in these states; returns the frame."""
    return await screen.until(
        lambda frame: (
            frame.get("ev") == "offers"
            and [offer["state"] for offer in frame["offers"]] == list(states)
        )
    )


async def told(screen: Console, kind: str) -> Frame:
    """Return an event of a kind: it may come before the reply to what caused it."""
    while not (found := [frame for frame in screen.frames if frame.get("ev") == kind]):
        await screen.read()
    return found[-1]


def latest(chat: Chat) -> Transfer:
    return Transfer.objects.filter(chat=chat).latest("pk")


async def test_the_snapshot_says_what_rings_and_who_takes_transfers(coming: Coming, desk: str):
    offer = await in_database(coming.ask, reason="Der Anrufer ist in Wien.")
    async with console(desk) as screen:
        snapshot = await screen.event("snapshot")
    assert snapshot["peers"] == [
        {"id": str(coming.peer.pk), "name": "A", "uri": FROM, "transfers": True}
    ]
    assert snapshot["psap"]["transferText"]
    commands = {"transfer", "hand-over", "take-back", "accept-offer", "decline-offer"}
    assert commands <= set(snapshot["you"]["commands"])
    [shown] = snapshot["offers"]
    assert shown["requestedAt"] < shown["dueAt"]
    del shown["requestedAt"], shown["dueAt"]
    assert shown == {
        "id": str(offer.pk), "state": "offered", "peer": "A", "from": FROM, "to": OWN,
        "callId": offer.call_id, "reason": "Der Anrufer ist in Wien.", "cause": "", "by": None,
        "automatic": False, "chat": None,
    }  # fmt: skip


async def test_an_offer_is_told_to_all_from_its_first_ring_to_its_end(
    coming: Coming, anna: User, desk: str, other_desk: str
):
    async with console(desk) as screen, console(other_desk) as other:
        for one in (screen, other):
            await one.event("snapshot")
        offer = await in_database(coming.ask)
        await offers(screen, "offered")
        await offers(other, "offered")
        assert (await screen.command("accept-offer", offer=str(offer.pk)))["ok"]
        [accepted] = (await offers(other, "accepted"))["offers"]
        assert accepted["by"] == {"username": "anna", "name": "Anna"}
        await in_database(coming.execute, handed_chat())
        arriving = await told(other, "chat-arriving")
        [executing] = (await offers(other, "executing"))["offers"]
        assert executing["chat"] == arriving["chat"]
        assert arriving["card"]["session"] == "arriving"
        assert arriving["card"]["transfer"]["side"] == "in"
        assert arriving["card"]["owner"]["username"] == "anna"
        await in_database(coming.answered, 200)
        await in_database(coming.settle)
        gone = await offers(other)
        assert [(one["id"], one["state"]) for one in gone["ended"]] == [(accepted["id"], "done")]


async def test_of_two_who_accept_one_gets_it_and_a_repeated_command_does_nothing_more(
    coming: Coming, desk: str, other_desk: str
):
    offer = await in_database(coming.ask)
    async with console(desk) as screen, console(other_desk) as other:
        for one in (screen, other):
            await one.event("snapshot")
        first = await screen.command("accept-offer", id="again", offer=str(offer.pk))
        late = await other.command("accept-offer", offer=str(offer.pk))
        again = await screen.command("accept-offer", id="again", offer=str(offer.pk))
    assert first == again == {"re": "again", "ok": True}
    assert (late["ok"], late["code"]) == (False, "offer-gone")


async def test_a_declined_offer_says_to_all_who_declined_it_and_why(
    coming: Coming, desk: str, other_desk: str
):
    offer = await in_database(coming.ask)
    async with console(desk) as screen, console(other_desk) as other:
        for one in (screen, other):
            await one.event("snapshot")
        reason = "Kein Platz <b>hier</b>"
        assert (await screen.command("decline-offer", offer=str(offer.pk), reason=reason))["ok"]
        [ended] = (await offers(other))["ended"]
    assert (ended["state"], ended["cause"]) == ("declined", reason)
    assert ended["by"]["username"] == "anna"
    assert (await in_database(coming.answer)).reason == reason


async def test_an_offer_that_nobody_answers_leaves_all_consoles(coming: Coming, desk: str):
    await in_database(coming.ask)
    async with console(desk) as screen:
        await screen.event("snapshot")
        await in_database(coming.settle, 30)
        [ended] = (await offers(screen))["ended"]
    assert ended["state"] == "expired"


@pytest.mark.parametrize("content", [{}, {"offer": "x"}, {"offer": "1", "reason": 7}])
async def test_a_command_about_no_offer_is_a_bad_request(
    coming: Coming, desk: str, content: dict[str, Any]
):
    async with console(desk) as screen:
        await screen.event("snapshot")
        reply = await screen.command("decline-offer", **content)
    assert (reply["ok"], reply["code"]) == (False, "bad-request")


async def test_a_console_asks_for_a_transfer_hands_over_and_keeps_the_chat(
    coming: Coming, chat: Chat, desk: str
):
    async with console(desk) as screen:
        await screen.event("snapshot")
        reply = await screen.command(
            "transfer", chat=str(chat.pk), peer=str(coming.peer.pk), reason="Nicht zuständig",
            text="", override=False, atOnce=False,
        )  # fmt: skip
        assert reply["ok"]
        requested = await told(screen, "transfer-requested")
        shown = requested["card"]["transfer"]
        assert shown["id"] == reply["transfer"] == requested["data"]["transfer"]
        names = ("side", "state", "peer", "reason", "cause", "atOnce", "by")
        assert [shown[name] for name in names] == [
            "out", "negotiating", "A", "Nicht zuständig", "", False,
            {"username": "anna", "name": "Anna"},
        ]  # fmt: skip
        assert shown["requestedAt"] < shown["dueAt"]
        transfer = int(reply["transfer"])
        now = datetime.now(UTC)
        await in_database(record_agreed, transfer_id=transfer, expiry=60, now=now)
        accepted = (await told(screen, "transfer-accepted"))["card"]
        assert accepted["transfer"]["state"] == "accepted"
        assert accepted["transfer"]["expiresAt"] > shown["requestedAt"]
        assert accepted["session"] == "open"
        assert (await screen.command("hand-over", chat=str(chat.pk)))["ok"]
        leaving = await told(screen, "chat-transferring")
        assert leaving["card"]["session"] == "transferring"
        assert leaving["card"]["transfer"]["state"] == "stalling"
        assert (await screen.command("take-back", chat=str(chat.pk)))["ok"]
        kept = (await told(screen, "transfer-cancelled"))["card"]
        assert (kept["session"], kept["transfer"]["state"]) == ("open", "cancelled")
        assert kept["owner"]["username"] == "anna"


async def test_a_refused_transfer_says_why_on_the_card(coming: Coming, chat: Chat, desk: str):
    async with console(desk) as screen:
        await screen.event("snapshot")
        reply = await screen.command("transfer", chat=str(chat.pk), peer=str(coming.peer.pk))
        now = datetime.now(UTC)
        await in_database(
            record_refused,
            transfer_id=int(reply["transfer"]), cause="Kein Platz", http_status=200, now=now,
        )  # fmt: skip
        declined = (await told(screen, "transfer-declined"))["card"]
    assert (declined["transfer"]["state"], declined["transfer"]["cause"]) == (
        "declined", "Kein Platz",
    )  # fmt: skip
    assert declined["transfer"]["atOnce"] is True  # the console has not said otherwise


async def test_take_back_ends_a_redirect_as_before(
    coming: Coming, chat: Chat, anna: User, desk: str
):
    async with console(desk) as screen:
        await screen.event("snapshot")
        early = await screen.command("take-back", chat=str(chat.pk))
        await in_database(
            redirect_chat,
            chat_id=chat.pk, call_taker=anna, peer_id=coming.peer.pk, text="", override=False,
            now=datetime.now(UTC),
        )  # fmt: skip
        assert (await screen.command("take-back", chat=str(chat.pk)))["ok"]
    assert early["code"] == "not-redirecting"
    await in_database(chat.refresh_from_db)
    assert chat.session == "open"


def fix_of(message: str) -> HandedFix:
    return HandedFix(
        message=message, shape="Circle", latitude=47.8, longitude=13.05, radius=90.0,
        altitude=None, confidence=None, geometry=None, civic=None, method="GPS", source="",
        at=datetime.now(UTC),
    )  # fmt: skip


async def test_a_chat_that_was_taken_over_tells_whose_messages_those_are(
    coming: Coming, anna: User, desk: str
):
    now = coming.now
    messages = (
        handed_message(1, at=now - timedelta(minutes=5)),
        handed_message(
            2, direction="out", role="calltaker", status="delivered", text="Wo?",
            at=now - timedelta(minutes=4),
        ),
    )  # fmt: skip
    handed = handed_chat(
        *messages,
        fixes=(fix_of(messages[0].id),),
        notes=(HandedNote(id="n1", at=now, text="Vater, 78", psap=FROM),),
    )
    await in_database(coming.ask)
    await in_database(coming.accept, anna)
    async with console(desk) as screen:
        await screen.event("snapshot")
        await in_database(coming.execute, handed)
        first = await screen.event("message-imported")
        second = await screen.event("message-imported")
    assert (first["message"]["psap"], first["message"]["role"]) == (FROM, "caller")
    assert (second["message"]["psap"], second["message"]["role"]) == (FROM, "calltaker")
    assert [fix["radius"] for fix in first["fixes"]] == [90.0]
    assert "fixes" not in second

    chat = await in_database(lambda: coming.chat)
    await in_database(receive_message, chat, "hier", msg_id=3)
    client = Client()
    await in_database(client.force_login, anna)
    answer = await in_database(client.get, f"/chats/{chat.pk}/conversation/")
    found = json.loads(answer.content)
    assert [
        (message["text"], message["psap"], message["role"])
        for message in found["messages"]
        if message["type"] == 259
    ] == [("text 1", FROM, "caller"), ("Wo?", FROM, "calltaker"), ("hier", "", "caller")]
    assert [message["role"] for message in found["messages"] if message["type"] == 265] == [
        "system"
    ]
    assert [(note["text"], note["psap"]) for note in found["notes"]] == [("Vater, 78", FROM)]
    assert [(psap["uri"], psap["name"]) for psap in found["psaps"]] == [(FROM, "A")]
    assert found["transfers"] == [found["card"]["transfer"]]
    assert found["card"]["cameFrom"] == FROM
