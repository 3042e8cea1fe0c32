"""A peer that the worker asks: a real HTTPS server that answers as a test wants.

with asked(leaving, says({"StatusCode": 202, "ExpiryTime": 60})) as peer:
    peer.call_until("accepted")
    peer.server.requests[0].body
"""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.utils import timezone

from chats.models import Transfer
from psap.models import Certificate, CertificateAuthority, Psap
from tests.support.chats import make_user
from tests.support.https import Answer, HttpRequest, HttpServer, https_server, respond
from tests.support.instance import wait_until
from tests.support.leaving import Leaving
from tests.support.pki import Authority
from transfer_api.calling.caller import Caller

AUTHORITY = Authority()
THEIRS = AUTHORITY.issue("127.0.0.1")
OURS = AUTHORITY.issue("psap-a.example.org")
JSON = {"content_type": "application/json"}
PROBLEM = {"content_type": "application/problem+json"}


@dataclass
class Asked:
    """The server, the worker that calls it, and the chat that it is about."""

    server: HttpServer
    caller: Caller
    leaving: Leaving

    def call_until(self, *states: str, within: float = 10.0) -> Transfer:
        """Let the worker call until the transfer is in one of those states."""

        def there() -> bool:
            self.caller.look()
            return self.leaving.state in states

        wait_until(there, within, f"{states}, not {self.leaving.state}")
        return self.leaving.transfer

    def call_until_said(self, path: str, *, within: float = 10.0) -> list[dict[str, Any]]:
        """Let the worker tell the peer, there alone, until it has no more to tell; returns what."""

        def over() -> bool:
            self.caller.look()
            return self.leaving.transfer.call_due_at is None

        wait_until(over, within, "all is said")
        assert {one.path for one in self.server.requests} == {path}
        return self.bodies()

    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(request.body) for request in self.server.requests]


@contextmanager
def asked(
    leaving: Leaving, answer: Answer, *, mutual: bool = False, **peer: Any
) -> Iterator[Asked]:
    """Let a peer answer in that way, and have the worker believe it."""
    leaving.now = timezone.now()
    wanted = AUTHORITY.certificate if mutual else ""
    with https_server(THEIRS, answer, client_authority=wanted) as server:
        believe()
        for name, value in ({"url": server.url()} | peer).items():
            setattr(leaving.peer, name, value)
        leaving.peer.save()
        caller = Caller("test")
        try:
            yield Asked(server, caller, leaving)
        finally:
            server.closing.set()
            wait_until(lambda: caller.running == 0, 30, "all calls end")


def believe() -> None:
    """Have us believe the authority of the tests about peers, and show a certificate of its."""
    psap = Psap.objects.get()
    ours = {"chain": OURS.chain, "private_key": OURS.private_key}
    psap.peer_certificate, _ = Certificate.objects.get_or_create(name="ours", defaults=ours)
    psap.save()
    believed = {"certificates": AUTHORITY.certificate}
    psap.peer_authorities.set(
        [CertificateAuthority.objects.get_or_create(name="CA", defaults=believed)[0]]
    )


def says(document: Any, status: int = 200, **headers: str) -> Answer:
    """Answer with a JSON document; its CallId is that of the request unless it says one."""

    def answer(server: HttpServer, connection: socket.socket, request: HttpRequest) -> None:
        body = document
        if isinstance(document, dict):
            body = {"CallId": json.loads(request.body)["CallId"], **document}
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        respond(status, content, **(headers or JSON))(server, connection, request)

    return answer


def in_turn(*answers: Answer) -> Answer:
    """Give each request the next answer, the last one for ever."""
    left = list(answers)

    def answer(server: HttpServer, connection: socket.socket, request: HttpRequest) -> None:
        (left.pop(0) if len(left) > 1 else left[0])(server, connection, request)

    return answer


def silence(server: HttpServer, _connection: socket.socket, _request: HttpRequest) -> None:
    """Never answer."""
    server.closing.wait(30)


def hang_up(_server: HttpServer, _connection: socket.socket, _request: HttpRequest) -> None:
    """Close instead of answering."""


def drip(server: HttpServer, connection: socket.socket, _request: HttpRequest) -> None:
    """Send an endless answer, byte by byte."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while not server.closing.wait(0.05):
        connection.sendall(b" ")


def half(_server: HttpServer, connection: socket.socket, _request: HttpRequest) -> None:
    """Close in the middle of the body."""
    connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"CallId": "')


def no_http(_server: HttpServer, connection: socket.socket, _request: HttpRequest) -> None:
    """Speak something else."""
    connection.sendall(b"SSH-2.0-OpenSSH_9.6\r\n")


def leave() -> Leaving:
    """Return a chat that is to be transferred, by the present time."""
    leaving = Leaving(make_user("anna"))
    leaving.now = timezone.now()
    return leaving


def executing(leaving: Leaving) -> Leaving:
    """Until the worker is to ask for the execution."""
    leaving.asking()
    assert leaving.state == "executing"
    return leaving


ACCEPTED = says({"StatusCode": 202, "ExpiryTime": 60})
TAKEN = says({"StatusCode": 200})
NOT_TAKEN = says({"StatusCode": 503})
