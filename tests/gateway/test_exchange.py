"""One bounded HTTP exchange: what a hostile or broken server can and cannot do to us."""

import gzip
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from psap.https.addresses import Reach, may_reach
from psap.https.exchange import Answer, ExchangeFailed, Terms, exchange
from psap.https.trust import Trust
from psap.https.urls import UrlRefused, read_url
from sipgateway.protocol.content_encoding import content_decoded
from tests.support.https import HttpRequest, HttpServer, https_server, respond
from tests.support.names import Names
from tests.support.pki import Authority, Issued

AUTHORITY = Authority()
LOCAL = AUTHORITY.issue("127.0.0.1", "127.0.0.2", "lis.example.org")
TRUST = Trust(((AUTHORITY.certificate, ""),))
SOON = 0.6
LATE = 6 * SOON  # still before any other limit ends it


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    return Names(monkeypatch)


def ask(
    url: str,
    *,
    trust: Trust = TRUST,
    reach: Reach = Reach.PRIVATE_TOO,
    seconds: float = 10.0,
    largest: int = 100_000,
    method: str = "GET",
    content: bytes = b"",
) -> Answer:
    target = read_url(url, schemes=("https", "http"))
    terms = Terms(trust, reach, time.monotonic() + seconds, largest, content_decoded)
    return exchange(method, target, terms, headers={"Accept": "*/*"}, content=content)


def refusal(url: str, **how: object) -> ExchangeFailed:
    with pytest.raises(ExchangeFailed) as failure:
        ask(url, **how)  # type: ignore[arg-type]
    return failure.value


def test_the_server_is_asked_under_its_name_and_its_answer_comes_whole(names: Names):
    names.know("lis.example.org", "127.0.0.1")
    only_name = AUTHORITY.issue("lis.example.org")
    with https_server(only_name, respond(200, b"here", content_type="Text/Plain; x=y")) as server:
        url = server.url("/a%20b?q=ü", host="lis.example.org")
        answer = ask(url, method="POST", content=b"where?")
        (request,) = server.requests
    assert answer == Answer(200, "text/plain", b"here")
    assert (request.method, request.path, request.body) == ("POST", "/a%20b?q=%C3%BC", b"where?")
    assert request.headers["host"] == f"lis.example.org:{server.port}"


def test_an_error_status_is_an_answer(names: Names):
    with https_server(LOCAL, respond(404, b"no")) as server:
        assert ask(server.url()).status == 404


def test_a_redirection_is_not_followed():
    with (
        https_server(LOCAL, respond(200, b"secret")) as inside,
        https_server(LOCAL, respond(302, location=inside.url("/secret"))) as server,
    ):
        failure = refusal(server.url())
        assert (failure.status, failure.again) == (302, False)
        assert inside.connections == 0


def test_a_name_that_leads_to_our_own_machine_is_not_asked(names: Names):
    names.know("lis.example.org", "127.0.0.1")
    with https_server(LOCAL, respond(200)) as server:
        failure = refusal(server.url(host="lis.example.org"), reach=Reach.PUBLIC)
        assert server.connections == 0
    assert not failure.again
    assert "127.0.0.1" in failure.cause


def test_one_address_inside_among_others_is_enough_to_refuse(names: Names):
    names.know("lis.example.org", "127.0.0.1", "169.254.169.254")
    with https_server(LOCAL, respond(200)) as server:
        refusal(server.url(host="lis.example.org"))
        assert server.connections == 0


def test_a_name_that_leads_elsewhere_at_the_second_look_is_looked_up_once(names: Names):
    """DNS rebinding: the address that was checked is the one that is connected to."""
    answers = iter([["127.0.0.1"], ["127.0.0.2"], ["127.0.0.2"]])
    names.ask("lis.example.org", lambda: next(answers))
    with (
        https_server(LOCAL, respond(200, b"checked")) as checked,
        https_server(LOCAL, respond(200, b"other"), host="127.0.0.2", port=checked.port) as other,
    ):
        assert ask(checked.url(host="lis.example.org")).body == b"checked"
        assert (checked.connections, other.connections) == (1, 0)
    assert names.asked.count("lis.example.org") == 1


def test_the_next_address_is_tried_where_one_does_not_take_us(names: Names):
    names.know("lis.example.org", "127.0.0.3", "127.0.0.1")
    with https_server(LOCAL, respond(200, b"here")) as server:
        assert ask(server.url(host="lis.example.org")).body == b"here"


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0",  # noqa: S104
        "100.64.0.1", "224.0.1.1", "255.255.255.255", "240.0.0.1", "192.0.2.1", "::", "::1",
        "fe80::1%eth0", "fc00::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
        "2002:7f00:1::", "64:ff9b::7f00:1", "64:ff9b::a00:1", "no address",
    ],
)  # fmt: skip
def test_what_is_not_in_public_is_out_of_reach(address: str):
    assert not may_reach(address, Reach.PUBLIC)


