"""The header fields of Tables 1 and 2 on a chat's record, and DEC112's dialect answered in kind."""

import pytest

from tests.support.caller import Caller
from tests.support.eventually import eventually
from tests.support.rawsip import RawSip, make_message

DEC112_CALL = "urn:dec112:uid:callid:HikuhzM8Md65cFdpRreTJIcXUCgNvc:service.dec112.at"
HEADERS = (
    ("History-Info", "<sip:112@esrp.example?Reason=SIP%3Bcause%3D480%3Btext%3D%22Busy%22>;index=1"),
    ("History-Info", "<sip:psap@psap.example.org>;index=1.1"),
    ("Resource-Priority", "esnet . 2"),
    ("P-Access-Network-Info", "IEEE-802.11"),
    ("Accept-Contact", "*;+sip.message"),
    ("Accept-Language", "uk, en;q=0.5"),
    ("Geolocation-Routing", "no"),
    ("Require", "x-unheard-of"),
    ("Call-Info", "<sip:a8f3@bcf.example>;purpose=emergency-source"),
    ("Call-Info", "<did:example:123>; purpose=EmergencyCallData.DID"),
)

TABLE_2 = (
    ("Max-Forwards", "70"),
    ("Accept-Contact", "*;+sip.message"),
    ("Accept", "text/plain"),
    ("Content-Encoding", "identity"),
    ("Accept-Encoding", "gzip"),
    ("Content-Language", "de"),
    ("Accept-Language", "de"),
    ("Content-Disposition", "render"),
    ("Allow", "MESSAGE"),
    ("Unsupported", "x-unheard-of"),
    ("Require", "x-unheard-of"),
    ("Proxy-Require", "x-unheard-of"),
    ("Expires", "60"),
    ("Subject", "Hilfe"),
    ("Priority", "emergency"),
    ("Date", "Sat, 31 Jan 2026 12:00:00 GMT"),
    ("Timestamp", "54"),
    ("Organization", "Example"),
    ("User-Agent", "example/1.0"),
    ("Server", "example/1.0"),
    ("Authorization", 'Digest username="x"'),
    ("Authentication-Info", 'nextnonce="x"'),
    ("Proxy-Authenticate", 'Digest realm="x"'),
    ("Proxy-Authorization", 'Digest username="x"'),
    ("WWW-Authenticate", 'Digest realm="x"'),
    ("Warning", '399 example.org "x"'),
    ("Error-Info", "<sip:error@example.org>"),
    ("In-Reply-To", "x@example.org"),
    ("Retry-After", "60"),
    ("Resource-Priority", "esnet.1"),
)


def dec112(kind: int, text: str, msg_id: int, *headers: tuple[str, str]) -> bytes:
    return make_message(
        transport="TCP",
        body=text.encode(),
        from_uri="sip:+436641234567@dec112.example",
        call_info=(
            f"<{DEC112_CALL}>; purpose=dec112-CallId",
            f"<urn:dec112:uid:msgid:{msg_id}:service.dec112.at>; purpose=dec112-MsgId",
            f"<urn:dec112:uid:msgtype:{kind}:service.dec112.at>; purpose=dec112-MsgType",
            "<urn:dec112:uid:language:de:service.dec112.at>; purpose=dec112-Lang",
        ),
        headers=headers,
    )


def kinds_of(record, chat: int) -> list[str]:
    rows = record.rows("SELECT kind FROM chats_chatevent WHERE chat_id = %s ORDER BY seq", chat)
    return [kind for (kind,) in rows]


def types_in(record, chat: int) -> list[int]:
    rows = record.rows(
        "SELECT type FROM chats_message WHERE chat_id = %s AND direction = 'in' ORDER BY id", chat
    )
    return [kind for (kind,) in rows]


def signalling_of(record, chat: int) -> dict:
    return record.value("SELECT signalling FROM chats_chat WHERE id = %s", chat)


