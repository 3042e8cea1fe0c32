"""Bad input: an answer on the wire, a row in the record, no dead task, and others go on."""

import pytest

from tests.gateway.conftest import unexpected_errors
from tests.support.caller import Caller
from tests.support.eventually import eventually
from tests.support.rawsip import RawSip, make_message

SURROGATE = b"\xed\xa0\x80"
PIDF = "application/pidf+xml"


def multipart(*parts):
    """Return content type and body of parts given as (content type, bytes)."""
    body = b"".join(
        b"--B\r\nContent-Type: " + kind.encode() + b"\r\n\r\n" + content + b"\r\n"
        for kind, content in parts
    )
    return {"content_type": "multipart/mixed; boundary=B", "body": body + b"--B--\r\n"}


@pytest.fixture
async def app(gateway, record):
    """An app's socket; afterwards nothing has died and somebody else is still served."""
    starts, errors = gateway.starts, unexpected_errors(gateway.log())
    async with RawSip(gateway.target("tcp")) as socket, RawSip(gateway.target("udp")) as other:
        witness = Caller("UDP")
        assert (await other.exchange(witness.start("vorher"))).status == 200
        yield socket
        assert (await other.exchange(witness.say("nachher"))).status == 200
        await eventually(
            lambda: record.texts_in(witness.call_id) == ["vorher", "nachher"], "the other goes on"
        )
    assert gateway.is_running() and gateway.starts == starts
    assert unexpected_errors(gateway.log()) == errors


async def shown(app, record, caller, *requests, count=None):
    """Send all, each answered 200; returns the export once the last one is on the record."""
    for request in requests:
        assert (await app.exchange(request)).status == 200
    wanted = count or len(requests)
    await eventually(lambda: len(record.texts_in(caller.call_id)) == wanted, "all are shown")
    return record.export(record.chat_id(caller.call_id))


def flags(record, chat):
    found = record.rows(
        "SELECT flags FROM chats_message WHERE chat_id = %s AND direction = 'in' ORDER BY id",
        int(chat["id"]),
    )
    return [set(row[0]) for row in found]


def incoming(export):
    return [message for message in export["messages"] if message["direction"] == "in"]


@pytest.mark.conformance("6.1.2.2-3")
async def test_no_call_info_at_all_is_a_chat_of_its_own_marked_so(app, record):
    caller = Caller()
    text = f"Ohne alles {caller.unique_part}"
    for _ in range(2):
        answer = await app.exchange(make_message(body=text.encode(), from_uri=caller.uri))
        assert answer.status == 200
    found = "SELECT chat_id, flags FROM chats_message WHERE text = %s ORDER BY id"
    rows = await eventually(
        lambda: len(rows := record.rows(found, text)) == 2 and rows, "both are there"
    )
    assert rows[0][0] != rows[1][0]
    assert all("call-id-missing" in row[1] for row in rows)
    marked = record.rows("SELECT standalone, recovered FROM chats_chat WHERE id = %s", rows[0][0])
    assert marked == [(True, False)]


async def test_an_unknown_call_id_in_chat_is_recovered(app, record):
    caller = Caller()
    export = await shown(app, record, caller, caller.say("mitten drin"))
    assert export["session"] == "open"
    assert record.value("SELECT recovered FROM chats_chat WHERE id = %s", int(export["id"]))
    await app.until(lambda: bool(app.requests))  # greeted all the same


@pytest.mark.parametrize(
    ("msg_id", "flag"),
    [
        (None, "msg-id-missing"),
        ("eins", "msg-id-invalid"),
        (-1, "msg-id-invalid"),
        (2**63, "msg-id-invalid"),
        ("9" * 500, "msg-id-invalid"),
    ],
    ids=["missing", "word", "negative", "2^63", "endless"],
)
async def test_a_msg_id_that_is_none_is_left_out_and_flagged(app, record, msg_id, flag):
    caller = Caller()
    odd = caller.say("trotzdem", call_info=caller.info(259, msg_id))
    export = await shown(app, record, caller, odd)
    assert (incoming(export)[0]["msgId"], incoming(export)[0]["text"]) == (None, "trotzdem")
    assert flag in flags(record, export)[0]


async def test_the_greatest_msg_id_is_kept(app, record):
    caller = Caller()
    greatest = caller.say("groß", call_info=caller.info(259, 2**63 - 1))
    export = await shown(app, record, caller, greatest, caller.say("danach"))
    assert incoming(export)[0]["msgId"] == 2**63 - 1
    assert "out-of-order" in flags(record, export)[1]


