"""The registrar process against Debian's Kamailio: digest, refresh, failover, farewell, chats."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from psap.models import Certificate, CertificateAuthority, Trunk
from sipgateway.simulator import lmpe
from tests.support.accounts import (
    EMERGENCY,
    PSAP,
    RETRY_AFTER,
    TEN_KILOBYTES,
    account,
    change,
    ours,
    registered,
    state,
    until_bound,
    until_state,
)
from tests.support.caller import Caller, texts_of
from tests.support.core import DOMAIN, PASSWORD, running_core
from tests.support.eventually import eventually
from tests.support.instance import wait_until
from tests.support.pki import Authority
from tests.support.ports import free_ports
from tests.support.rawsip import RawSip
from tests.support.record import GREETING, Record
from tests.support.registrar import running_registrar

# What the supervisor leaves it (psap.project.launch.supervision).
STOP_SECONDS = 4
# Beyond the retry time: the REGISTER itself, Kamailio's start, a busy machine.
SLACK = 4


def test_without_accounts_pjsua2_is_not_even_loaded(record, core, gateway, tmp_path):
    beats = "SELECT count(*) FROM psap_serviceprocess WHERE name = 'registrar' AND instance LIKE %s"
    with running_registrar(gateway, tmp_path) as idle:
        wait_until(lambda: record.value(beats, f"%:{idle.pid}"), 10, "it beats")
        assert "_pjsua2" not in Path(f"/proc/{idle.pid}/maps").read_text()


def test_it_registers_our_listener_with_digest(record, core, gateway, registrar):
    with registered(record, core) as number:
        assert core.bindings() == [ours(gateway)]
        row = record.rows(
            "SELECT registrar, contact, sip_status, reason, registered_until > now()"
            " FROM psap_registration WHERE account_id = %s",
            number,
        )
        assert row == [(core.uri(), f"<{ours(gateway)}>", 200, "OK", True)]


def test_the_registrar_shows_its_life(record, core, gateway, registrar):
    rows = "SELECT count(*) FROM psap_serviceprocess WHERE name = 'registrar'"
    wait_until(lambda: record.value(f"{rows} AND beat_at > now() - interval '3 s'"), 5, "it beats")


@pytest.mark.parametrize("registrar_transport", ["tcp", "udp"])
async def test_a_chat_through_the_cores_location_with_ten_kilobytes(
    record, core, gateway, registrar, registrar_transport
):
    with registered(record, core, registrars=core.uri(registrar_transport)):
        async with RawSip(core.target()) as app:
            caller = Caller(uri=f"sip:anna@127.0.0.1:{app.local[1]};transport=tcp")
            assert (await app.exchange(caller.start(TEN_KILOBYTES, uri=EMERGENCY))).status == 200
            # The 200 came after COMMIT: the row is there.
            journaled = "SELECT length(raw) FROM chats_journal WHERE call_id = %s"
            assert record.value(journaled, caller.call_id) > 10_000
            await app.until(lambda: [r.body.decode() for r in app.requests] == [GREETING])
            chat = await eventually(lambda: record.chat_id(caller.call_id), "the chat is there")
            assert record.texts_in(caller.call_id) == [TEN_KILOBYTES]
            record.claim(chat)
            record.send(chat, "Wo sind Sie?")
            await app.until(lambda: texts_of(app.requests) == ["Wo sind Sie?"])
            assert app.requests[-1].header("reply-to") == PSAP
            flags = record.rows("SELECT flags FROM chats_message WHERE chat_id = %s", chat)
            assert all("acknowledged-before-commit" not in row[0] for row in flags)


@pytest.mark.parametrize("receives", [False, True])
async def test_over_tls_both_sides_show_their_certificates(
    record, gateway, registrar, tmp_path, receives
):
    authority = Authority()
    with running_core(tmp_path, authority) as core, tls_trunk(record, authority) as port:
        tls = core.uri("tls")
        with registered(record, core, registrars=tls, receive_in_pjsua2=receives):
            (binding,) = core.bindings()
            assert (binding == f"sip:psap@127.0.0.1:{port};transport=tls") is not receives
            assert "transport=tls" in binding.lower()
            async with RawSip(core.target()) as app:
                caller = Caller(uri=f"sip:tina@127.0.0.1:{app.local[1]};transport=tcp")
                text = "Hilfe!" if receives else TEN_KILOBYTES
                assert (await app.exchange(caller.start(text, uri=EMERGENCY))).status == 200
                await app.until(lambda: texts_of(app.requests, lmpe.START) == [GREETING])


@contextmanager
def tls_trunk(record: Record, authority: Authority) -> Iterator[int]:
    """Have the gateway listen over TLS, and trust what that authority has signed."""
    issued = authority.issue("127.0.0.1", "psap.example.org")
    (port,) = free_ports(1)

    def add() -> int:
        certificate = Certificate.objects.create(
            name="ours", chain=issued.chain, private_key=issued.private_key
        )
        trunk = Trunk.objects.create(
            name="core",
            transport="tls",
            port=port,
            certificate=certificate,
            allowed_names=DOMAIN,
            username="psap",
            password=PASSWORD,
        )
        trusted = CertificateAuthority.objects.create(
            name="theirs", certificates=authority.certificate
        )
        trunk.authorities.add(trusted)
        return trunk.pk

    def remove() -> None:
        Trunk.objects.filter(name="core").delete()
        Certificate.objects.all().delete()
        CertificateAuthority.objects.all().delete()

    record.run(add)
    try:
        wait_until(lambda: listens(port), 10, "the gateway listens there")
        yield port
    finally:
        record.run(remove)


def listens(port: int) -> bool:
    with socket.socket() as trying:
        return trying.connect_ex(("127.0.0.1", port)) == 0


def test_a_core_that_was_restarted_has_its_binding_back_within_the_retry_time(
    record, core, gateway, registrar
):
    with registered(record, core, retry_after=RETRY_AFTER, expires=600):
        core.restart()
        assert core.bindings() == []
        until_bound(core, lambda found: found == [ours(gateway)], RETRY_AFTER + SLACK)


def test_over_udp_a_restart_is_noticed_by_the_next_refresh(record, core, gateway, registrar):
    """Nothing tells of it there but the refresh, which comes within the retry time."""
    with registered(record, core, registrars=core.uri("udp"), retry_after=RETRY_AFTER, expires=600):
        core.restart()
        until_bound(core, lambda found: found == [ours(gateway, "")], RETRY_AFTER + SLACK)


def test_sigterm_takes_the_binding_away(record, core, gateway, registrar):
    with registered(record, core) as number:
        assert core.bindings() == [ours(gateway)]
        try:
            assert registrar.terminate(STOP_SECONDS) == 0
            assert core.bindings() == []
            assert state(record, number) == "off"
        finally:
            registrar.start()
        until_state(record, number, "registered")


async def test_without_a_binding_the_core_says_404(record, core, gateway, registrar):
    async with RawSip(core.target()) as app:
        assert (await app.exchange(Caller().start(uri=EMERGENCY))).status == 404


def test_a_wrong_password_is_shown_with_its_reason(record, core, gateway, registrar):
    with account(record, core.uri(), password="falsch") as number:
        until_state(record, number, "failed")
        status, reason = record.rows(
            "SELECT sip_status, reason FROM psap_registration WHERE account_id = %s", number
        )[0]
        assert (status, "401" in reason) == (401, True)
        assert core.bindings() == []
        change(record, number, password=PASSWORD)
        until_state(record, number, "registered")


def test_a_reason_that_is_no_text_is_shown_as_far_as_it_is(record, gateway, registrar):
    """Red when pjsua2's strings go to PostgreSQL as they are: the process ends over it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as strange:
        strange.bind(("127.0.0.1", 0))
        strange.settimeout(10)
        registrars = f"sip:127.0.0.1:{strange.getsockname()[1]}"
        with account(record, registrars) as number:
            data, address = strange.recvfrom(4000)
            kept = (b"Via:", b"From:", b"To:", b"Call-ID:", b"CSeq:")
            lines = [line for line in data.split(b"\r\n") if line.startswith(kept)]
            answer = [b"SIP/2.0 403 Verb\xf6ten", *lines, b"Content-Length: 0", b"", b""]
            strange.sendto(b"\r\n".join(answer), address)
            until_state(record, number, "failed")
            reason = "SELECT reason FROM psap_registration WHERE account_id = %s"
            assert record.value(reason, number) == "403 Verb\N{REPLACEMENT CHARACTER}ten"
            assert registrar.is_running()


