"""Reporting a chat's source to the BCF (HTTP-2): the command, the request, and its outcome."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from chats.frames import event_frames
from chats.models import Chat, ChatEvent, SourceReport
from chats.opening import open_console
from chats.selectors import missed_events
from chats.services.claim_chat import claim_chat
from chats.services.close_chat import close_chat
from chats.services.errors import NoBadActorUrl, NotYourChat
from chats.services.report_source import PAUSES, claim_reports, report_source
from chats.services.verify_chat import verify_chat
from psap.models import Certificate, CertificateAuthority, Psap, User
from sipgateway.errands.reporting import load_service, report
from tests.support.chats import make_psap, open_chat
from tests.support.console import log_in
from tests.support.https import Answer, HttpServer, https_server, respond
from tests.support.pki import Authority

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 1, 31, 13, 0, tzinfo=UTC)
AUTHORITY = Authority("ESInet CA")
SOURCE = "9d3f@bcf.example.org"


@pytest.fixture(autouse=True)
def psap() -> Psap:
    return make_psap(bad_actor_url="https://bcf.example.org/BadActors")


@pytest.fixture
def chat(anna: User) -> Chat:
    chat = open_chat("help", signalling={"source": SOURCE})
    return claim_chat(chat_id=chat.pk, call_taker=anna, now=NOW)


def ask(chat: Chat, who: User, reason: str = "Abuse, again and again") -> SourceReport:
    return report_source(chat_id=chat.pk, call_taker=who, reason=reason, now=NOW)


def post(report_row: SourceReport, now: datetime = NOW) -> SourceReport:
    """Run one attempt, as the worker does."""
    (due,) = claim_reports(now=now, most=5)
    report(due, load_service())
    report_row.refresh_from_db()
    return report_row


def outcome(chat: Chat, who: User, answer: Answer) -> tuple[SourceReport, HttpServer]:
    with https_server(None, answer) as server:
        Psap.objects.update(bad_actor_url=server.url("/BadActors?x=1"))
        return post(ask(chat, who)), server


@pytest.mark.conformance("5.4-5")
@pytest.mark.parametrize("status", [200, 201, 204])
def test_the_source_id_is_posted_and_the_outcome_is_on_the_record(
    chat: Chat, anna: User, status: int
):
    row, server = outcome(chat, anna, respond(status))
    (request,) = server.requests
    assert (request.method, request.path) == ("POST", "/BadActors?x=1")
    assert request.headers["content-type"] == "application/json"
    assert json.loads(request.body) == {
        "sourceId": SOURCE,
        "callId": chat.call_id,
        "reason": "Abuse, again and again",
        "reportedAt": "2026-01-31T13:00:00Z",
        "psap": "sip:psap@example.org",
    }
    assert (row.status, row.http_status) == ("accepted", status)
    asked, done = ChatEvent.objects.filter(kind="source-reported").order_by("seq")
    assert (asked.actor, asked.data["status"], asked.data["source"]) == (
        "calltaker:anna",
        "pending",
        SOURCE,
    )
    assert done.actor == "system"
    assert done.data == {
        "report": str(row.pk),
        "status": "accepted",
        "source": SOURCE,
        "httpStatus": status,
        "cause": "",
    }
    assert verify_chat(chat_id=chat.pk).broken is None


def test_plain_text_is_the_source_id_alone(chat: Chat, anna: User):
    Psap.objects.update(bad_actor_format="text/plain")
    _, server = outcome(chat, anna, respond(201))
    assert server.requests[0].body == SOURCE.encode()
    assert server.requests[0].headers["content-type"] == "text/plain;charset=utf-8"


@pytest.mark.parametrize(
    ("values", "source"),
    [
        ({"asserted_uri": "sip:+43@example.org"}, "sip:+43@example.org"),
        ({}, "sip:anna@example.org"),
        ({"signalling": {"source": ["odd"]}}, "sip:anna@example.org"),
    ],
)
def test_without_a_source_id_the_caller_is_reported(
    anna: User, values: dict[str, Any], source: str
):
    chat = open_chat("help", **values)
    claim_chat(chat_id=chat.pk, call_taker=anna, now=NOW)
    assert ask(chat, anna).source == source


@pytest.mark.parametrize(
    ("status", "verdict", "cause"),
    [
        (432, "accepted", "already reported"),
        (433, "failed", "no such source id"),
        (400, "failed", "the service answered 400"),
        (302, "failed", "the server redirects, which is not followed"),
        (500, "pending", "the service answered 500"),
        (503, "pending", "the service answered 503"),
        (429, "pending", "the service answered 429"),
    ],
)
def test_what_an_answer_means(chat: Chat, anna: User, status: int, verdict: str, cause: str):
    row, _ = outcome(chat, anna, respond(status, location="/elsewhere"))
    assert (row.status, row.http_status, row.cause) == (verdict, status, cause)


def test_an_answer_without_end_has_failed(chat: Chat, anna: User):
    row, _ = outcome(chat, anna, respond(200, b"a" * 100_000))
    assert (row.status, row.cause) == ("failed", "the answer is too large")


def test_it_is_tried_again_until_the_last_pause_and_then_said_to_have_failed(
    chat: Chat, anna: User
):
    now = datetime.now(UTC)
    with https_server(None, respond(503)) as server:
        Psap.objects.update(bad_actor_url=server.url())
        row = ask(chat, anna)
        for _ in range(len(PAUSES.seconds)):
            assert post(row, now := now + timedelta(hours=1)).status == "pending"
        assert ChatEvent.objects.filter(kind="source-reported").count() == 1
        assert post(row, now + timedelta(hours=1)).status == "failed"
    assert ChatEvent.objects.filter(kind="source-reported").count() == 2


@pytest.fixture
def bcf() -> Iterator[HttpServer]:
    """A BCF that wants a certificate and shows one of the ESInet's own authority."""
    certificate = AUTHORITY.issue("127.0.0.1")
    with https_server(certificate, respond(201), client_authority=AUTHORITY.certificate) as server:
        Psap.objects.update(bad_actor_url=server.url())
        yield server


