"""Whatever is no valid request is told so, as a problem that names each violation (RFC 9457)."""

import json
import ssl
from collections.abc import Iterator

import pytest

from chats.models import Transfer
from psap.models import Peer
from tests.support.peerapi import (
    CALL_ID,
    NEIGHBOUR,
    PeerApiProcess,
    PeerConnection,
    change_peer,
    execution,
    negotiation,
)
from tests.support.record import Record
from tests.support.tls import Pki

WHOLE = ""


@pytest.fixture(scope="module")
def context(pki: Pki) -> ssl.SSLContext:
    return pki.context()


@pytest.fixture
def peer(api: PeerApiProcess, context: ssl.SSLContext) -> Iterator[PeerConnection]:
    with api.connect(context) as connection:
        yield connection


def without(document: dict[str, object], key: str) -> dict[str, object]:
    return {name: value for name, value in document.items() if name != key}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "no JSON"),
        (b"CallId=1", "no JSON"),
        (b'{"CallId": "a"', "no JSON"),
        (b"\xff\xfe{}", "no UTF-8"),
        (b'{"CallId": "\xe4"}', "no UTF-8"),
        (b'{"CallId": NaN}', "NaN"),
        (b'{"CallId": -Infinity}', "-Infinity"),
        (b'{"CallId": 1e999}', "too large"),
        (b'{"CallId": ' + b"9" * 5000 + b"}", "digits"),
        (b'{"CallId": "a", "CallId": "b"}', "twice"),
        (b'{"Data": {"a": 1, "a": 1}}', "twice"),
        (b"[" * 100_000, "deeper"),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "deeper"),
        (b"[" * 65 + b"]" * 65, "deeper"),
    ],
)
@pytest.mark.parametrize("what", ["negotiation", "execution", "custody", "withdrawal"])
def test_what_is_no_json_that_everybody_reads_alike_gets_400(
    peer: PeerConnection, what: str, body: bytes, said: str
):
    answer = peer.post(what, body)
    assert answer.status == 400
    assert said in answer.violations[WHOLE]


@pytest.mark.parametrize("body", [b"null", b"[]", b"17", b'"text"', b"true"])
def test_json_that_is_no_object_gets_400(peer: PeerConnection, body: bytes):
    answer = peer.post("negotiation", body)
    assert (answer.status, answer.violations) == (400, {WHOLE: "must be object"})


@pytest.mark.parametrize("key", ["CallId", "TransferFrom", "TransferTo"])
def test_each_violation_of_a_negotiation_is_named(peer: PeerConnection, key: str):
    assert peer.post("negotiation", without(negotiation(), key)).violations == {
        WHOLE: f"missing: {key}"
    }
    for wrong in (17, None, True, [], {}):
        assert peer.post("negotiation", negotiation() | {key: wrong}).violations == {
            f"/{key}": "must be string"
        }
    for outside in ("", "x" * 501, "a\x00b", "a\nb"):
        answer = peer.post("negotiation", negotiation() | {key: outside})
        assert (answer.status, list(answer.violations)) == (400, [f"/{key}"])


def test_all_violations_are_named_at_once(peer: PeerConnection):
    answer = peer.post("execution", {"CallId": 1, "MessageId": 0, "ExpiryTime": "10", "Data": []})
    assert answer.status == 400
    assert answer.json["title"] == "Bad Request"
    assert answer.json["status"] == 400
    assert answer.violations == {
        "/CallId": "must be string",
        "/MessageId": "must be 1 at least",
        "/ExpiryTime": "must be integer",
        "/Data": "must be object",
    }


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("MessageId", 0, "must be 1 at least"),
        ("MessageId", -1, "must be 1 at least"),
        ("MessageId", True, "must be integer"),
        ("MessageId", 1.5, "must be integer"),
        ("MessageId", "1", "must be integer"),
        ("MessageId", 2**53, "must be 9007199254740991 at most"),
        ("MessageId", 1e300, "must be 9007199254740991 at most"),
        ("ExpiryTime", 9, "must be 10 at least"),
        ("ExpiryTime", False, "must be integer"),
        ("ExpiryTime", 10.5, "must be integer"),
        ("ExpiryTime", None, "must be integer"),
        ("Data", "text", "must be object"),
        ("Data", None, "must be object"),
    ],
)
def test_numbers_of_an_execution_are_integers_within_bounds(
    peer: PeerConnection, key: str, value: object, said: str
):
    answer = peer.post("execution", execution() | {key: value})
    assert (answer.status, answer.violations[f"/{key}"]) == (400, said)


