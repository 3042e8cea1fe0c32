"""What the installed pjsua2 cannot do, tried out: `python -m sipgateway.registrar.probe`.

A process of its own, since one of the answers costs it its life. It sends itself messages over
loopback and prints one JSON object a line, `{"code": …, "detail": …}`, for each limit that it has
run into; the last line is `{"code": "done"}`. Nothing is derived from a version number.
"""

import json
import resource
import select
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import pjsua2

from psap.tls import TlsPolicy
from sipgateway.registrar.accounts import Account
from sipgateway.registrar.engine import Engine
from sipgateway.registrar.events import Event, Received
from sipgateway.registrar.packets import DroppedPacket

HOST = "127.0.0.1"
PATIENCE = 2.0
# Sizes that are tried, in bytes of the whole message; the last is a message with a location.
SIZES = (1300, 2000, 3000, 3900, 4100, 6000, 10_000)
MOST_ACCOUNTS = 64
SUPPORTED_VERSIONS = b"\x00\x2b"
TLS_1_3 = b"\x03\x04"


@dataclass
class Probe:
    """One endpoint and what has happened in it."""

    engine: Engine
    events: list[Event] = field(default_factory=list)

    def run_until(self, condition: Callable[[], object], seconds: float = PATIENCE) -> bool:
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                return False
            self.events += self.engine.poll()
            select.select([], [], [], 0.002)
        return True

    def received(self, mark: bytes) -> bytes:
        """Return the message with this mark as the application got it, or nothing."""
        return next((e.raw for e in self.events if isinstance(e, Received) and mark in e.raw), b"")

    def dropped(self, mark: bytes) -> bool:
        return any(isinstance(e, DroppedPacket) and mark in e.raw for e in self.events)


def message(
    size: int, mark: str, *, uri: str = f"sip:probe@{HOST}", method: str = "MESSAGE"
) -> bytes:
    """Write a request of `size` bytes, at least, that `mark` tells from others."""
    head = (
        f"{method} {uri} SIP/2.0\r\nVia: SIP/2.0/{{}} {HOST}:9;rport;branch=z9hG4bK{mark}\r\n"
        f"Max-Forwards: 1\r\nFrom: <sip:a@{HOST}>;tag={mark}\r\nTo: <sip:probe@{HOST}>\r\n"
        f"Call-ID: {mark}\r\nCSeq: 1 {method}\r\nContent-Type: text/plain\r\nContent-Length: "
    )
    body = max(size - len(head) - 8, 1)
    return f"{head}{body}\r\n\r\n{'x' * body}".encode()


def largest_by(probe: Probe, transport: str) -> tuple[int, int, bool]:
    """Return the largest size taken whole, the smallest not, and whether that was acknowledged."""
    largest = 0
    for size in SIZES:
        mark = f"{transport}{size}"
        kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
        with socket.socket(socket.AF_INET, kind) as client:
            client.connect((HOST, probe.engine.ports[transport]))
            data = message(size, mark).replace(b"/{} ", f"/{transport.upper()} ".encode())
            client.sendall(data)
            key = mark.encode()
            probe.run_until(lambda k=key: probe.received(k) or probe.dropped(k))
            if probe.received(key) != data:
                answered = bool(select.select([client], [], [], 0.05)[0])
                return largest, size, answered
            largest = size
    return largest, 0, False


def find_packet_size(probe: Probe) -> None:
    datagram, too_long, acknowledged = largest_by(probe, "udp")
    if too_long:
        fate = "cut and acknowledged all the same" if acknowledged else "lost without an answer"
        limit = f"Over UDP it takes {datagram} bytes, but of {too_long} bytes the end is {fate}."
        tell("packet-size-udp", limit)
    stream, too_long, acknowledged = largest_by(probe, "tcp")
    if too_long:
        fate = "is cut and acknowledged" if acknowledged else "is thrown away without an answer"
        tell(
            "packet-size-tcp", f"Over TCP it takes {stream} bytes; one of {too_long} bytes {fate}."
        )


