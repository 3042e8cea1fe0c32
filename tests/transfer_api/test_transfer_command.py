"""`manage transfer`: each step as it happens, and how it ended as the exit code."""

import io
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connections
from django.utils import timezone

from psap.models import LimitedClient
from tests.support.asked import Asked, asked, hang_up, in_turn, says
from tests.support.chats import make_user, open_chat
from tests.support.https import Answer
from tests.support.instance import wait_until
from tests.support.leaving import Leaving

pytestmark = pytest.mark.django_db(transaction=True)

ACCEPTED = says({"StatusCode": 202, "ExpiryTime": 60})
TAKEN = says({"StatusCode": 200})


@pytest.fixture
def leaving() -> Leaving:
    return Leaving(make_user("anna"))


@contextmanager
def played(leaving: Leaving, answer: Answer) -> Iterator[Asked]:
    """Play the worker, the gateway and the app in a thread."""
    over = threading.Event()

    def play(peer: Asked) -> None:
        while not over.wait(0.02):
            peer.caller.look()
            transfer = leaving.chat.transfers.order_by("-pk").first()
            if transfer is None or transfer.state != "stalling":
                continue
            stop = transfer.stop_message
            leaving.now = timezone.now()
            if stop.status == "queued":
                leaving.acknowledge(stop)
            leaving.sweep()
        connections.close_all()

    with asked(leaving, answer) as peer:
        thread = threading.Thread(target=play, args=(peer,))
        thread.start()
        try:
            yield peer
        finally:
            over.set()
            thread.join(10)


def run(leaving: Leaving, *more: str) -> tuple[list[str], CommandError | None]:
    """Run the command on the chat: the lines, and how it ended."""
    output = io.StringIO()
    arguments = (leaving.chat.call_id, "B", *more)
    try:
        call_command("transfer", *arguments, stdout=output, stderr=io.StringIO())
    except CommandError as error:
        return output.getvalue().splitlines(), error
    return output.getvalue().splitlines(), None


def test_a_transfer_is_told_step_by_step(leaving: Leaving):
    with played(leaving, in_turn(ACCEPTED, TAKEN)) as peer:
        lines, error = run(leaving, "--reason", "sea rescue")
        assert peer.bodies()[0]["ReasonText"] == "sea rescue"
    assert error is None
    assert [line.partition(" s  ")[2] for line in lines] == [
        "asking B (sip:psap-b@b.example.org)",
        "accepted, for 60 s",
        "the app is told to wait: stop|transfer/266",
        "the app waits",
        "handing over, last MsgId 1",
        "transferred to sip:psap-b@b.example.org",
    ]
    assert leaving.chat.session == "transferred"
    assert leaving.event("transfer-requested").actor == "operator"


def test_the_same_as_json_an_object_a_step(leaving: Leaving):
    with played(leaving, in_turn(ACCEPTED, TAKEN)):
        lines, error = run(leaving, "--json")
    assert error is None
    steps = [json.loads(line) for line in lines]
    assert [step["step"] for step in steps] == [
        "transfer-requested", "transfer-accepted", "chat-transferring", "transfer-stalled",
        "transfer-executing", "chat-transferred",
    ]  # fmt: skip
    assert [step["seconds"] for step in steps] == sorted(step["seconds"] for step in steps)
    assert steps[-1]["data"]["target"] == "sip:psap-b@b.example.org"


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ([says({"StatusCode": 406, "ExpiryTime": 10, "ReasonText": "full"})], "(declined): full"),
        ([hang_up], "(failed): the answer is no HTTP"),
        ([ACCEPTED, says({"StatusCode": 503, "ReasonText": "no app"})], "(failed): no app"),
    ],
)
def test_what_is_not_transferred_is_said_in_one_line(
    leaving: Leaving, answers: list[Answer], words: str
):
    with played(leaving, in_turn(*answers)):
        _, error = run(leaving)
    assert error is not None
    assert (error.returncode, words in str(error)) == (1, True)
    assert "\n" not in str(error)
    assert leaving.chat.session == "open"


def test_uncertain_custody_is_shown_meanwhile(leaving: Leaving):
    with played(leaving, in_turn(ACCEPTED, hang_up, TAKEN)):
        lines, error = run(leaving)
    assert error is None
    assert any("custody is uncertain" in line for line in lines)


def test_an_app_that_ends_its_chat_instead_wants_an_override(leaving: Leaving):
    LimitedClient.objects.create(user_agent="ng112", ends_on_transfer=True)
    chat = leaving.chat
    chat.user_agent = "ng112-js/1.0"
    chat.save()
    _, error = run(leaving)
    assert error is not None
    assert error.returncode == 1
    with played(leaving, in_turn(ACCEPTED, TAKEN)):
        _, error = run(leaving, "--override")
    assert error is None


def test_what_cannot_be_transferred_is_said_at_once(leaving: Leaving):
    leaving.request()
    _, error = run(leaving)
    assert error is not None
    assert (error.returncode, str(error)) == (1, "This chat is being transferred already.")


@pytest.mark.parametrize("arguments", [("nothing", "B"), ("#1000000", "B")])
def test_an_unknown_chat_is_a_bad_argument(leaving: Leaving, arguments: tuple[Any, ...]):
    with pytest.raises(CommandError, match="There is no chat") as error:
        call_command("transfer", *arguments)
    assert error.value.returncode == 2


def test_an_unknown_peer_is_a_bad_argument(leaving: Leaving):
    with pytest.raises(CommandError, match="no peer “C”. Known: “B”") as error:
        call_command("transfer", leaving.chat.call_id, "C")
    assert error.value.returncode == 2


def test_a_name_of_several_chats_is_a_bad_argument(leaving: Leaving):
    chat = leaving.chat
    open_chat(unique_part=chat.unique_part, element="other.example.org")
    with pytest.raises(CommandError, match="several chats") as error:
        call_command("transfer", chat.unique_part, "B")
    assert error.value.returncode == 2


def test_a_worker_that_is_away_is_noticed(leaving: Leaving, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("transfer_api.management.commands.transfer.PATIENCE_WITH_WORKER", 0.1)
    errors = io.StringIO()
    ended = threading.Event()

    def command() -> None:
        try:
            call_command("transfer", leaving.chat.call_id, "B", stdout=io.StringIO(), stderr=errors)
        except CommandError:
            ended.set()
        finally:
            connections.close_all()

    thread = threading.Thread(target=command)
    thread.start()
    wait_until(lambda: "is the worker running?" in errors.getvalue(), 5, "noticed")
    with asked(leaving, says({"StatusCode": 406, "ExpiryTime": 10})) as peer:
        leaving.transfer_id = leaving.chat.transfers.get().pk
        peer.call_until("declined")
        thread.join(10)
    assert ended.is_set()
