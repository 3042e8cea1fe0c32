"""The console's page and the conversation over HTTP."""

import pytest
from django.test import Client

from psap.models import ADMINISTRATOR, SUPERVISOR, User
from tests.support.chats import make_user, open_chat, receive_message

pytestmark = pytest.mark.django_db


def test_a_conversation_is_everything_up_to_the_cards_seq(client: Client, anna: User):
    chat = open_chat("help")
    receive_message(chat, "here", msg_id=2, parts=[b"here"], position=(48.2, 16.37))
    client.force_login(anna)
    body = client.get(f"/chats/{chat.pk}/conversation/").json()
    assert body["card"]["seq"] == 3
    assert [message["text"] for message in body["messages"]] == ["help", "here"]
    assert body["fixes"][0]["messageId"] == body["messages"][1]["id"]
    assert [event["kind"] for event in body["events"]] == [
        "chat-opened",
        "message-received",
        "message-received",
    ]


@pytest.mark.parametrize("chat_id", [999_999, 2**63])
def test_a_chat_that_does_not_exist_is_not_found(client: Client, anna: User, chat_id: int):
    client.force_login(anna)
    answer = client.get(f"/chats/{chat_id}/conversation/")
    assert (answer.status_code, answer.json()["code"]) == (404, "chat-unknown")


def test_conversations_are_for_those_who_work_with_chats(client: Client):
    path = f"/chats/{open_chat('help').pk}/conversation/"
    assert client.get(path).status_code == 401
    client.force_login(make_user("dora", ADMINISTRATOR))
    assert client.get(path).status_code == 403
    client.force_login(make_user("clara", SUPERVISOR))
    assert client.get(path).status_code == 200


def test_the_console_asks_for_a_login(client: Client):
    assert client.get("/").headers["location"] == "/login/?next=/"


def test_the_console_is_shown_to_call_takers(client: Client, anna: User):
    client.force_login(anna)
    assert "console/console.html" in [t.name for t in client.get("/").templates]


def test_administrators_are_sent_to_the_admin(client: Client):
    dora = make_user("dora", ADMINISTRATOR)
    client.force_login(dora)
    assert client.get("/").status_code == 403
    User.objects.update(is_staff=True)
    assert client.get("/").headers["location"] == "/admin/"