@pytest.mark.parametrize("value", [10**40, 1e40, 3600.0])
def test_integers_may_be_written_as_draft_7_has_it_and_long_expiries_are_none_of_ours(
    peer: PeerConnection, value: float
):
    """They are valid; so it goes on to whether there was a negotiation."""
    answer = peer.post("execution", execution("nobody:asked") | {"ExpiryTime": value})
    assert answer.status == 403


def test_violations_of_data_point_into_the_request(peer: PeerConnection):
    data = {"Version": 1, "AppUri": 17, "Messages": [{"Id": []}]}
    answer = peer.post("execution", execution(Data=data))
    assert answer.status == 400
    assert "/Data/AppUri" in answer.violations
    assert any(pointer.startswith("/Data/Messages/0/") for pointer in answer.violations)


def test_unknown_keys_are_passed_over(peer: PeerConnection, record: Record, neighbour: int):
    change_peer(record, neighbour, auto_accept=True)
    try:
        answer = peer.post("negotiation", negotiation("unknown:keys", Extra={"a": [1]}, X=None))
    finally:
        change_peer(record, neighbour, auto_accept=False)
    assert (answer.status, answer.json["StatusCode"]) == (200, 202)


def test_a_foreign_transfer_from_gets_403(peer: PeerConnection, record: Record):
    record.run(Peer.objects.create, name="Third", uris="sip:psap@third.example.org")
    for uri in ("sip:psap@third.example.org", "sip:psap@psap.example.org", "x", "sip:@"):
        answer = peer.post("negotiation", negotiation() | {"TransferFrom": uri})
        assert (answer.status, list(answer.violations)) == (403, ["/TransferFrom"])
    assert record.run(Transfer.objects.filter(call_id=CALL_ID).count) == 0


def test_the_way_in_which_a_uri_is_written_is_no_matter(peer: PeerConnection):
    written = NEIGHBOUR.upper().replace("SIP:", "sips:") + ";transport=tls"
    answer = peer.post(
        "negotiation",
        negotiation("written:otherwise") | {"TransferFrom": written, "TransferTo": "sip:x@y"},
    )
    assert (answer.status, answer.json["StatusCode"]) == (200, 406)


@pytest.mark.parametrize("tail", [";x@127.0.0.9:7", ";maddr=127.0.0.9", "?Route=sip:127.0.0.9"])
def test_a_peer_cannot_have_us_send_elsewhere_in_its_name(
    peer: PeerConnection, record: Record, tail: str
):
    call_id = f"from:elsewhere:{tail}"
    asked = negotiation(call_id) | {"TransferFrom": NEIGHBOUR + tail, "TransferTo": "sip:x@y"}
    answer = peer.post("negotiation", asked)
    assert (answer.status, answer.json["StatusCode"]) == (200, 406)
    offer = record.run(Transfer.objects.get, call_id=asked["CallId"])
    assert offer.transfer_from == NEIGHBOUR


def test_a_transfer_to_somebody_else_is_not_acceptable(peer: PeerConnection):
    answer = peer.post("negotiation", negotiation() | {"TransferTo": "sip:other@example.org"})
    assert answer.status == 200
    assert answer.json == {
        "CallId": CALL_ID,
        "StatusCode": 406,
        "ExpiryTime": 10,
        "ReasonText": "TransferTo is none of our addresses.",
    }


