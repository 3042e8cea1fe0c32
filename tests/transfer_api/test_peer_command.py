"""`manage peer`: adding, listing and trying out the PSAPs that we transfer to."""

import io
import stat
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from psap.models import Peer
from psap.peer_tokens import digest_of, draw_token
from tests.support.asked import PROBLEM, THEIRS, believe, says
from tests.support.chats import make_psap
from tests.support.https import Answer, HttpRequest, https_server, respond
from tests.support.pki import Authority

pytestmark = pytest.mark.django_db

DECLINED = says({"StatusCode": 406, "ExpiryTime": 10, "ReasonText": "a check"})


@pytest.fixture(autouse=True)
def psap() -> None:
    make_psap()


def run(*arguments: object, errors: io.StringIO | None = None) -> str:
    output = io.StringIO()
    call_command("peer", *map(str, arguments), stdout=output, stderr=errors or io.StringIO())
    return output.getvalue()


def refused(*arguments: object) -> CommandError:
    with pytest.raises(CommandError) as error:
        run(*arguments)
    assert "\n" not in str(error.value)
    return error.value


def add(*more: object) -> str:
    return run("add", "B", "--uri", "sip:b@b.example.org", "--url", "https://b.example.org", *more)


def test_a_peer_is_added_with_all_that_was_said(tmp_path: Path):
    ours, theirs = draw_token(), draw_token()
    (tmp_path / "ours").write_text(f"{ours}\n")
    (tmp_path / "theirs").write_text(f"{theirs}\n")
    said = add(
        "--uri", "sip:sos@b.example.org", "--cert-name", "B.example.org", "--cert-name", "sip:b",
        "--token-file", tmp_path / "theirs", "--own-token-file", tmp_path / "ours", "--auto-accept",
    )  # fmt: skip
    assert "added: “B”, sip:b@b.example.org" in said
    assert ours not in said
    peer = Peer.objects.get()
    assert peer.all_uris == ("sip:b@b.example.org", "sip:sos@b.example.org")
    assert (peer.url, peer.agreement, peer.auto_accept) == ("https://b.example.org", True, True)
    assert peer.certificate_names.split() == ["b.example.org", "sip:b"]
    assert (peer.own_token, peer.token_sha256) == (ours, digest_of(theirs))
    assert (peer.answer_time, peer.execution_time) == (45, 20)


def test_a_token_is_drawn_where_there_is_none_yet(tmp_path: Path):
    path = tmp_path / "token"
    assert str(path) in add("--token-file", path)
    assert Peer.objects.get().token_sha256 == digest_of(path.read_text().strip())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_nothing_is_drawn_for_a_peer_that_cannot_be_added(tmp_path: Path):
    add()
    assert refused("add", "B", "--uri", "sip:c@c.example.org", "--token-file", tmp_path / "t")
    assert not (tmp_path / "t").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("C", "--uri", "mailto:x"), "--uri: "),
        (("C", "--uri", "sip:psap@example.org"), "our own URI"),
        (("C", "--uri", "sip:b@b.example.org"), "is a URI of the peer “B”"),
        (("B", "--uri", "sip:c@c.example.org"), "NAME: "),
        (("C", "--uri", "sip:c@c.example.org", "--url", "http://c.example.org/"), "--url: "),
        (("C", "--uri", "sip:c@c.example.org", "--cert-name", "a b/"), "--cert-name: "),
    ],
)
def test_what_cannot_be_is_said_in_one_line(arguments: tuple[str, ...], words: str):
    add()
    error = refused("add", *arguments)
    assert words in str(error)
    assert "\n" not in str(error)
    assert error.returncode == 2
    assert Peer.objects.count() == 1


def test_a_token_file_that_cannot_be_read_is_a_bad_argument(tmp_path: Path):
    error = refused("add", "B", "--uri", "sip:b@b.example.org", "--own-token-file", tmp_path / "no")
    assert error.returncode == 2


