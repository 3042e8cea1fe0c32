"""Attachments by link: fetched from the peer itself, checked by digest, put on the record."""

import hashlib
from collections.abc import Iterator

import pytest
from django.utils import timezone

from chats.models import AttachmentFetch, BodyPart, Chat, ChatEvent, Transfer
from chats.services.transfers.fetches import claim_fetches, record_fetched
from chats.services.verify_chat import verify_chat
from psap.models import Peer
from tests.support.asked import THEIRS, believe
from tests.support.chats import make_psap, open_chat, receive_message
from tests.support.https import Answer, HttpServer, https_server, respond
from tests.support.instance import wait_until
from tests.support.leaving import make_peer
from transfer_api.calling.caller import Caller

pytestmark = pytest.mark.django_db(transaction=True)

CONTENT = b"\x89PNG" * 100
SHA256 = hashlib.sha256(CONTENT).digest()
LINK = f"transfer/v1/attachments/{SHA256.hex()}"


@pytest.fixture
def chat() -> Iterator[Chat]:
    make_psap()
    chat = open_chat()
    receive_message(chat, "look", parts=[CONTENT, CONTENT])
    BodyPart.objects.update(content=None)
    believe()
    yield chat


def fetch(chat: Chat, server: HttpServer, url: str = LINK, **values: object) -> AttachmentFetch:
    peer = Peer.objects.first() or make_peer(own_token="t" * 40)
    Peer.objects.update(url=server.url("/psap-b/"))
    transfer = Transfer.objects.create(
        side="in", state="done", peer=peer, peer_name=peer.name, chat=chat, call_id=chat.call_id,
        transfer_from=peer.uri, transfer_to="sip:psap@example.org", requested_at=timezone.now(),
    )  # fmt: skip
    return AttachmentFetch.objects.create(
        transfer=transfer, url=url, sha256=SHA256, due_at=timezone.now(), **values
    )


def run(due: AttachmentFetch) -> AttachmentFetch:
    """Let the worker try once."""
    caller = Caller("test")
    caller.look()
    wait_until(lambda: caller.running == 0, 20, "the fetch ends")
    due.refresh_from_db()
    return due


def test_all_parts_with_that_digest_get_the_content(chat: Chat):
    with https_server(THEIRS, respond(200, CONTENT)) as server:
        assert run(fetch(chat, server)).status == "fetched"
        (request,) = server.requests
    assert (request.method, request.path) == ("GET", "/psap-b/" + LINK)
    assert request.headers["authorization"] == "Bearer " + "t" * 40
    assert [bytes(part.content) for part in BodyPart.objects.all()] == [CONTENT, CONTENT]
    event = ChatEvent.objects.latest("seq")
    assert (event.kind, event.data["sha256"]) == ("attachment-fetched", SHA256.hex())
    assert verify_chat(chat_id=chat.pk).broken is None


def test_a_part_that_was_erased_meanwhile_stays_empty(chat: Chat):
    BodyPart.objects.filter(position=0).update(flag="erased")
    with https_server(THEIRS, respond(200, CONTENT)) as server:
        run(fetch(chat, server))
    assert [part.content is None for part in BodyPart.objects.order_by("position")] == [True, False]


@pytest.mark.parametrize(
    ("answer", "status", "cause"),
    [
        (respond(200, b"something else"), "failed", "another digest"),
        (respond(404), "failed", "404"),
        (respond(302, location="/"), "failed", "redirects"),
        (respond(503), "pending", "503"),
        (respond(200, b"x" * (21 * 1024 * 1024)), "failed", "too large"),
    ],
)
def test_what_is_not_the_attachment_is_not_taken(
    chat: Chat, answer: Answer, status: str, cause: str
):
    with https_server(THEIRS, answer) as server:
        due = run(fetch(chat, server))
    assert due.status == status
    assert cause in due.cause
    assert BodyPart.objects.exclude(content=None).count() == 0
    if status == "failed":
        assert ChatEvent.objects.latest("seq").kind == "attachment-missing"


def test_no_more_comes_than_the_transferor_has_said_that_there_is(chat: Chat):
    """Red when each link may bring 20 MiB: what counts for the quota would be the peer's word."""
    BodyPart.objects.update(size=len(CONTENT) - 1)
    with https_server(THEIRS, respond(200, CONTENT)) as server:
        due = run(fetch(chat, server))
    assert (due.status, due.attempts) == ("failed", 1)
    assert "too large" in due.cause


def test_nobody_else_is_asked_or_sees_our_token(chat: Chat):
    """Red when the link is followed wherever it leads."""
    with (
        https_server(THEIRS, respond(200, CONTENT)) as elsewhere,
        https_server(THEIRS, respond(200, CONTENT)) as server,
    ):
        for url in (elsewhere.url("/" + LINK), f"//127.0.0.1:{elsewhere.port}/{LINK}", "file:///x"):
            due = run(fetch(chat, server, url))
            assert (due.status, due.attempts) == ("failed", 1)
        assert elsewhere.connections == server.connections == 0


def test_an_absolute_link_to_the_peer_itself_is_followed(chat: Chat):
    with https_server(THEIRS, respond(200, CONTENT)) as server:
        assert run(fetch(chat, server, server.url("/elsewhere/x"))).status == "fetched"
        assert server.requests[0].path == "/elsewhere/x"


def test_an_attachment_whose_peer_was_deleted_is_missing(chat: Chat):
    with https_server(THEIRS, respond(200, CONTENT)) as server:
        due = fetch(chat, server)
        Peer.objects.all().delete()
        assert "no peer" in run(due).cause


def test_a_peer_whose_links_lead_nowhere_keeps_nobody_elses_waiting(chat: Chat):
    now = timezone.now()
    slow, other = make_peer(name="slow", uris="sip:s@s.example.org"), make_peer(name="other")
    transfers = [
        Transfer.objects.create(
            side="in", state="done", peer=peer, peer_name=peer.name, chat=chat, requested_at=now,
            call_id=chat.call_id, transfer_from=peer.uri, transfer_to="sip:psap@example.org",
        )
        for peer in (slow, other)
    ]  # fmt: skip
    due = [
        AttachmentFetch.objects.create(transfer=transfer, url=LINK, sha256=SHA256, due_at=now)
        for transfer in [transfers[0]] * 9 + [transfers[1]]
    ]
    claimed = claim_fetches(now=now, most=4)
    assert sorted(one.peer_id or 0 for one in claimed) == sorted([slow.pk, slow.pk, other.pk])
    assert claim_fetches(now=now, most=4) == []
    AttachmentFetch.objects.filter(pk=due[0].pk).update(status="failed", lease_until=None)
    assert [one.id for one in claim_fetches(now=now, most=4)] == [due[2].pk]


def test_a_result_counts_while_its_attempt_is_the_newest(chat: Chat):
    with https_server(THEIRS, respond(200, CONTENT)) as server:
        due = fetch(chat, server)
        (claimed,) = claim_fetches(now=timezone.now(), most=9)
        assert claim_fetches(now=timezone.now(), most=9) == []
        AttachmentFetch.objects.update(attempts=2, lease_until=None)
        record_fetched(due=claimed, content=CONTENT, now=timezone.now())
        due.refresh_from_db()
    assert due.status == "pending"
    assert BodyPart.objects.exclude(content=None).count() == 0