@pytest.mark.parametrize("address", ["1.1.1.1", "2606:4700:4700::1111", "64:ff9b::101:101"])
def test_the_public_is_in_reach(address: str):
    assert may_reach(address, Reach.PUBLIC)
    assert may_reach(address, Reach.PRIVATE_TOO)


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("127.0.0.1", True), ("10.1.2.3", True), ("100.64.0.1", True), ("fc00::1", True),
        ("::1", True), ("::ffff:10.0.0.1", True), ("169.254.169.254", False), ("fe80::1", False),
        ("224.0.1.1", False), ("::ffff:169.254.169.254", False),
    ],
)  # fmt: skip
def test_a_private_server_may_be_listed_but_no_link_local_one(address: str, allowed: bool):
    assert may_reach(address, Reach.PRIVATE_TOO) is allowed


def trickle(start: bytes, drop: bytes) -> Callable[[HttpServer, socket.socket, HttpRequest], None]:
    """Answer with a byte now and then, so that no single wait is long."""

    def answer(server: HttpServer, connection: socket.socket, _request: HttpRequest) -> None:
        connection.sendall(start)
        while not server.closing.wait(0.05):
            connection.sendall(drop)

    return answer


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(trickle(b"HTTP/1.1 200 OK\r\nX-Slow: ", b"a"), id="header"),
        pytest.param(trickle(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n", b"a"), id="body"),
        pytest.param(
            trickle(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n"),
            id="chunks",
        ),
        pytest.param(trickle(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"), id="informational"),
    ],
)
def test_a_drip_of_bytes_buys_no_time(
    answer: Callable[[HttpServer, socket.socket, HttpRequest], None],
):
    with https_server(LOCAL, answer) as server:
        started = time.monotonic()
        failure = refusal(server.url(), seconds=SOON)
        assert time.monotonic() - started < LATE
    assert failure.again


def test_a_server_that_says_nothing_costs_no_more_than_the_deadline():
    with https_server(LOCAL, lambda server, _connection, _request: _wait(server)) as server:
        started = time.monotonic()
        assert refusal(server.url(), seconds=SOON).again
        assert time.monotonic() - started < LATE


def _wait(server: HttpServer) -> None:
    server.closing.wait()


def test_a_server_that_reads_slowly_costs_no_more_than_the_deadline():
    """Red with a deadline for each piece alone: many megabytes buy minutes."""
    gone = threading.Event()

    def sip(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection, suppress(OSError):
            while not gone.wait(SOON / 12):
                connection.recv(500_000)

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        thread = threading.Thread(target=sip, args=(listener,))
        thread.start()
        started = time.monotonic()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        failure = refusal(url, method="POST", content=bytes(40_000_000), seconds=SOON)
        assert time.monotonic() - started < LATE
        gone.set()
        thread.join(10)
    assert failure.again and failure.sent


def test_whoever_wants_the_answer_no_more_hangs_up():
    """Red when only the deadline ends the wait."""
    asked = threading.Event()

    def wait(server: HttpServer, connection: socket.socket, _request: HttpRequest) -> None:
        asked.set()
        connection.recv(1)  # returns when the client has hung up

    with https_server(LOCAL, wait) as server:
        terms = Terms(
            TRUST, Reach.ANYWHERE, time.monotonic() + 10, wanted=lambda: not asked.is_set()
        )
        started = time.monotonic()
        with pytest.raises(ExchangeFailed, match="any more"):
            exchange("GET", read_url(server.url()), terms, headers={})
        assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    ("answer", "certificate", "sent"),
    [
        (lambda *_: None, LOCAL, True),
        (respond(200), AUTHORITY.issue("elsewhere.example.org"), False),
    ],
)
def test_a_failure_says_whether_the_server_may_have_read_the_request(
    answer: Any, certificate: Issued, sent: bool
):
    with https_server(certificate, answer) as server:
        assert refusal(server.url()).sent is sent


def test_a_server_that_does_not_even_shake_hands_costs_no_more_than_the_deadline():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        started = time.monotonic()
        assert refusal(f"https://127.0.0.1:{silent.getsockname()[1]}/", seconds=SOON).again
        assert time.monotonic() - started < LATE


def test_a_name_server_that_hangs_costs_no_more_than_the_deadline(names: Names):
    answered = threading.Event()

    def hang() -> list[str]:
        answered.wait(20)
        return ["127.0.0.1"]

    names.ask("lis.example.org", hang)
    started = time.monotonic()
    failure = refusal("https://lis.example.org/", seconds=SOON)
    assert time.monotonic() - started < LATE
    answered.set()
    assert failure.again


def flood(head: bytes) -> Callable[[HttpServer, socket.socket, HttpRequest], None]:
    def answer(server: HttpServer, connection: socket.socket, _request: HttpRequest) -> None:
        connection.sendall(head)
        while not server.closing.is_set():
            connection.sendall(b"a" * 65536)

    return answer


def test_an_answer_without_end_is_cut():
    with https_server(LOCAL, flood(b"HTTP/1.1 200 OK\r\n\r\n")) as server:
        failure = refusal(server.url())
    assert (failure.cause, failure.again) == ("the answer is too large", False)


def test_a_header_block_without_end_is_cut():
    with https_server(LOCAL, flood(b"HTTP/1.1 200 OK\r\nX: ")) as server:
        assert refusal(server.url()).cause == "the answer is no HTTP"


def test_a_packed_answer_is_unpacked_as_far_as_it_is_no_bomb():
    def packed(content: bytes) -> bytes:
        with https_server(
            LOCAL, respond(200, gzip.compress(content), content_encoding="gzip")
        ) as server:
            return ask(server.url()).body

    assert packed(b"here") == b"here"
    for bomb in (bytes(50_000_000), bytes(200_000)):  # beyond any memory; beyond what was asked
        with pytest.raises(ExchangeFailed, match="unpacked"):
            packed(bomb)


@pytest.mark.parametrize(
    ("certificate", "trust", "words"),
    [
        (Authority("Other CA").issue("127.0.0.1"), TRUST, "not believed"),
        (AUTHORITY.issue("elsewhere.example.org"), TRUST, "not believed"),
        (AUTHORITY.issue("127.0.0.1", expired=True), TRUST, "not believed"),
        (LOCAL, Trust(), "not believed"),
        (LOCAL, Trust(((AUTHORITY.certificate, AUTHORITY.revocation_list(LOCAL)),)), "revoked"),
        (
            LOCAL,
            Trust(((AUTHORITY.certificate, AUTHORITY.revocation_list(LOCAL, fresh=False)),)),
            "revoked",
        ),
    ],
    ids=["other authority", "other name", "expired", "not the system's", "revoked", "old list"],
)
def test_a_server_that_cannot_prove_who_it_is_hears_nothing(certificate, trust, words):
    with https_server(certificate, respond(200)) as server:
        failure = refusal(server.url(), trust=trust)
        assert server.requests == []
    assert words in failure.cause
    assert not failure.again


def test_a_certificate_that_is_on_no_list_is_believed():
    revoked = AUTHORITY.revocation_list(AUTHORITY.issue("127.0.0.1"))
    with https_server(LOCAL, respond(200, b"here")) as server:
        assert ask(server.url(), trust=Trust(((AUTHORITY.certificate, revoked),))).body == b"here"


def test_we_show_the_certificate_that_was_configured():
    ours = AUTHORITY.issue("psap.example.org")
    trust = Trust(((AUTHORITY.certificate, ""),), ours.chain, ours.private_key)
    with https_server(LOCAL, respond(200), client_authority=AUTHORITY.certificate) as server:
        assert ask(server.url(), trust=trust).status == 200
        assert server.requests[0].client is not None
        assert refusal(server.url()).again
        assert len(server.requests) == 1


def test_certificates_of_ours_that_cannot_be_used_are_said_to_be_at_fault():
    ours, other = AUTHORITY.issue("a"), AUTHORITY.issue("b")
    with https_server(LOCAL, respond(200)) as server:
        failure = refusal(server.url(), trust=Trust((), ours.chain, other.private_key))
        assert server.connections == 0
    assert "our certificates" in failure.cause


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch):
    with https_server(None, respond(200)) as proxy, https_server(LOCAL, respond(200)) as server:
        for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url())
        assert ask(server.url()).status == 200
        assert proxy.connections == 0


def test_nobody_there_is_tried_again():
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    failure = refusal(f"https://127.0.0.1:{port}/")
    assert failure.again
    assert not failure.sent


@pytest.mark.parametrize(
    "url",
    [
        "http://lis.example.org/", "ftp://lis.example.org/", "file:///etc/passwd", "cid:a@b", "",
        "sip:a@b", "https:///x", "https://lis.example.org@evil.example/", "https://u:p@lis/",
        "https://lis.example.org\\@evil/", "https://lis.example.org:99999/", "https://[::1/",
        "https://lis .example.org/", "https://lis.example.org/\r\nHost: x", "https://a..b/",
        "https://lis.example.org:port/", "https://" + "a" * 3000,
    ],
)  # fmt: skip
def test_a_url_that_is_not_plainly_https_is_refused(url: str):
    with pytest.raises(UrlRefused):
        read_url(url)


@pytest.mark.parametrize(
    ("url", "place", "path"),
    [
        ("https://LIS.Example.org", "lis.example.org", "/"),
        ("HTTPS://lis.example.org.:443/a?b=c#d", "lis.example.org", "/a?b=c"),
        ("https://lis.example.org:8443/a", "lis.example.org:8443", "/a"),
        ("https://[2001:DB8::1]:8443/", "[2001:db8::1]:8443", "/"),
        ("https://bücher.example/", "xn--bcher-kva.example", "/"),
    ],
)
def test_the_place_of_a_url_is_written_in_one_way(url: str, place: str, path: str):
    target = read_url(url)
    assert (target.place, target.path) == (place, path)
