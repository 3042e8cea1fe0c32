"""The registrar process against Debian's Kamailio: digest, refresh, failover, farewell, chats."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from psap.models import Certificate, CertificateAuthority, SipAccount, Trunk
from sipgateway.simulator import lmpe
from sipgateway.simulator.transport import Target
from tests.support.caller import Caller, texts_of
from tests.support.core import DOMAIN, PASSWORD, Core, running_core
from tests.support.eventually import eventually
from tests.support.gateway import GatewayProcess, running_gateway
from tests.support.instance import free_ports, wait_until
from tests.support.pki import Authority
from tests.support.rawsip import RawSip
from tests.support.record import GREETING, Record
from tests.support.registrar import RegistrarProcess, running_registrar

PSAP = f"sip:psap@{DOMAIN}"
EMERGENCY = f"sip:112@{DOMAIN}"
RETRY_AFTER = 3
TEN_KILOBYTES = "Hilfe! " + "x" * 10_000
# What the supervisor leaves it (psap.project.launch.supervision).
STOP_SECONDS = 4
# Beyond the retry time: the REGISTER itself, Kamailio's start, a busy machine.
SLACK = 4


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Core]:
    with running_core(tmp_path_factory.mktemp("core")) as running:
        yield running


@pytest.fixture(scope="module")
def gateway(record: Record, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    record.configure(public_uri=PSAP)
    # The core challenges what comes from its users; the trunk answers for the gateway.
    record.run(lambda: Trunk.objects.update(username="psap", password=PASSWORD))
    with running_gateway(record.database_url, tmp_path_factory.mktemp("gateway")) as running:
        yield running


@pytest.fixture(scope="module")
def registrar(
    gateway: GatewayProcess, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RegistrarProcess]:
    with running_registrar(gateway, tmp_path_factory.mktemp("registrar")) as running:
        yield running


@contextmanager
def account(record: Record, core: Core, **values: object) -> Iterator[int]:
    """Add an account in the admin's table, and delete it when the block ends."""
    given = {
        "name": "core",
        "address_of_record": PSAP,
        "registrars": core.uri(),
        "username": "psap",
        "password": PASSWORD,
        "expires": 60,
        "retry_after": RETRY_AFTER,
        **values,
    }
    number = record.run(lambda: SipAccount.objects.create(**given).pk)
    try:
        yield number
    finally:
        change(record, number, enabled=False)
        wait_until(lambda: state(record, number) in ("off", None), 10, "the account is off")
        record.run(lambda: SipAccount.objects.filter(pk=number).delete())


def change(record: Record, number: int, **values: object) -> None:
    record.run(lambda: SipAccount.objects.filter(pk=number).update(**values))


def state(record: Record, number: int) -> str | None:
    found = record.value("SELECT state FROM psap_registration WHERE account_id = %s", number)
    return None if found is None else str(found)


def until_state(record: Record, number: int, wanted: str, within: float = 10.0) -> None:
    wait_until(lambda: state(record, number) == wanted, within, f"the account is {wanted}")


def until_bound(core: Core, condition: Callable[[list[str]], bool], within: float = 10.0) -> None:
    wait_until(lambda: condition(core.bindings()), within, "the bindings are as wanted")


def ours(gateway: GatewayProcess, transport: str = ";transport=tcp") -> str:
    return f"sip:psap@127.0.0.1:{gateway.port}{transport}"


@contextmanager
def registered(
    record: Record, core: Core, registrar: RegistrarProcess, **values: object
) -> Iterator[int]:
    with account(record, core, **values) as number:
        until_state(record, number, "registered")
        yield number


def test_without_accounts_pjsua2_is_not_even_loaded(record, core, gateway, tmp_path):
    beats = "SELECT count(*) FROM psap_serviceprocess WHERE name = 'registrar' AND instance LIKE %s"
    with running_registrar(gateway, tmp_path) as idle:
        wait_until(lambda: record.value(beats, f"%:{idle.pid}"), 10, "it beats")
        assert "_pjsua2" not in Path(f"/proc/{idle.pid}/maps").read_text()


def test_it_registers_our_listener_with_digest(record, core, gateway, registrar):
    with registered(record, core, registrar) as number:
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
    with registered(record, core, registrar, registrars=core.uri(registrar_transport)):
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
        with registered(record, core, registrar, registrars=tls, receive_in_pjsua2=receives):
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
        yield port
    finally:
        record.run(remove)


def test_a_core_that_was_restarted_has_its_binding_back_within_the_retry_time(
    record, core, gateway, registrar
):
    with registered(record, core, registrar, retry_after=RETRY_AFTER, expires=600):
        core.restart()
        assert core.bindings() == []
        until_bound(core, lambda found: found == [ours(gateway)], RETRY_AFTER + SLACK)