def find_sending_size(probe: Probe, key: tuple[int, int]) -> None:
    told: list[str] = []
    probe.engine.send(
        key,
        uri=f"sip:probe@{HOST}:9",
        headers=(),
        content_type="text/plain",
        body="x" * 10_000,
        done=lambda status, reason, _: told.append(f"{status} {reason}"),
    )
    if told:
        tell("packet-size-sending", f"It does not send a message of 10,000 bytes: {told[0]}.")


def find_urn(probe: Probe) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect((HOST, probe.engine.ports["udp"]))
        client.send(message(400, "urn", uri="urn:service:sos").replace(b"/{} ", b"/UDP "))
        probe.run_until(lambda: probe.received(b"urn") or probe.dropped(b"urn"))
    if not probe.received(b"urn"):
        tell("urn-request-uri", "It throws away requests to a urn:, such as urn:service:sos.")


def find_answers_of_its_own(probe: Probe) -> None:
    for method, code, detail in (
        (
            "MESSAGE",
            "acknowledges-by-itself",
            "It acknowledges a MESSAGE by itself, before it is stored"
            " (autoRespondSipMessage of pjsua2 2.16 would change that).",
        ),
        (
            "OPTIONS",
            "options-by-itself",
            "It answers OPTIONS with 200 by itself, also while nothing can be stored.",
        ),
    ):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.connect((HOST, probe.engine.ports["udp"]))
            data = message(400, f"own{method}", method=method)
            client.send(data.replace(b"/{} ", b"/UDP "))
            if probe.run_until(lambda c=client: select.select([c], [], [], 0)[0]):
                if client.recv(4000).startswith(b"SIP/2.0 200"):
                    tell(code, detail)


def find_tls_version(probe: Probe) -> None:
    with socket.create_server((HOST, 0)) as server:
        port = server.getsockname()[1]
        registrar = f"sip:{HOST}:{port};transport=tls"
        probe.engine.register((2, 0), account(2, registrar))
        if not probe.run_until(lambda: select.select([server], [], [], 0)[0]):
            tell("tls", "It does not connect over TLS at all.")
            return
        connection, _ = server.accept()
        with connection:
            probe.run_until(lambda: select.select([connection], [], [], 0)[0])
            hello = connection.recv(4096)
    probe.engine.drop((2, 0))
    offered = hello.partition(SUPPORTED_VERSIONS)[2]
    if TLS_1_3 not in offered[2 : 3 + (offered[2] if len(offered) > 2 else 0)]:
        tell("tls-1.3", "It offers no TLS 1.3, which clause 6.1.1 of TS 103 698 names.")


def find_most_accounts(engine: Engine) -> None:
    """Add accounts until none is left to add; pjsua2 2.15 then ends the process."""
    kept = []
    for number in range(MOST_ACCOUNTS):
        configuration = pjsua2.AccountConfig()
        configuration.idUri = f"sip:probe{number}@{HOST}"
        added = pjsua2.Account()
        print(json.dumps({"code": "accounts", "most": number}), flush=True)  # noqa: T201
        added.create(configuration)
        kept.append(added)
    del engine


def account(number: int, registrar: str) -> Account:
    return Account(
        id=number,
        name="probe",
        address_of_record=f"sip:probe{number}@{HOST}",
        registrars=(registrar,),
        username="",
        password="",
        realm="*",
        expires=60,
        retry_after=30,
        contacts=(),
        parameters="",
        receives=True,
    )


def tell(code: str, detail: str) -> None:
    print(json.dumps({"code": code, "detail": detail}), flush=True)  # noqa: T201


def main() -> int:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    engine = Engine(TlsPolicy)
    probe = Probe(engine)
    # Nobody answers it; what comes in belongs to it.
    engine.register((1, 0), account(1, f"sip:{HOST}:9"))
    find_packet_size(probe)
    find_sending_size(probe, (1, 0))
    find_urn(probe)
    find_answers_of_its_own(probe)
    find_tls_version(probe)
    tell("done", "")
    engine.drop((1, 0))
    find_most_accounts(engine)
    return 0


if __name__ == "__main__":
    sys.exit(main())
