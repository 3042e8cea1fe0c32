"""Calling back: the PSAP writes anew to a caller whose session has ended (clause 6.1.2.5)."""

import pytest

from chats.services.errors import NoCallBack
from sipgateway.simulator import lmpe
from tests.support.caller import Caller, kind_of
from tests.support.eventually import eventually
from tests.support.rawsip import RawSip


def session_of(record, chat: int) -> str:
    return record.value("SELECT session FROM chats_chat WHERE id = %s", chat)


@pytest.mark.conformance("6.1.2.5-4")
async def test_a_caller_who_has_left_is_called_back_with_esnet_0(gateway, record):
    caller = Caller()
    async with RawSip(gateway.target()) as app:
        await app.exchange(caller.start())
        await app.until(lambda: bool(app.requests))
        chat = await eventually(lambda: record.chat_id(caller.call_id), "the chat is there")
        record.claim(chat)
        await app.exchange(caller.stop())
        await eventually(lambda: session_of(record, chat) == "stopped", "it has ended")
        record.call_back(chat, "Are you safe?")
        await app.until(lambda: any(b"safe" in request.body for request in app.requests))
        record.send(chat, "Please answer.")
        await app.until(lambda: any(b"Please" in request.body for request in app.requests))

    calls = [request for request in app.requests if kind_of(request) != lmpe.HEARTBEAT]
    assert [(kind_of(r), r.header("resource-priority")) for r in calls] == [
        (lmpe.START, "esnet.1"),
        (lmpe.START, "esnet.0"),
        (lmpe.IN_CHAT, "esnet.1"),
    ]
    assert session_of(record, chat) == "open"
    record.verify(chat)


async def test_an_open_chat_and_one_that_is_closed_out_are_not_called_back(gateway, record):
    caller = Caller()
    async with RawSip(gateway.target()) as app:
        await app.exchange(caller.start())
        chat = await eventually(lambda: record.chat_id(caller.call_id), "the chat is there")
        record.claim(chat)
        with pytest.raises(NoCallBack):
            record.call_back(chat, "Hello?")
        record.close_chat(chat)
        with pytest.raises(NoCallBack):
            record.call_back(chat, "Hello?")