def test_an_execution_without_a_negotiation_gets_403(peer: PeerConnection):
    answer = peer.post("execution", execution("never:negotiated"))
    assert answer.status == 403
    assert "negotiation" in answer.json["detail"]


@pytest.mark.parametrize(
    "date",
    [
        "Mon, 01 Jan 99999999999999999999 00:00:00 GMT",
        "Mon, 99999999999 Jan 2026 00:00:00 GMT",
        "Mon, 01 Jan 2026 00:00:00 +99999999999999",
        "yesterday",
    ],
)
def test_a_date_that_is_none_is_passed_over(peer: PeerConnection, date: str):
    """It only says what the peer's clock shows; SnapshotAt may say it too."""
    assert peer.post("execution", execution("never:negotiated"), date=date).status == 403


def test_custody_of_what_never_passed_between_us_gets_403(peer: PeerConnection):
    assert peer.post("custody", {"CallId": "never:seen", "MessageId": 3}).status == 403


def test_a_withdrawal_of_what_was_never_asked_gets_403(peer: PeerConnection):
    assert peer.post("withdrawal", {"CallId": "never:asked"}).status == 403


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "TRACE"])
@pytest.mark.parametrize("what", ["negotiation", "execution", "custody", "withdrawal"])
def test_other_methods_get_405_with_those_that_there_are(
    peer: PeerConnection, method: str, what: str
):
    answer = peer.ask(method, f"/transfer/v1/{what}")
    assert (answer.status, answer.headers["allow"]) == (405, "POST")
    if method != "HEAD":
        assert answer.json["status"] == 405


@pytest.mark.parametrize(
    "path",
    ["/transfer/v1/", "/transfer/v1/negotiate", "/transfer/v1/negotiation/", "/", "/admin/", "/a"],
)
def test_what_is_not_there_gets_404(peer: PeerConnection, path: str):
    answer = peer.ask("POST", path, b"{}", content_type="application/json")
    assert (answer.status, answer.json["status"]) == (404, 404)


@pytest.mark.parametrize(
    "headers",
    [
        {"content_type": "text/plain"},
        {"content_type": "application/x-www-form-urlencoded"},
        {"content_type": "multipart/form-data; boundary=x"},
        {"content_type": ""},
        {"content_encoding": "gzip"},
    ],
)
def test_anything_but_plain_json_gets_415(peer: PeerConnection, headers: dict[str, str]):
    answer = peer.post("negotiation", negotiation(), **headers)
    assert answer.status == 415
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_content_type_that_cannot_be_read_gets_400(peer: PeerConnection):
    answer = peer.post("negotiation", {}, content_type="application/json; charset*=none''%e9")
    assert answer.status == 400
    assert answer.headers["content-type"] == "application/problem+json"


def test_json_may_say_its_charset(peer: PeerConnection):
    answer = peer.post("negotiation", {}, content_type="application/json; charset=utf-8")
    assert answer.status == 400


def test_a_problem_never_tells_values_of_the_request(peer: PeerConnection):
    secret = "my husband must not know"
    answer = peer.post("execution", execution(Data=secret, MessageId=secret))
    assert answer.status == 400
    assert secret not in answer.body.decode()


def test_hostile_texts_are_kept_as_texts(peer: PeerConnection, record: Record):
    reason = "<script>alert(1)</script>\x00\ud800 \u202e'; DROP TABLE chats_chat;--"
    body = json.dumps(negotiation("hostile:reason") | {"TransferTo": "x", "ReasonText": reason})
    assert peer.post("negotiation", body.encode()).json["StatusCode"] == 406
    kept = record.run(Transfer.objects.get, call_id="hostile:reason").reason
    assert kept.startswith("<script>alert(1)</script>")
    assert "\x00" not in kept
