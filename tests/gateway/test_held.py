"""Locations and data by reference, from real servers (HELD-2, RFC 6753, RFC 7852)."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.utils import timezone

from chats.models import AdditionalData, Chat, ChatEvent, LocationFix, Reference
from chats.services.references import PAUSES, DueReference, claim_references
from chats.services.verify_chat import verify_chat
from psap.models import Certificate, CertificateAuthority, LocationServer
from sipgateway.errands import fetching
from sipgateway.errands.fetching import fetch
from sipgateway.errands.servers import load_servers
from sipgateway.protocol import held
from tests.support.chats import make_user, open_chat
from tests.support.https import Answer, HttpServer, by_method, https_server, respond
from tests.support.names import Names
from tests.support.pki import Authority, Issued

pytestmark = pytest.mark.django_db

AUTHORITY = Authority()
SERVER = AUTHORITY.issue("127.0.0.1", "lis.example.org")
PRESENCE = """<presence xmlns="urn:ietf:params:xml:ns:pidf"
  xmlns:gp="urn:ietf:params:xml:ns:pidf:geopriv10" xmlns:gml="http://www.opengis.net/gml"
  xmlns:gs="http://www.opengis.net/pidflo/1.0" entity="pres:anna@example.org">
  <tuple id="a"><status><gp:geopriv><gp:location-info>
    <gs:Circle srsName="urn:ogc:def:crs:EPSG::4326"><gml:pos>48.2 16.37</gml:pos>
      <gs:radius uom="urn:ogc:def:uom:EPSG::9001">30</gs:radius></gs:Circle>
  </gp:location-info><gp:usage-rules/><gp:method>Cell</gp:method></gp:geopriv></status>
  <timestamp>2026-01-31T12:00:00Z</timestamp></tuple></presence>"""
RESPONSE = (
    f'<locationResponse xmlns="urn:ietf:params:xml:ns:geopriv:held">{PRESENCE}</locationResponse>'
)
SUBSCRIBER = """<sub:EmergencyCallData.SubscriberInfo
  xmlns:sub="urn:ietf:params:xml:ns:EmergencyCallData:SubscriberInfo"
  xmlns:xc="urn:ietf:params:xml:ns:vcard-4.0" privacyRequested="false">
  <sub:DataProviderReference>d1</sub:DataProviderReference>
  <sub:SubscriberData><xc:vcard><xc:fn><xc:text>Anna Berg</xc:text></xc:fn></xc:vcard>
  </sub:SubscriberData></sub:EmergencyCallData.SubscriberInfo>"""


def error(code: str) -> str:
    return f'<error xmlns="urn:ietf:params:xml:ns:geopriv:held" code="{code}"/>'


def xml(text: str, kind: str = "application/held+xml", status: int = 200) -> Answer:
    return respond(status, text.encode(), content_type=kind)


@pytest.fixture(scope="module")
def location_server() -> Iterator[HttpServer]:
    """A server that gives positions, whoever asks."""
    with https_server(SERVER, xml(RESPONSE)) as server:
        yield server


def list_server(server: HttpServer, host: str = "127.0.0.1", **values: object) -> LocationServer:
    """Have an administrator list a server of this machine, and its authority."""
    row = LocationServer.objects.create(host=f"{host}:{server.port}", may_be_private=True, **values)
    row.authorities.add(
        CertificateAuthority.objects.create(name="test", certificates=AUTHORITY.certificate)
    )
    return row


def refer(
    chat: Chat, url: str, kind: str = "location", purpose: str = "", **values: object
) -> Reference:
    """Let the chat's first message name a URL."""
    return Reference.objects.create(
        chat=chat,
        message=chat.messages.order_by("pk")[0],
        kind=kind,
        purpose=purpose,
        url=url,
        due_at=timezone.now(),
        **values,
    )


def claim() -> DueReference:
    (due,) = claim_references(now=timezone.now(), most=10, per_host=10, busy={})
    return due


def fetch_now(reference: Reference) -> Reference:
    """Run one attempt, as the worker does."""
    fetch(claim(), load_servers())
    reference.refresh_from_db()
    return reference


def outcome(answer: Answer, kind: str = "location", purpose: str = "") -> Reference:
    """Fetch once from a listed server with that answer."""
    with https_server(SERVER, answer) as server:
        list_server(server)
        return fetch_now(refer(open_chat("help"), server.url(), kind, purpose))