def test_both_sides_show_their_certificates(chat: Chat, anna: User, psap: Psap, bcf: HttpServer):
    ours = AUTHORITY.issue("psap.example.org")
    Psap.objects.update(
        bad_actor_certificate=Certificate.objects.create(
            name="ours", chain=ours.chain, private_key=ours.private_key
        )
    )
    authority = CertificateAuthority.objects.create(name="a", certificates=AUTHORITY.certificate)
    psap.bad_actor_authorities.add(authority)
    assert post(ask(chat, anna)).status == "accepted"
    assert bcf.requests[0].client is not None


def test_a_bcf_that_nobody_vouches_for_hears_nothing(chat: Chat, anna: User, bcf: HttpServer):
    row = post(ask(chat, anna))
    assert row.status == "failed"
    assert "not believed" in row.cause
    assert bcf.requests == []


def test_the_url_that_was_taken_away_meanwhile_fails_the_report(chat: Chat, anna: User):
    row = ask(chat, anna)
    Psap.objects.update(bad_actor_url="")
    assert post(row).status == "failed"


def test_without_a_url_there_is_nothing_to_report_to(chat: Chat, anna: User):
    Psap.objects.update(bad_actor_url="")
    with pytest.raises(NoBadActorUrl):
        ask(chat, anna)
    assert not SourceReport.objects.exists()


def test_only_the_owner_reports_also_when_the_chat_is_closed(chat: Chat, anna: User, berta: User):
    with pytest.raises(NotYourChat):
        ask(chat, berta)
    close_chat(chat_id=chat.pk, call_taker=anna, disposition="false-alarm", text="", now=NOW)
    assert ask(chat, anna).status == "pending"


def test_a_claimed_report_is_posted_by_nobody_else(chat: Chat, anna: User):
    ask(chat, anna)
    assert len(claim_reports(now=NOW, most=5)) == 1
    assert claim_reports(now=NOW, most=5) == []
    assert len(claim_reports(now=NOW + timedelta(minutes=1), most=5)) == 1


def test_screens_hear_of_the_report(client: Client, chat: Chat, anna: User):
    seen = Chat.objects.get(pk=chat.pk).head_seq
    row = ask(chat, anna)
    (frame,) = [json.loads(f.text) for f in event_frames(missed_events({chat.pk: seen}))]
    expected = {
        "id": str(row.pk),
        "status": "pending",
        "source": SOURCE,
        "reason": "Abuse, again and again",
        "by": {"username": "anna", "name": "Anna"},
        "at": "2026-01-31T13:00:00.000000Z",
        "httpStatus": None,
        "cause": "",
    }
    assert (frame["ev"], frame["reports"]) == ("source-reported", [expected])
    client.force_login(anna)
    assert client.get(f"/chats/{chat.pk}/conversation/").json()["reports"] == [expected]


def test_desks_are_told_whether_there_is_somebody_to_report_to(anna: User):
    key = log_in(anna)
    assert open_console(key).frame["psap"]["reports"] is True
    Psap.objects.update(bad_actor_url="")
    assert open_console(key).frame["psap"]["reports"] is False
