"""Bad input that is large, empty or repeated; the same four promises as in test_bad_input."""

import hashlib

from tests.gateway.test_bad_input import app, flags, incoming, multipart, shown  # noqa: F401
from tests.support.caller import Caller
from tests.support.eventually import eventually
from tests.support.rawsip import RawSip, make_message

MIB = 1024 * 1024


async def test_an_empty_multipart_of_content_length_0_is_a_sign_of_life(app, record):  # noqa: F811
    caller = Caller()
    empty = caller.message(260, b"", content_type="multipart/mixed; boundary=x")
    export = await shown(app, record, caller, empty)
    assert (incoming(export)[0]["type"], incoming(export)[0]["parts"]) == (260, [])


async def test_a_part_of_2_mib_is_kept_truncated_and_flagged(app, record):  # noqa: F811
    caller = Caller()
    image = b"\x89PNG" * (MIB // 2)
    body = multipart(("image/png", image), ("text/plain", b"Schau!"))
    export = await shown(app, record, caller, caller.message(259, **body))
    message = incoming(export)[0]
    assert message["text"] == "Schau!"
    assert message["parts"][0] == {
        "contentType": "image/png",
        "size": 2 * MIB,
        "sha256": hashlib.sha256(image).hexdigest(),
        "flag": "truncated",
    }
    stored = "SELECT octet_length(content) FROM chats_bodypart WHERE flag = 'truncated'"
    assert record.value(stored) == MIB
    record.verify(int(export["id"]))


async def test_17_mib_are_refused_with_413_and_the_connection_goes_on(app, record):  # noqa: F811
    caller = Caller()
    answer = await app.exchange(caller.say(b"x" * (17 * MIB)), within=30)
    assert answer.status == 413
    export = await shown(app, record, caller, caller.say("kürzer"))
    assert [message["text"] for message in incoming(export)] == ["kürzer"]


async def test_the_same_text_twice_without_msg_id_is_two_messages(app, record):  # noqa: F811
    """Red when a message is told apart by its text or MsgId instead of its request."""
    caller = Caller()
    twice = [caller.say("Hilfe", call_info=caller.info(259, None)) for _ in range(2)]
    export = await shown(app, record, caller, *twice)
    assert [message["text"] for message in incoming(export)] == ["Hilfe", "Hilfe"]


async def test_a_msg_id_again_in_a_new_request_is_stored_and_flagged(app, record):  # noqa: F811
    caller = Caller()
    info = caller.info(259, 7)
    texts = [caller.say(text, call_info=info) for text in ("eins", "zwei")]
    export = await shown(app, record, caller, *texts)
    assert flags(record, export)[1] == {"msg-id-repeated"}


async def test_a_stop_for_a_chat_that_has_ended_is_stored(app, record):  # noqa: F811
    caller = Caller()
    export = await shown(
        app, record, caller, caller.start("Hilfe"), caller.stop("Ende"), caller.stop("Wirklich")
    )
    assert (export["session"], export["endedBy"]) == ("stopped", "caller")
    assert [message["text"] for message in incoming(export)] == ["Hilfe", "Ende", "Wirklich"]
    stops = [event for event in export["events"] if event["kind"] == "session-stopped"]
    assert len(stops) == 1


async def test_a_retransmission_under_another_branch_is_stored_once(app, record):  # noqa: F811
    """What a proxy that restarted sends: the journal's key, not the transaction, knows it."""
    caller = Caller()
    fixed = {"from_tag": "t1", "call_id": caller.unique_part, "cseq": 7}
    info = caller.info(259, 1)
    again = [caller.say("einmal", call_info=info, **fixed) for _ in range(3)]
    export = await shown(app, record, caller, *again, count=1)
    assert [message["text"] for message in incoming(export)] == ["einmal"]


async def test_a_broken_multipart_keeps_what_there_is(app, record):  # noqa: F811
    caller = Caller()
    broken = caller.say(b"kein Trenner weit und breit", content_type="multipart/mixed; boundary=B")
    export = await shown(app, record, caller, broken)
    assert [part["flag"] for part in incoming(export)[0]["parts"]] == ["unsplittable"]


async def test_ten_thousand_headers_and_a_line_of_1_mib_are_refused(gateway, app):  # noqa: F811
    many = tuple(("X-Header", "x") for _ in range(2_000))
    answer = await app.exchange(make_message(headers=many))
    assert answer.status in (400, 413)
    async with RawSip(gateway.target("tcp")) as other:
        other.send(make_message(headers=(("X-Long", "x" * MIB),)))
        await other.closed()


async def test_a_message_that_says_nothing_of_its_caller_is_still_taken(app, record):  # noqa: F811
    caller = Caller()
    text = f"Wer bin ich? {caller.unique_part}"
    odd = caller.start(text)
    odd = odd.replace(f"<{caller.uri}>".encode(), b"<:::>")
    assert (await app.exchange(odd)).status == 200
    await eventually(lambda: record.texts_in(caller.call_id) == [text], "it is shown")