def test_the_second_registrar_is_taken_while_the_first_is_dead_and_left_when_it_is_back(
    record, core, gateway, registrar, tmp_path
):
    with running_core(tmp_path) as first:
        first.kill()
        registrars = f"{first.uri()}\n{core.uri()}"
        with registered(record, core, registrars=registrars) as number:
            assert core.bindings() == [ours(gateway)]
            first.start()
            until_bound(first, lambda found: found == [ours(gateway)], RETRY_AFTER + SLACK)
            until_bound(core, lambda found: found == [])
            shown = "SELECT registrar FROM psap_registration WHERE account_id = %s"
            wait_until(lambda: record.value(shown, number) == first.uri(), 5, "the first is shown")
            first.kill()
            until_bound(core, lambda found: found == [ours(gateway)], RETRY_AFTER + SLACK)


def test_an_account_that_is_switched_off_is_taken_back(record, core, gateway, registrar):
    with registered(record, core) as number:
        change(record, number, enabled=False)
        until_state(record, number, "off")
        assert core.bindings() == []
        change(record, number, enabled=True)
        until_state(record, number, "registered")
        assert core.bindings() == [ours(gateway)]


def test_a_changed_account_is_registered_anew(record, core, gateway, registrar):
    with registered(record, core) as number:
        change(record, number, contact="sip:psap@192.0.2.7:5070")
        until_bound(core, lambda found: found == ["sip:psap@192.0.2.7:5070"])
        until_state(record, number, "registered")


def test_several_accounts_at_once_and_feature_tags(record, core, gateway, registrar):
    other = {"name": "second", "address_of_record": f"sip:psap2@{DOMAIN}", "username": "psap2"}
    tags = '+g.oma.sip-im;language="en,de"'
    with (
        registered(record, core),
        registered(record, core, feature_tags=tags, **other) as number,
    ):
        assert core.bindings("psap") == [ours(gateway)]
        assert core.bindings("psap2") == [ours(gateway).replace("psap@", "psap2@")]
        contact = record.value(
            "SELECT contact FROM psap_registration WHERE account_id = %s", number
        )
        assert contact.endswith(f">;{tags}")


def test_what_pjsua2_cannot_do_is_found_and_kept(record, core, gateway, registrar):
    with registered(record, core):
        codes = "SELECT array_agg(code) FROM psap_registrarlimit"
        wait_until(lambda: record.value(codes), 20, "the limits are there")
        assert {"packet-size-tcp", "urn-request-uri", "acknowledges-by-itself", "tls-1.3"} <= set(
            record.value(codes)
        )
