"""The TLS policy as `openssl s_client` meets it: who gets through, who does not, a whole chat."""

import os
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from select import select

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from sipgateway.simulator import lmpe
from sipgateway.simulator.message import SipMessage, encode_response, parse_message
from sipgateway.simulator.transport import Stream
from tests.support.caller import Caller, kind_of, texts_of
from tests.support.eventually import eventually
from tests.support.gateway import running_gateway
from tests.support.pki import Authority
from tests.support.rawsip import make_message
from tests.support.tls import (
    ADMITTED,
    OURS,
    Pki,
    listening,
    make_tls_trunk,
    write_pem,
)

OPTIONS = make_message(method="OPTIONS", body=b"", transport="TLS")
PATIENCE = 15.0
# What s_client would not do by itself any more.
ANYTHING = ("-cipher", "ALL:@SECLEVEL=0")


@pytest.fixture(scope="module")
def pki(record):
    made = Pki()
    make_tls_trunk(record, made)
    return made


@pytest.fixture(scope="module")
def serving(record, pki, tmp_path_factory):
    with running_gateway(record.database_url, tmp_path_factory.mktemp("gateway")) as running:
        yield running


@pytest.fixture
async def port(serving):
    await listening(serving.sips_port)
    return serving.sips_port


class SClient:
    """One run of `openssl s_client`; what it prints comes through as it stands."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._stream = Stream()
        self.messages: list[SipMessage] = []

    def send(self, data: bytes) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(data)
            self._process.stdin.flush()
        except BrokenPipeError:  # it has given up
            pass

    def next_message(self) -> SipMessage | None:
        """Return the next SIP message, None when the connection has ended."""
        assert self._process.stdout is not None
        deadline = time.monotonic() + PATIENCE
        while not self.messages:
            readable, _, _ = select([self._process.stdout], [], [], deadline - time.monotonic())
            assert readable, "s_client hangs"
            data = os.read(self._process.stdout.fileno(), 65536)
            if not data:
                return None
            self.messages += map(parse_message, self._stream.feed(data))
        return self.messages.pop(0)

    def next_request(self) -> SipMessage:
        """Return the next request of the PSAP, answered with 200."""
        message = self.next_message()
        while message is not None and message.is_response:
            message = self.next_message()
        assert message is not None, "the connection has ended"
        self.send(encode_response(message, 200, "openssl"))
        return message


@contextmanager
def s_client(port: int, *arguments: str):
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-quiet", *arguments]
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield SClient(process)
    finally:
        process.kill()
        process.communicate()


def is_served(port: int, *arguments: str) -> bool:
    """Whether OPTIONS gets its 200 over such a connection."""
    with s_client(port, *arguments) as client:
        client.send(OPTIONS)
        answer = client.next_message()
        return answer is not None and answer.status == 200


def shown(directory: Path, issued) -> tuple[str, ...]:
    chain, key = write_pem(directory, "client", issued)
    return ("-cert", str(chain), "-key", str(key))


@pytest.mark.conformance("6.1.1-1", "6.1.1-9")
@pytest.mark.parametrize("version", ["-tls1_3", "-tls1_2"])
def test_a_good_certificate_connects(port, pki, tmp_path, version):
    ca = tmp_path / "ca.pem"
    ca.write_text(pki.authority.certificate)
    checks = ("-CAfile", str(ca), "-verify_return_error", "-verify_hostname", OURS)
    assert is_served(port, version, *shown(tmp_path, pki.peer), *checks)


@pytest.mark.conformance("6.1.1-9")
@pytest.mark.parametrize("version", ["-tls1_3", "-tls1_2"])
@pytest.mark.parametrize(
    "kind", ["none", "wrong CA", "revoked", "unlisted", "expired", "RSA of 1024 bits"]
)
def test_any_other_certificate_does_not(port, pki, tmp_path, version, kind):
    def issued():
        if kind == "wrong CA":
            return Authority("Test CA").issue(ADMITTED)
        if kind == "revoked":
            return pki.revoked
        if kind == "unlisted":
            return pki.authority.issue("other.example.org")
        if kind == "expired":
            return pki.authority.issue(ADMITTED, expired=True)
        key = rsa.generate_private_key(65537, 1024)  # noqa: S505
        return pki.authority.issue(ADMITTED, key=key)

    arguments = () if kind == "none" else shown(tmp_path, issued())
    assert not is_served(port, version, *ANYTHING, *arguments)


@pytest.mark.parametrize("version", ["-tls1_1", "-tls1"])
def test_older_versions_do_not(port, pki, tmp_path, version):
    assert not is_served(port, version, *ANYTHING, *shown(tmp_path, pki.peer))


@pytest.mark.conformance("6.1.1-9")
def test_rsa_of_2048_bits_connects(port, pki, tmp_path):
    strong = pki.authority.issue(ADMITTED, key=rsa.generate_private_key(65537, 2048))
    assert is_served(port, *shown(tmp_path, strong))


@pytest.mark.conformance("6.1.1-1", "6.1.1-2")
async def test_a_whole_chat_over_one_connection(port, pki, tmp_path, record):
    caller = Caller("TLS")
    with s_client(port, *shown(tmp_path, pki.peer)) as client:
        client.send(caller.start())
        assert client.next_message().status == 200
        assert kind_of(client.next_request()) == lmpe.START
        chat = record.chat_id(caller.call_id)
        record.claim(chat)
        record.send(chat, "Wo sind Sie?")
        assert texts_of([client.next_request()]) == ["Wo sind Sie?"]
        client.send(caller.say("Hauptplatz 1"))
        assert client.next_message().status == 200
        client.send(caller.stop())
        assert client.next_message().status == 200
    texts = ["Hilfe!", "Hauptplatz 1", "Danke"]
    await eventually(lambda: record.texts_in(caller.call_id) == texts, "all is on its chat")
    assert record.value("SELECT transport FROM chats_chat WHERE id = %s", chat) == "tls"