@pytest.mark.conformance("6.1.2.3-1", "6.1.2.3-2", "6.1.2.6-1", "6.1.2.11-1")
async def test_what_the_headers_say_is_on_the_chat_and_proved_by_its_chain(gateway, record):
    caller = Caller()
    async with RawSip(gateway.target()) as app:
        response = await app.exchange(caller.start(headers=HEADERS))
        chat = await eventually(lambda: record.chat_id(caller.call_id), "the chat is there")

    assert response.status == 200
    assert signalling_of(record, chat) == {
        "cameVia": [
            {"uri": "sip:112@esrp.example", "index": "1", "cause": 480, "reason": "Busy"},
            {"uri": "sip:psap@psap.example.org", "index": "1.1", "cause": None, "reason": ""},
        ],
        "accessNetwork": "IEEE-802.11",
        "acceptContact": ["*;+sip.message"],
        "languages": ["uk", "en"],
        "geolocationRouting": "no",
        "require": ["x-unheard-of"],
        "source": "sip:a8f3@bcf.example",
        "did": "did:example:123",
    }
    row = record.rows("SELECT priority, language FROM chats_chat WHERE id = %s", chat)
    assert row == [("esnet.2", "uk")]
    assert "signalling-changed" in kinds_of(record, chat)
    record.verify(chat)


@pytest.mark.conformance("6.1.2.4-1")
@pytest.mark.parametrize("header", TABLE_2, ids=[name for name, _ in TABLE_2])
async def test_each_header_field_of_table_2_is_accepted(gateway, record, header):
    caller = Caller()
    async with RawSip(gateway.target()) as app:
        response = await app.exchange(caller.start("Hilfe!", headers=(header,)))
        await app.until(lambda: bool(app.requests))
    assert response.status == 200
    assert record.texts_in(caller.call_id) == ["Hilfe!"]


async def test_what_a_later_message_says_anew_is_added(gateway, record):
    caller = Caller()
    async with RawSip(gateway.target()) as app:
        await app.exchange(caller.start(headers=(("Subject", "Help"),)))
        await app.exchange(caller.say("again", headers=(("Subject", "Help"),)))
        await app.exchange(caller.say("moved", headers=(("P-Access-Network-Info", "3GPP-NR"),)))
        chat = await eventually(lambda: record.chat_id(caller.call_id), "the chat is there")
        await eventually(
            lambda: signalling_of(record, chat) == {"subject": "Help", "accessNetwork": "3GPP-NR"},
            "both are on the chat",
        )
    assert kinds_of(record, chat).count("signalling-changed") == 2


@pytest.mark.conformance("5.6-1")
async def test_a_chat_of_dec112_is_understood_and_answered_in_kind(gateway, record):
    async with RawSip(gateway.target()) as app:
        await app.exchange(dec112(1 | 16, "Hilfe", 1, ("X-Dec112-Silent", "True")))
        await app.until(lambda: bool(app.requests))
        chat = await eventually(lambda: record.chat_id(DEC112_CALL), "the chat is there")
        await app.exchange(dec112(2 | 16, "Feuer", 2))
        await app.exchange(dec112(3 | 16, "Danke", 3))
        await eventually(lambda: types_in(record, chat) == [257, 259, 258], "all came")

    assert app.requests[0].values("call-info") == [
        f"<{DEC112_CALL}>; purpose=dec112-CallId",
        "<urn:dec112:uid:msgid:1:service.dec112.at>; purpose=dec112-MsgId",
        "<urn:dec112:uid:msgtype:17:service.dec112.at>; purpose=dec112-MsgType",
    ]
    row = record.rows(
        "SELECT dialect, silent, language, session FROM chats_chat WHERE id = %s", chat
    )
    assert row == [("dec112", True, "de", "stopped")]


@pytest.mark.parametrize(
    ("headers", "body", "error"),
    [
        ((("Geolocation", "<cid:gone@x>"),), b"Hilfe", True),
        ((("Geolocation", "<https://lis.example/1>"),), b"Hilfe", False),
        ((), b"Hilfe", False),
    ],
)
async def test_a_location_that_is_not_there_is_answered_with_200_and_the_reason(
    gateway, record, headers, body, error
):
    async with RawSip(gateway.target()) as app:
        response = await app.exchange(Caller().start(body, headers=headers))
    assert response.status == 200
    expected = '100;code="Cannot Process Location"' if error else None
    assert (response.header("geolocation-error") or None) == expected


async def test_a_location_that_cannot_be_read_is_answered_with_200_and_the_reason(gateway):
    async with RawSip(gateway.target()) as app:
        response = await app.exchange(
            Caller().start(b"<presence", content_type="application/pidf+xml")
        )
    assert (response.status, response.header("geolocation-error")) == (
        200,
        '100;code="Cannot Process Location"',
    )