@pytest.mark.parametrize(
    ("msg_type", "flag"),
    [(None, "msg-type-missing"), ("Start", "msg-type-invalid"), (2**40, "msg-type-invalid")],
)
async def test_a_type_that_is_none_is_in_chat_and_flagged(app, record, msg_type, flag):
    caller = Caller()
    odd = caller.say("trotzdem", call_info=caller.info(msg_type, 1))
    export = await shown(app, record, caller, odd)
    assert (incoming(export)[0]["type"], incoming(export)[0]["text"]) == (259, "trotzdem")
    assert flag in flags(record, export)[0]


async def test_an_unknown_type_is_stored_and_shown(app, record):
    caller = Caller()
    odd = caller.message(256, "Version eins, Art null")
    export = await shown(app, record, caller, odd)
    assert incoming(export)[0]["type"] == 256


@pytest.mark.conformance("6.1.2.7-5")
async def test_the_same_unique_part_from_somebody_else_is_a_separate_linked_chat(app, record):
    """Red when a chat is matched by its unique part alone: answers would go to the stranger."""
    caller = Caller()
    stranger = Caller(uri="sip:mallory@127.0.0.1:9", unique_part=caller.unique_part)
    await shown(app, record, caller, caller.start("Hilfe"))
    assert (await app.exchange(stranger.say("ich auch"))).status == 200
    await eventually(lambda: len(record.chat_ids(caller.call_id)) == 2, "there are two chats")
    first, second = record.chat_ids(caller.call_id)
    assert record.value("SELECT linked_to_id FROM chats_chat WHERE id = %s", second) == first
    assert record.export(first)["caller"]["uri"] == "sip:anna@127.0.0.1"
    assert [m["text"] for m in incoming(record.export(first))] == ["Hilfe"]


@pytest.mark.parametrize(
    "location",
    [
        b"<presence",
        b'<!DOCTYPE p [<!ENTITY a "b">]><presence>&a;</presence>',
        b"\xff\xfe\x00",
        b"<a>" * 3000,
    ],
    ids=["cut", "entity", "binary", "deep"],
)
async def test_broken_pidf_lo_costs_its_part_alone(app, record, location):
    caller = Caller()
    body = multipart((PIDF, location), ("text/plain;charset=utf-8", b"Hier!"))
    export = await shown(app, record, caller, caller.message(257, **body))
    assert (incoming(export)[0]["text"], export["locations"]) == ("Hier!", [])
    parts = incoming(export)[0]["parts"]
    assert [(p["contentType"], p["size"], p["flag"]) for p in parts] == [
        (PIDF, len(location), "unreadable"),
        ("text/plain", 5, ""),
    ]


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        (b"K\xfcche", "K\ufffdche"),
        (b"a" + SURROGATE + b"z", "a\ufffd\ufffd\ufffdz"),
    ],
    ids=["latin-1", "lone-surrogate"],
)
async def test_invalid_utf_8_is_shown_with_replacement_and_kept_raw(app, record, text, seen):
    caller = Caller()
    export = await shown(app, record, caller, caller.start(text))
    assert incoming(export)[0]["text"] == seen
    assert "invalid-text" in flags(record, export)[0]
    assert kept(record, export) == text


async def test_nul_is_shown_as_a_symbol_and_kept_raw(app, record):
    caller = Caller()
    export = await shown(app, record, caller, caller.start(b"a\0b"))
    assert incoming(export)[0]["text"] == "a␀b"
    assert kept(record, export) == b"a\0b"


def kept(record, export):
    """Return the content of the first part of a chat's first message."""
    return bytes(
        record.value(
            "SELECT p.content FROM chats_bodypart p JOIN chats_message m ON m.id = p.message_id"
            " WHERE m.chat_id = %s ORDER BY p.id LIMIT 1",
            int(export["id"]),
        )
    )


@pytest.mark.parametrize("header", ["Call-Info", "User-Agent", "Content-Language", "Subject"])
async def test_nul_and_surrogates_in_headers_harm_nothing(app, record, header):
    caller = Caller()
    odd = b"\r\n" + header.encode() + b': "\0' + SURROGATE + b'" <urn:x:\0>;a=\0\r\n\r\n'
    export = await shown(app, record, caller, caller.start("hier").replace(b"\r\n\r\n", odd, 1))
    assert incoming(export)[0]["text"] == "hier"


async def test_nul_in_the_callers_name_harms_nothing(app, record):
    caller = Caller()
    odd = caller.start("hier").replace(b"From: <", b'From: "An\0na" <')
    export = await shown(app, record, caller, odd)
    assert export["caller"]["displayName"] == "An\ufffdna"


async def test_right_to_left_script_and_emoji_are_shown_as_written(app, record):
    caller = Caller()
    texts = ["النجدة، حريق في المطبخ", "עזרה \u202eabc", "👩‍👩‍👧‍👦🏳️‍🌈🔥", "𐍈"]
    export = await shown(app, record, caller, caller.start(texts[0]), *map(caller.say, texts[1:]))
    assert [message["text"] for message in incoming(export)] == texts