def test_what_will_not_work_yet_is_noted():
    errors = io.StringIO()
    run(
        "add", "B", "--uri", "sip:b@b.example.org", "--url", "https://b.example.org/", errors=errors
    )
    assert "note: It cannot ask us" in errors.getvalue()


def test_all_peers_are_listed_a_line_each():
    assert run("list") == "There are no peers.\n"
    add("--cert-name", "b.example.org", "--auto-accept")
    run("add", "C", "--uri", "sip:c@c.example.org")
    assert run("list").splitlines() == [
        "B  sip:b@b.example.org  https://b.example.org  transfers: to it and from it  auto-accept",
        "C  sip:c@c.example.org  -  transfers: none",
    ]


def check(
    answer: Answer, requests: list[HttpRequest] | None = None, **peer: Any
) -> tuple[list[str], CommandError | None]:
    """Check a peer that answers so: the lines, how the command ended, and what it asked."""
    believe()
    output = io.StringIO()
    with https_server(THEIRS, answer) as server:
        Peer.objects.create(
            **{"name": "B", "uris": "sip:b@b.example.org", "url": server.url()} | peer
        )
        try:
            call_command("peer", "check", "b", stdout=output)
            ended = None
        except CommandError as error:
            ended = error
        if requests is not None:
            requests += server.requests
    return output.getvalue().splitlines(), ended


def names(lines: list[str]) -> list[tuple[str, str]]:
    return [(line[:7].strip(), line[7:].partition(":")[0]) for line in lines]


def test_a_peer_that_declines_as_it_must_is_well():
    requests: list[HttpRequest] = []
    lines, ended = check(DECLINED, requests, own_token=draw_token())
    assert ended is None
    assert names(lines) == [
        ("ok", "agreement"), ("ok", "URL"), ("ok", "certificate"), ("ok", "identity"),
        ("ok", "schemas"),
    ]  # fmt: skip
    assert "TLSv1.3" in lines[2]
    assert "our certificate and our token" in lines[3]
    assert "a check" in lines[4]
    assert b'"urn:emergency:uid:callid:peer-check:' in requests[-1].body


@pytest.mark.parametrize(
    ("answer", "peer", "step", "words"),
    [
        (DECLINED, {"agreement": False}, "agreement", "off"),
        (DECLINED, {"url": ""}, "URL", "none"),
        (DECLINED, {"url": "https://nowhere.invalid/"}, "URL", "resolve"),
        (DECLINED, {"url": "https://127.0.0.1:1/"}, "certificate", "refused"),
        (says({"title": "Unauthorized", "detail": "Who?"}, 401, **PROBLEM), {}, "identity", "Who?"),
        (says({"title": "Forbidden", "detail": "No."}, 403, **PROBLEM), {}, "identity", "No."),
        (lambda *_: None, {}, "identity", "no HTTP"),
        (respond(404), {}, "schemas", "404"),
        (says({"StatusCode": 406}), {}, "schemas", "ExpiryTime"),
        (says({"StatusCode": 202, "ExpiryTime": 60}), {}, "schemas", "has to decline"),
    ],
)  # fmt: skip
def test_the_first_thing_that_is_not_well_ends_the_check(
    answer: Answer, peer: dict[str, Any], step: str, words: str
):
    lines, ended = check(answer, **peer)
    assert ended is not None
    assert ended.returncode == 1
    assert names(lines)[-1] == ("FAILED", step)
    assert words in lines[-1]
    assert all(state == "ok" for state, _ in names(lines)[:-1])


def test_a_peer_that_we_do_not_believe_is_not_asked(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tests.support.asked.AUTHORITY", Authority("another"))
    requests: list[HttpRequest] = []
    lines, ended = check(DECLINED, requests)
    assert ended is not None
    assert names(lines)[-1] == ("FAILED", "certificate")
    assert requests == []


def test_an_unknown_peer_is_a_bad_argument():
    error = refused("check", "nobody")
    assert (error.returncode, str(error)) == (2, "There is no peer “nobody”. Known: none.")
