"""The port follows the admin without being closed, and no connection is dropped."""

import socket
import ssl
import threading
from collections.abc import Iterator

import pytest

from psap.models import ServiceProcess
from tests.support.instance import wait_until
from tests.support.peerapi import (
    PeerApiProcess,
    PeerConnection,
    change_authority,
    change_own_certificate,
    negotiation,
)
from tests.support.pki import Authority, Issued
from tests.support.record import Record
from tests.support.tls import ADMITTED, OURS, Pki, show

ELSEWHERE = negotiation("port:follows") | {"TransferTo": "sip:other@example.org"}
FOLLOWED_WITHIN = 3.0


def serial_shown(api: PeerApiProcess, pki: Pki) -> str:
    """Return the serial number of the certificate that a new connection is shown."""
    context = ssl.create_default_context(cadata=pki.authority.certificate)
    with api.connect(context) as connection:
        assert isinstance(connection.sock, ssl.SSLSocket)
        return connection.sock.getpeercert()["serialNumber"]


def is_of(serial: str, issued: Issued) -> bool:
    return int(serial, 16) == issued.serial_number


class Knocking:
    """Connects without pause from another thread, and keeps what went wrong."""

    def __init__(self, api: PeerApiProcess, pki: Pki) -> None:
        self.failures: list[str] = []
        self.connections = 0
        self._api, self._context = api, pki.context()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._knock)

    def __enter__(self) -> "Knocking":
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._done.set()
        self._thread.join(20)

    def _knock(self) -> None:
        while not self._done.wait(0.05):
            try:
                with self._api.connect(self._context) as connection:
                    status = connection.post("negotiation", ELSEWHERE).status
                if status != 200:
                    self.failures.append(str(status))
            except OSError as error:
                self.failures.append(repr(error))
            self.connections += 1


@pytest.fixture
def kept(api: PeerApiProcess, pki: Pki) -> Iterator[PeerConnection]:
    """A connection that was there before; it has to be there afterwards."""
    with api.connect(pki.context()) as connection:
        assert connection.post("negotiation", ELSEWHERE).status == 200
        yield connection
        assert connection.post("negotiation", ELSEWHERE).status == 200


def test_a_certificate_changes_without_dropping_anybody(
    api: PeerApiProcess, pki: Pki, record: Record, kept: PeerConnection
):
    renewed = pki.authority.issue(OURS, "127.0.0.1")
    with Knocking(api, pki) as knocking:
        for shown in (renewed, pki.ours, renewed, pki.ours):
            change_own_certificate(record, shown)
            wait_until(
                lambda shown=shown: is_of(serial_shown(api, pki), shown),
                FOLLOWED_WITHIN,
                "the certificate is shown",
            )
            assert kept.post("negotiation", ELSEWHERE).status == 200
    assert knocking.failures == []
    assert knocking.connections > 10


def test_another_authority_is_believed_a_moment_later(
    api: PeerApiProcess, pki: Pki, record: Record, kept: PeerConnection
):
    another = Authority("Another CA")
    context = ssl.create_default_context(cadata=pki.authority.certificate)
    show(context, another.issue(ADMITTED))

    def admitted() -> bool:
        try:
            return api.ask(context, "negotiation", ELSEWHERE).status == 200
        except OSError:
            return False

    assert not admitted()
    both = pki.authority.certificate + another.certificate
    lists = pki.authority.revocation_list(pki.revoked)
    change_authority(record, both, lists)
    wait_until(admitted, FOLLOWED_WITHIN, "the authority is believed")
    change_authority(record, pki.authority.certificate, lists)
    wait_until(lambda: not admitted(), FOLLOWED_WITHIN, "it is not any more")


def test_a_certificate_that_cannot_be_used_leaves_everything_as_it_was(
    record: Record, neighbour: int, pki: Pki, tmp_path
):
    api = PeerApiProcess(record.database_url, tmp_path)
    try:
        api.start()
        api.wait_for_port()
        broken = Issued(pki.ours.chain, pki.peer.private_key, 0)  # the key of somebody else
        change_own_certificate(record, broken)
        wait_until(lambda: "cannot be used" in api.log(), FOLLOWED_WITHIN, "it says so")
        assert api.ask(pki.context(), "negotiation", ELSEWHERE).status == 200
        assert api.log().count("cannot be used") == 1
    finally:
        change_own_certificate(record, pki.ours)
        api.kill()


def port_open(record: Record, api: PeerApiProcess) -> object:
    beats = ServiceProcess.objects.filter(name="peerapi", instance__endswith=f":{api.pid}")
    return record.run(lambda: beats.get().figures["leitstand_peer_port_open"])


def is_beating(record: Record, api: PeerApiProcess) -> bool:
    beats = ServiceProcess.objects.filter(name="peerapi", instance__endswith=f":{api.pid}")
    return record.run(beats.exists)


def test_without_a_certificate_there_is_no_port_and_the_proxy_is_served(
    record: Record, neighbour: int, pki: Pki, tmp_path
):
    change_own_certificate(record, None)
    api = PeerApiProcess(record.database_url, tmp_path)
    try:
        api.start()
        assert not api.takes_connections()
        assert "no port for peers" in api.log()
        wait_until(lambda: is_beating(record, api), 5, "it gives a sign of life")
        assert port_open(record, api) == 1  # none is due
        change_own_certificate(record, pki.ours)
        wait_until(api.takes_connections, FOLLOWED_WITHIN, "the port is open")
        assert api.ask(pki.context(), "negotiation", ELSEWHERE).status == 200
        change_own_certificate(record, None)
        wait_until(lambda: not api.takes_connections(), FOLLOWED_WITHIN, "the port is closed")
        with api.through_proxy() as proxy:
            assert proxy.ask("GET", "/healthz").status == 200
        assert api.stop() == 0
        assert not api.socket.exists()
    finally:
        change_own_certificate(record, pki.ours)
        api.kill()


def test_a_port_that_is_taken_is_opened_once_it_is_free(
    record: Record, neighbour: int, pki: Pki, tmp_path
):
    api = PeerApiProcess(record.database_url, tmp_path)
    try:
        with socket.create_server(("127.0.0.1", api.port)):
            api.start()
            wait_until(lambda: is_beating(record, api), 5, "it gives a sign of life")
            wait_until(lambda: port_open(record, api) == 0, 5, "it says that it has no port")
        wait_until(lambda: port_open(record, api) == 1, 5, "it has its port")
        assert api.ask(pki.context(), "negotiation", ELSEWHERE).status == 200
        assert api.log().count("cannot be opened") == 1
    finally:
        api.kill()


def test_the_socket_of_a_process_that_died_is_taken_over_and_that_of_a_living_one_is_not(
    record: Record, neighbour: int, tmp_path
):
    first = PeerApiProcess(record.database_url, tmp_path)
    second = PeerApiProcess(record.database_url, tmp_path)
    try:
        first.start()
        second.launch()
        assert second._process is not None
        assert second._process.wait(10) == 1
        assert "another process listens" in second.log()
        first.kill()
        second.start()
        assert second.socket.stat().st_mode & 0o777 == 0o660
    finally:
        first.kill()
        second.kill()
