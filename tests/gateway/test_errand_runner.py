"""The worker's errands side by side: a server that hangs delays nobody else's."""

import threading
from collections.abc import Iterator

import pytest
from django.utils import timezone

from chats.models import Chat, Reference, SourceReport
from psap.models import CertificateAuthority, LocationServer
from sipgateway.errands import runner as runner_module
from sipgateway.errands.runner import MOST_PER_HOST, Runner
from sipgateway.tasks import run_errands
from tests.support.chats import make_psap, make_user, open_chat
from tests.support.https import HttpServer, https_server, respond
from tests.support.instance import wait_until
from tests.support.pki import Authority

pytestmark = pytest.mark.django_db(transaction=True)

AUTHORITY = Authority()
SERVER = AUTHORITY.issue("127.0.0.1")
PRESENCE = b"""<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="pres:a">
<tuple id="a"><status><geopriv xmlns="urn:ietf:params:xml:ns:pidf:geopriv10"><location-info>
<Point xmlns="http://www.opengis.net/gml"><pos>48.2 16.37</pos></Point>
</location-info></geopriv></status></tuple></presence>"""


@pytest.fixture
def runner() -> Iterator[Runner]:
    runner = Runner()
    yield runner
    wait_until(lambda: runner.running == 0, 15, "all errands end")


def list_server(server: HttpServer) -> None:
    row = LocationServer.objects.create(host=f"127.0.0.1:{server.port}", may_be_private=True)
    row.authorities.add(
        CertificateAuthority.objects.create(
            name=str(server.port), certificates=AUTHORITY.certificate
        )
    )


def refer(chat: Chat, url: str) -> Reference:
    message = chat.messages.order_by("pk")[0]
    return Reference.objects.create(
        chat=chat, message=message, kind="location", url=url, due_at=timezone.now()
    )


def test_a_server_that_hangs_delays_no_other(runner: Runner, monkeypatch: pytest.MonkeyPatch):
    """Red with one thread for all, and red without the bound for each host."""
    monkeypatch.setattr(runner_module, "MOST_ERRANDS", MOST_PER_HOST + 1)
    hang = threading.Event()
    hung_server = https_server(SERVER, lambda *_: hang.wait(15) and None)
    with hung_server as hung, https_server(SERVER, respond(200, PRESENCE)) as good:
        list_server(hung)
        list_server(good)
        chat = open_chat("help")
        for number in range(3 * MOST_PER_HOST):
            refer(chat, hung.url(f"/{number}"))
        wanted = refer(chat, good.url())
        assert runner.look() == MOST_PER_HOST + 1
        wait_until(lambda: Reference.objects.get(pk=wanted.pk).status == "fetched", 5, "fetched")
        wait_until(lambda: len(hung.requests) == MOST_PER_HOST, 5, "asked")
        assert runner.look() == 0
        assert runner.running == MOST_PER_HOST
        hang.set()


def test_an_errand_of_a_worker_that_died_is_taken_up_by_the_next(runner: Runner):
    with https_server(SERVER, respond(200, PRESENCE)) as server:
        list_server(server)
        reference = refer(open_chat("help"), server.url())
        Reference.objects.update(attempts=1, lease_until=timezone.now())
        assert runner.look() == 1
        wait_until(lambda: Reference.objects.get(pk=reference.pk).status == "fetched", 5, "fetched")


def test_beat_has_reports_posted_as_well(runner: Runner, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("sipgateway.tasks.runner", runner)
    with https_server(None, respond(201)) as server:
        make_psap(bad_actor_url=server.url("/BadActors"))
        SourceReport.objects.create(
            chat=open_chat("help"),
            source="abc@bcf.example.org",
            reported_by=make_user("anna"),
            at=timezone.now(),
            due_at=timezone.now(),
        )
        run_errands()
        wait_until(lambda: SourceReport.objects.get().status == "accepted", 5, "posted")
        assert len(server.requests) == 1


def test_a_look_while_somebody_looks_is_made_up_for(runner: Runner):
    with runner._looking:
        assert runner.look() == 0
    assert runner._woken.is_set()