@pytest.mark.conformance("5.4-3", "6.1.2.7-2")
def test_a_location_is_asked_for_as_in_an_emergency_and_put_on_the_record(
    location_server: HttpServer,
):
    list_server(location_server)
    chat = open_chat("help")
    reference = fetch_now(refer(chat, location_server.url("/loc/1")))
    request = location_server.requests[-1]
    assert (request.method, request.path) == ("POST", "/loc/1")
    assert request.headers["content-type"] == "application/held+xml;charset=utf-8"
    assert b'responseTime="emergencyDispatch"' in request.body
    assert b'<locationType exact="false">geodetic civic</locationType>' in request.body
    assert (reference.status, reference.http_status, reference.attempts) == ("fetched", 200, 1)
    fix = LocationFix.objects.get()
    assert (fix.shape, fix.latitude, fix.longitude, fix.radius) == ("Circle", 48.2, 16.37, 30.0)
    assert (fix.reference, fix.chat, fix.message) == (reference, chat, reference.message)
    event = ChatEvent.objects.get(kind="location-fetched")
    assert event.data["reference"] == str(reference.pk)
    assert event.data["fixes"] == 1
    assert len(event.data["readingsSha256"]) == 64
    assert verify_chat(chat_id=chat.pk).broken is None


def test_a_changed_position_no_longer_fits_the_record(location_server: HttpServer):
    list_server(location_server)
    chat = open_chat("help")
    fetch_now(refer(chat, location_server.url()))
    LocationFix.objects.update(latitude=48.3)
    broken = verify_chat(chat_id=chat.pk).broken
    assert broken is not None
    assert "what was fetched for reference" in broken.reason


@pytest.mark.parametrize("kind", ["application/pidf+xml", "text/html", ""])
def test_a_bare_presence_document_is_a_location_whatever_its_type_says(kind: str):
    assert outcome(xml(PRESENCE, kind)).status == "fetched"
    assert LocationFix.objects.count() == 1


@pytest.mark.parametrize("status", [400, 404, 405, 415, 501])
def test_a_server_that_takes_no_post_is_asked_by_get(status: int):
    assert outcome(by_method(POST=respond(status), GET=xml(PRESENCE))).status == "fetched"


@pytest.mark.parametrize(
    ("code", "words", "status"),
    [
        ("locationUnknown", "does not know where the caller is (locationUnknown)", "pending"),
        ("timeout", "could not find out in time (timeout)", "pending"),
        ("generalLisError", "has a fault of its own (generalLisError)", "pending"),
        ("notLocatable", "cannot locate this device (notLocatable)", "failed"),
        ("requestError", "does not understand our request (requestError)", "failed"),
        ("other", "refuses (other)", "failed"),
    ],
)
def test_an_error_in_a_200_is_told_in_words_and_tried_again_where_that_may_help(
    code: str, words: str, status: str
):
    reference = outcome(xml(error(code)))
    assert reference.cause.endswith(words)
    assert (reference.status, reference.http_status) == (status, 200)
    assert not LocationFix.objects.exists()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (xml("<html/>"), "is a html, no location"),
        (xml("no xml"), "cannot be read"),
        (xml('<!DOCTYPE a [<!ENTITY b "c">]><presence>&b;</presence>'), "cannot be read"),
        (xml('<presence xmlns="urn:ietf:params:xml:ns:pidf"/>'), "holds no location"),
        (xml(" " * (fetching.LARGEST_LOCATION + 1)), "too large"),
        (respond(403), "answered 403"),
        (respond(302, location="https://127.0.0.1/"), "redirects"),
    ],
    ids=["html", "no xml", "entity", "empty", "large", "forbidden", "redirect"],
)
def test_what_is_no_location_has_failed_at_once(answer: Answer, words: str):
    reference = outcome(answer)
    assert reference.status == "failed"
    assert words in reference.cause
    event = ChatEvent.objects.get(kind="fetch-failed")
    assert event.data == {"reference": str(reference.pk), "cause": reference.cause}


def test_a_server_in_trouble_is_asked_again_with_growing_pauses_until_it_has_failed():
    with https_server(SERVER, respond(503)) as server:
        list_server(server)
        reference = refer(open_chat("help"), server.url())
        pauses = []
        for _ in range(len(PAUSES.seconds) + 1):
            before = timezone.now()
            reference.due_at = before
            reference.save(update_fields=["due_at"])
            fetch_now(reference)
            if reference.status == "pending":
                pauses.append(round((reference.due_at - before).total_seconds()))
                assert not ChatEvent.objects.filter(kind="fetch-failed").exists()
    assert tuple(pauses) == PAUSES.seconds
    assert (reference.status, reference.cause) == ("failed", "the server answered 503")
    assert ChatEvent.objects.filter(kind="fetch-failed").count() == 1