def test_over_udp_a_restart_is_noticed_by_the_next_refresh(record, core, gateway, registrar):
    """Nothing tells of it there but the refresh, which comes within the retry time."""
    with registered(
        record, core, registrar, registrars=core.uri("udp"), retry_after=RETRY_AFTER, expires=600
    ):
        core.restart()
        until_bound(core, lambda found: found == [ours(gateway, "")], RETRY_AFTER + SLACK)


def test_sigterm_takes_the_binding_away(record, core, gateway, registrar):
    with registered(record, core, registrar) as number:
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
    with account(record, core, password="falsch") as number:
        until_state(record, number, "failed")
        status, reason = record.rows(
            "SELECT sip_status, reason FROM psap_registration WHERE account_id = %s", number
        )[0]
        assert (status, "401" in reason) == (401, True)
        assert core.bindings() == []
        change(record, number, password=PASSWORD)
        until_state(record, number, "registered")


def test_the_second_registrar_is_taken_while_the_first_is_dead_and_left_when_it_is_back(
    record, core, gateway, registrar, tmp_path
):
    with running_core(tmp_path) as first:
        first.kill()
        registrars = f"{first.uri()}\n{core.uri()}"
        with registered(record, core, registrar, registrars=registrars) as number:
            assert core.bindings() == [ours(gateway)]
            first.start()
            until_bound(first, lambda found: found == [ours(gateway)], RETRY_AFTER + SLACK)
            until_bound(core, lambda found: found == [])
            shown = "SELECT registrar FROM psap_registration WHERE account_id = %s"
            wait_until(lambda: record.value(shown, number) == first.uri(), 5, "the first is shown")
            first.kill()
            until_bound(core, lambda found: found == [ours(gateway)], RETRY_AFTER + SLACK)


def test_an_account_that_is_switched_off_is_taken_back(record, core, gateway, registrar):
    with registered(record, core, registrar) as number:
        change(record, number, enabled=False)
        until_state(record, number, "off")
        assert core.bindings() == []
        change(record, number, enabled=True)
        until_state(record, number, "registered")
        assert core.bindings() == [ours(gateway)]


def test_a_changed_account_is_registered_anew(record, core, gateway, registrar):
    with registered(record, core, registrar) as number:
        change(record, number, contact="sip:psap@192.0.2.7:5070")
        until_bound(core, lambda found: found == ["sip:psap@192.0.2.7:5070"])
        until_state(record, number, "registered")


def test_several_accounts_at_once_and_feature_tags(record, core, gateway, registrar):
    other = {"name": "second", "address_of_record": f"sip:psap2@{DOMAIN}", "username": "psap2"}
    tags = '+g.oma.sip-im;language="en,de"'
    with (
        registered(record, core, registrar),
        registered(record, core, registrar, feature_tags=tags, **other) as number,
    ):
        assert core.bindings("psap") == [ours(gateway)]
        assert core.bindings("psap2") == [ours(gateway).replace("psap@", "psap2@")]
        contact = record.value(
            "SELECT contact FROM psap_registration WHERE account_id = %s", number
        )
        assert contact.endswith(f">;{tags}")


async def test_a_chat_in_pjsua2_is_on_the_record_marked_and_answered(
    record, core, gateway, registrar
):
    record.configure(heartbeat_interval=1)
    with registered(record, core, registrar, receive_in_pjsua2=True):
        assert core.bindings() != [ours(gateway)]
        async with RawSip(core.target()) as app:
            caller = Caller(uri=f"sip:anna@127.0.0.1:{app.local[1]};transport=tcp")
            assert (await app.exchange(caller.start(uri=EMERGENCY))).status == 200
            await app.until(lambda: texts_of(app.requests, lmpe.START) == [GREETING])
            assert app.requests[0].header("reply-to") == PSAP
            chat = record.chat_id(caller.call_id)
            record.claim(chat)
            record.send(chat, "Grüß Gott, wo sind Sie?")
            await app.until(lambda: texts_of(app.requests) == ["Grüß Gott, wo sind Sie?"])
            await app.exchange(caller.say("Am Hauptplatz", uri=EMERGENCY))
            await eventually(lambda: len(record.texts_in(caller.call_id)) == 2, "it is there")
            flags = record.rows(
                "SELECT flags FROM chats_message WHERE chat_id = %s AND direction = 'in'", chat
            )
            assert all("acknowledged-before-commit" in row[0] for row in flags)
            await eventually(
                lambda: {s for _, s in record.outgoing(chat)} == {"delivered"}, "all is delivered"
            )
            await app.until(lambda: bool(texts_of(app.requests, lmpe.HEARTBEAT)))
    record.configure(heartbeat_interval=15)


