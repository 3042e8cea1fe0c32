"""A call-taker at a console and an app (ng112-js): what both do in most tests, what they see."""

from collections.abc import Callable
from typing import Any

from tests.support.instance import Instance
from tests.support.live_console import Frame, LiveConsole
from tests.support.ng112 import NgApp


def card_of(call: str, **wanted: Any) -> Callable[[Frame], bool]:
    """Return whether a frame brings the card of a call identifier, with these values."""

    def matches(frame: Frame) -> bool:
        card = frame.get("card") or {}
        return f":{call}:" in card.get("callId", "") and wanted.items() <= card.items()

    return matches


def text_with(text: str, status: str) -> Callable[[Frame], bool]:
    """Return whether a frame brings a text of ours in a state of its delivery."""

    def matches(frame: Frame) -> bool:
        message = frame.get("message")
        if not isinstance(message, dict):
            return False  # the reply to a command names the message by its id
        return (message["text"], message["status"]) == (text, status)

    return matches


def head_of(psap: Instance, call: str) -> str:
    """Return the header of the one message of a chat as the PSAP got it."""
    ((raw,),) = psap.rows(
        "SELECT raw FROM chats_journal WHERE position(%s::bytea in raw) > 0", call.encode()
    )
    return bytes(raw).partition(b"\r\n\r\n")[0].decode()


async def answered(app: NgApp, desk: LiveConsole, **given: Any) -> tuple[str, str]:
    """Start a chat and have the call-taker answer it; returns its call identifier and its id."""
    call = await app.start("Meine Küche brennt! 🔥", **given)
    opened = await desk.until(card_of(call))
    claimed = await desk.command("claim", chat=opened["chat"])
    assert claimed["ok"], claimed
    await app.becomes("started")
    return call, opened["chat"]


async def said(desk: LiveConsole, chat: str, text: str) -> None:
    """Have the call-taker write."""
    reply = await desk.command("send", chat=chat, text=text)
    assert reply["ok"], reply