def test_a_host_that_nobody_listed_is_not_even_looked_up(monkeypatch: pytest.MonkeyPatch):
    names = Names(monkeypatch)
    with https_server(SERVER, xml(RESPONSE)) as server:
        chat = open_chat("help")
        reference = fetch_now(refer(chat, server.url(host="lis.example.org")))
        assert server.connections == 0
    assert "lis.example.org" not in names.asked
    assert (reference.status, reference.done_at) == ("unlisted", None)
    event = ChatEvent.objects.get(kind="reference-unlisted")
    assert event.data == {"reference": str(reference.pk), "url": reference.url}


def test_the_port_belongs_to_the_list(location_server: HttpServer):
    list_server(location_server)
    LocationServer.objects.update(host="127.0.0.1")
    reference = fetch_now(refer(open_chat("help"), location_server.url()))
    assert reference.status == "unlisted"


def test_a_stranger_that_a_call_taker_allowed_is_still_not_asked_inside():
    with https_server(SERVER, xml(RESPONSE)) as server:
        reference = fetch_now(refer(open_chat("help"), server.url(), allowed_by=make_user("anna")))
        assert server.connections == 0
    assert reference.status == "failed"
    assert "127.0.0.1" in reference.cause


def test_a_listed_server_is_not_asked_inside_unless_its_row_says_so(location_server: HttpServer):
    list_server(location_server)
    LocationServer.objects.update(may_be_private=False)
    before = location_server.connections
    assert fetch_now(refer(open_chat("help"), location_server.url())).status == "failed"
    assert location_server.connections == before


@pytest.mark.conformance("6.1.2.7-2")
@pytest.mark.parametrize("url", ["http://127.0.0.1/", "sip:lis@example.org", "cid:a@b", "x"])
def test_nothing_but_https_is_asked(url: str):
    reference = fetch_now(refer(open_chat("help"), url))
    assert reference.status == "failed"


def _certificate(name: str, issued: Issued) -> Certificate:
    return Certificate.objects.create(name=name, chain=issued.chain, private_key=issued.private_key)


@pytest.mark.conformance("6.1.2.7-3", "6.1.2.10-11")
def test_our_certificate_is_shown_and_for_test_calls_the_one_for_tests():
    ours, for_tests = AUTHORITY.issue("psap.example.org"), AUTHORITY.issue("test.example.org")
    shown = []
    with https_server(SERVER, xml(RESPONSE), client_authority=AUTHORITY.certificate) as server:
        list_server(
            server,
            certificate=_certificate("real", ours),
            test_certificate=_certificate("tests", for_tests),
        )
        for test in (False, True):
            reference = fetch_now(refer(open_chat("help", test=test), server.url()))
            assert reference.status == "fetched"
            shown.append(server.requests[-1].client)
    assert shown[0] != shown[1]
    assert None not in shown


@pytest.mark.conformance("6.1.2.7-1", "6.1.2.7-2")
@pytest.mark.parametrize(
    "kind", ["application/EmergencyCallData.SubscriberInfo+xml", "application/xml"]
)
def test_additional_data_is_fetched_and_put_on_the_record(kind: str):
    reference = outcome(by_method(GET=xml(SUBSCRIBER, kind)), "additional-data", "SubscriberInfo")
    assert reference.status == "fetched"
    block = AdditionalData.objects.get()
    assert (block.kind, block.data["name"]) == ("SubscriberInfo", "Anna Berg")
    assert block.reference == reference
    event = ChatEvent.objects.get(kind="data-fetched")
    assert (event.data["kind"], event.data["blocks"]) == ("SubscriberInfo", 1)
    assert verify_chat(chat_id=reference.chat_id).broken is None


def test_additional_data_that_we_do_not_know_has_failed():
    reference = outcome(by_method(GET=xml("<a/>", "image/png")), "additional-data", "Other")
    assert (reference.status, reference.cause) == ("failed", "no data that we know (image/png)")


def test_a_fault_of_ours_counts_as_an_attempt(
    location_server: HttpServer, monkeypatch: pytest.MonkeyPatch
):
    """Red without the last resort of `fetch`: the row would be tried for ever."""

    def broken(_data: bytes) -> None:
        raise RuntimeError

    list_server(location_server)
    monkeypatch.setattr(held, "read_location", broken)
    reference = refer(open_chat("help"), location_server.url(), attempts=len(PAUSES.seconds))
    assert fetch_now(reference).status == "failed"


def test_an_attempt_that_took_too_long_does_not_overwrite_the_next(location_server: HttpServer):
    list_server(location_server)
    reference = refer(open_chat("help"), location_server.url())
    late = claim()
    Reference.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    newer = claim()
    fetch(late, load_servers())
    reference.refresh_from_db()
    assert (reference.status, LocationFix.objects.count()) == ("pending", 0)
    fetch(newer, load_servers())
    assert LocationFix.objects.count() == 1