@pytest.mark.parametrize("transport", ["tcp", "udp"])
async def test_ten_kilobytes_in_pjsua2_fail_visibly(record, core, gateway, registrar, transport):
    """The call-taker sees what is left, marked; the alarm says so; over TCP the app gets 513."""
    with registered(
        record, core, registrar, receive_in_pjsua2=True, registrars=core.uri(transport)
    ):
        async with RawSip(core.target(transport)) as app:
            kind = transport.upper()
            uri = f"sip:bert@127.0.0.1:{app.local[1]};transport={transport}"
            caller = Caller(kind, uri=uri)
            answer = await app.exchange(caller.start(TEN_KILOBYTES, uri=EMERGENCY), 10)
            assert answer.status == (513 if transport == "tcp" else 200)
            chat = await eventually(lambda: record.chat_id(caller.call_id), "the chat is there")
            text, flags = record.rows(
                "SELECT text, flags FROM chats_message WHERE chat_id = %s AND direction = 'in'",
                chat,
            )[0]
            assert text.startswith("Hilfe! xxx")
            assert "truncated" in flags
            assert ("acknowledged-before-commit" in flags) == (transport == "udp")
            await eventually(
                lambda: record.value(
                    "SELECT figures->>'cut_at' FROM psap_serviceprocess WHERE name = 'registrar'"
                    " ORDER BY beat_at DESC LIMIT 1"
                ),
                "the cut is counted",
            )


async def test_a_text_that_is_too_long_for_pjsua2_fails_for_the_call_taker(
    record, core, gateway, registrar
):
    with registered(record, core, registrar, receive_in_pjsua2=True):
        async with RawSip(core.target()) as app:
            caller = Caller(uri=f"sip:cora@127.0.0.1:{app.local[1]};transport=tcp")
            await app.exchange(caller.start(uri=EMERGENCY))
            await app.until(lambda: bool(app.requests))
            chat = record.chat_id(caller.call_id)
            record.claim(chat)
            record.send(chat, "x" * 5000)
            await eventually(lambda: record.outgoing(chat)[-1][1] == "failed", "it has failed")
            cause = record.value("SELECT cause FROM chats_outboxentry ORDER BY message_id DESC")
            assert cause == "413 pjsua2 sends no message of this length"


async def test_a_message_to_a_urn_is_rescued_and_answered(record, core, gateway, registrar):
    """pjsua2 throws it away without an answer; its log has it."""
    with registered(record, core, registrar, receive_in_pjsua2=True, registrars=core.uri("udp")):
        (binding,) = core.bindings()
        port = int(binding.partition("@")[2].partition(";")[0].partition(":")[2])
        async with RawSip(Target("udp", "127.0.0.1", port)) as app:
            caller = Caller("UDP", uri=f"sip:emil@127.0.0.1:{app.local[1]}")
            assert (await app.exchange(caller.start(uri="urn:service:sos"))).status == 200
            chat = await eventually(lambda: record.chat_id(caller.call_id), "the chat is there")
            flags = record.value("SELECT flags FROM chats_message WHERE chat_id = %s", chat)
            assert "acknowledged-before-commit" not in flags


async def test_an_account_that_is_switched_off_waits_for_what_is_under_way(
    record, core, gateway, registrar
):
    """Red when it is ended at once: at the answer pjsua2 ends the whole process."""
    with registered(record, core, registrar, receive_in_pjsua2=True) as number:
        async with RawSip(core.target()) as app:
            caller = Caller(uri=f"sip:fini@127.0.0.1:{app.local[1]};transport=tcp")
            await app.exchange(caller.start(uri=EMERGENCY))
            await app.until(lambda: bool(app.requests))
            chat = record.chat_id(caller.call_id)
            record.claim(chat)
            await eventually(
                lambda: record.outgoing(chat) == [(GREETING, "delivered")], "it is greeted"
            )
            app.answer_status = None
            record.send(chat, "Noch da?")
            await app.until(lambda: texts_of(app.requests) == ["Noch da?"])
            change(record, number, enabled=False)
            await eventually(lambda: state(record, number) == "off", "it is off")
            app.answer(app.requests[-1])
            await eventually(lambda: record.outgoing(chat)[-1][1] == "delivered", "it is delivered")
            assert registrar.is_running()


async def test_what_pjsua2_has_taken_survives_a_gateway_that_is_down(
    record, core, gateway, registrar
):
    with registered(record, core, registrar, receive_in_pjsua2=True):
        gateway.kill()
        async with RawSip(core.target()) as app:
            caller = Caller(uri=f"sip:dora@127.0.0.1:{app.local[1]};transport=tcp")
            assert (await app.exchange(caller.start(uri=EMERGENCY))).status == 200
            wait_until(
                lambda: record.value(
                    "SELECT count(*) FROM chats_journal WHERE call_id = %s", caller.call_id
                ),
                5,
                "it is journaled",
            )
            gateway.start()
            await app.until(lambda: bool(app.requests), 10)
            assert record.chat_id(caller.call_id)


def test_what_pjsua2_cannot_do_is_found_and_kept(record, core, gateway, registrar):
    with registered(record, core, registrar):
        codes = "SELECT array_agg(code) FROM psap_registrarlimit"
        wait_until(lambda: record.value(codes), 20, "the limits are there")
        assert {"packet-size-tcp", "urn-request-uri", "acknowledges-by-itself", "tls-1.3"} <= set(
            record.value(codes)
        )
