"""What the BCF lets nobody outside do."""

import socket
import ssl
from pathlib import Path

import pytest

from sipgateway.simulator.transport import Target
from tests.support.answering import answered, said
from tests.support.kamailio import DOMAIN, PASSWORD, Kamailio
from tests.support.live_console import LiveConsole
from tests.support.ng112 import NgApp
from tests.support.rawsip import RawSip, make_message

HOST = "127.0.0.1"


def message_to(uri: str, call: str, text: str, transport: str = "TCP") -> bytes:
    """Write a message of a chat in the name of `anna`."""
    uid = "urn:emergency:uid"
    return make_message(
        uri=f"{uri}@{DOMAIN}",
        from_uri=f"sip:anna@{DOMAIN}",
        body=text.encode(),
        transport=transport,
        call_info=(
            f"<{uid}:callid:{call}:dec112.at>;purpose=EmergencyCallData.CallId",
            f"<{uid}:msgtype:259:dec112.at>;purpose=EmergencyCallData.MsgType",
        ),
    )


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_nobody_outside_writes_to_an_app(
    kamailio: Kamailio, desk: LiveConsole, transport: str
):
    """Red where the BCF relays to whoever is registered."""
    async with (
        NgApp(kamailio.endpoint, "anna") as app,
        RawSip(Target(transport, HOST, kamailio.port)) as stranger,
    ):
        call, _ = await answered(app, desk)
        before = len(app.messages())
        answer = await stranger.exchange(
            message_to("sip:anna", call, "Legen Sie auf", transport.upper())
        )
        await app.beat()
    assert answer.status == 404
    assert "Legen Sie auf" not in [message["text"] for message in app.messages()[before:]]


async def test_a_stranger_with_a_call_identifier_does_not_draw_the_answers_away(
    kamailio: Kamailio, desk: LiveConsole
):
    async with (
        NgApp(kamailio.endpoint, "anna") as app,
        RawSip(Target("tcp", HOST, kamailio.port)) as stranger,
    ):
        call, chat = await answered(app, desk)
        answer = await stranger.exchange(message_to("sip:psap", call, "Hier bin ich"))
        await desk.shows("Hier bin ich")
        await said(desk, chat, "Wo sind Sie?")
        await app.hears("Wo sind Sie?")
    assert answer.status == 200
    assert stranger.requests == []


@pytest.mark.parametrize(("user", "password"), [("anna", "falsch"), ("nobody", PASSWORD)])
async def test_who_cannot_prove_it_is_not_registered(kamailio: Kamailio, user: str, password: str):
    with pytest.raises(AssertionError, match="registrationFailed"):
        async with NgApp(kamailio.endpoint, user, password=password, patience=3.0):
            pass


def test_nobody_comes_inside_without_a_certificate(kamailio: Kamailio, certificates: Path):
    context = ssl.create_default_context(cafile=certificates / "ca.pem")
    context.check_hostname = False
    with pytest.raises(ssl.SSLError), socket.create_connection((HOST, kamailio.inside_port)) as raw:
        with context.wrap_socket(raw) as secured:
            secured.sendall(b"OPTIONS sip:x SIP/2.0\r\n\r\n")
            secured.recv(1)  # TLS 1.3 refuses a client after its own handshake
