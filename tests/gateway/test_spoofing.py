"""Somebody else who knows a chat's identifiers: heard, but never answered in the caller's place."""

import socket

import pytest

from psap.models import Trunk
from tests.support.caller import Caller, texts_of
from tests.support.eventually import eventually
from tests.support.rawsip import RawSip
from tests.support.record import GREETING

ASSERTED = ("P-Asserted-Identity", "<sip:+436645550001@provider.example>")
OTHER = ("P-Asserted-Identity", "<sip:mallory@provider.example>")
PROXY, STRANGER = "127.0.0.1", "127.0.0.2"


@pytest.fixture(scope="module", autouse=True)
def only_the_proxy_is_trusted(record):
    """Configured before the module's gateway starts."""
    record.run(
        lambda: Trunk.objects.update(
            trusted_networks=f"{PROXY}/32", username="psap", password="secret"
        )
    )


@pytest.mark.parametrize("forged", ["stop", "start"])
async def test_nobody_ends_or_starts_the_chat_of_an_asserted_caller(gateway, record, forged):
    """Red when the From and the call identifier are enough to end an emergency."""
    caller = Caller()
    async with RawSip(gateway.target("tcp")) as app:
        await app.exchange(caller.start(headers=(ASSERTED,)))
        await app.until(lambda: bool(app.requests))
        chat = record.chat_id(caller.call_id)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mallory:
            mallory.settimeout(5)
            mallory.bind((STRANGER, 0))
            mallory.connect(("127.0.0.1", gateway.port))
            mallory.send(getattr(caller, forged)("ich bin's"))
            assert b" 200 OK" in mallory.recv(65535)
        await eventually(
            lambda: record.texts_in(caller.call_id) == ["Hilfe!", "ich bin's"], "it is shown"
        )
    session = record.value("SELECT session FROM chats_chat WHERE id = %s", chat)
    assert (session, [text for text, _ in record.outgoing(chat)]) == ("open", [GREETING])


@pytest.mark.conformance("6.2.3-3")
@pytest.mark.parametrize(
    ("address", "headers"),
    [(STRANGER, ()), (STRANGER, (ASSERTED,)), (PROXY, (OTHER,))],
    ids=["from-alone", "untrusted-assertion", "asserted-as-another"],
)
async def test_answers_stay_with_the_asserted_caller(gateway, record, address, headers):
    """Red when the From alone says who writes: the next answer went to whoever had used it."""
    caller = Caller()
    async with RawSip(gateway.target("tcp")) as app:
        await app.exchange(caller.start(headers=(ASSERTED,)))
        await app.until(lambda: bool(app.requests))
        chat = record.chat_id(caller.call_id)
        record.claim(chat)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mallory:
            mallory.settimeout(5)
            mallory.bind((address, 0))
            mallory.connect(("127.0.0.1", gateway.port))
            for forged in ("von mir", "und noch"):
                mallory.send(caller.say(forged, headers=headers))
                assert b" 200 OK" in mallory.recv(65535)
            await eventually(
                lambda: record.texts_in(caller.call_id) == ["Hilfe!", "von mir", "und noch"],
                "it is shown",
            )
            record.send(chat, "Wir kommen")
            await app.until(lambda: texts_of(app.requests) == ["Wir kommen"])
            mallory.setblocking(False)
            with pytest.raises(BlockingIOError):
                mallory.recv(65535)
    flags = record.rows(
        "SELECT flags FROM chats_message WHERE chat_id = %s AND direction = 'in' ORDER BY id", chat
    )
    assert ["not-asserted" in row[0] for row in flags] == [False, True, True]


@pytest.mark.parametrize("headers", [(), (ASSERTED,)], ids=["start-alone", "every-message"])
async def test_an_asserted_caller_is_followed_to_another_connection(gateway, record, headers):
    """Real proxies assert the start alone: what else comes from them is the caller's as well."""
    caller = Caller()
    async with RawSip(gateway.target("tcp")) as app:
        await app.exchange(caller.start(headers=(ASSERTED,)))
        await app.until(lambda: bool(app.requests))
    chat = record.chat_id(caller.call_id)
    record.claim(chat)
    async with RawSip(gateway.target("tcp")) as app:
        await app.exchange(caller.say("wieder da", headers=headers))
        await eventually(lambda: len(record.texts_in(caller.call_id)) == 2, "it is on the record")
        record.send(chat, "Wir kommen")
        await app.until(lambda: texts_of(app.requests) == ["Wir kommen"])


CHALLENGE = 'WWW-Authenticate: Digest realm="r", nonce="n", algorithm=MD5\r\n'


@pytest.mark.parametrize(("address", "proves"), [(STRANGER, False), (PROXY, True)])
async def test_the_trunks_password_is_proven_to_the_trunk_alone(gateway, record, address, proves):
    """Red when every challenge is answered: any app could guess at the password at home, or have
    us answer the trunk's own challenge for it."""
    caller = Caller("UDP")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as app:
        app.settimeout(10)
        app.bind((address, 0))
        app.connect(("127.0.0.1", gateway.port))
        app.send(caller.start())
        request = b""
        while not request.startswith(b"MESSAGE"):
            request = app.recv(65535)
        head = request.decode().split("\r\n")
        kept = [h for h in head if h.split(":")[0] in ("Via", "From", "To", "Call-ID", "CSeq")]
        lines = "\r\n".join(["SIP/2.0 401 Unauthorized", *kept]) + "\r\n" + CHALLENGE
        app.send(f"{lines}Content-Length: 0\r\n\r\n".encode())
        if proves:
            while b"Authorization: Digest" not in request:
                request = app.recv(65535)
            return
    status = "SELECT m.status FROM chats_message m JOIN chats_chat c ON c.id = m.chat_id"
    status += " WHERE c.call_id = %s AND m.direction = 'out'"
    await eventually(lambda: record.value(status, caller.call_id) == "failed", "it has failed")
