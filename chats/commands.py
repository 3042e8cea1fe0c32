"""Commands of a console: parsed, authorised, done once, answered. docs/live.md describes them."""

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils import timezone

from chats import access
from chats.selectors import EventBatch, missed_events
from chats.services.call_back import call_back
from chats.services.claim_chat import claim_chat
from chats.services.close_chat import close_chat
from chats.services.errors import ChatAlreadyOwned, ChatError
from chats.services.fetch_reference import fetch_reference
from chats.services.receipts import Reply, run_once
from chats.services.redirect_chat import redirect_chat
from chats.services.release_chat import release_chat
from chats.services.report_source import report_source
from chats.services.send_text import send_text
from chats.services.take_back import take_back
from chats.services.transfers.attempts import is_under_way
from chats.services.transfers.call_off import call_off
from chats.services.transfers.handing_over import hand_over
from chats.services.transfers.offers import accept_offer, decline_offer
from chats.services.transfers.request import request_transfer
from psap.models import User

logger = logging.getLogger(__name__)

LONGEST_ID = 64
LONGEST_FRAME = 200_000
LARGEST_CHAT_ID = 2**63 - 1


class CommandError(Exception):
    """A command that reached no service; `re` is its id as far as it could be read."""

    def __init__(self, code: str, detail: str, re: str | None = None) -> None:
        self.code, self.detail, self.re = code, detail, re
        super().__init__(detail)


@dataclass(frozen=True, slots=True)
class Command:
    """One frame of a console: `do`, the client's id (empty for a pong) and its whole content."""

    id: str
    do: str
    content: Mapping[str, Any]

    @property
    def names_chat(self) -> bool:
        """Whether it is about one chat."""
        return self.do in SERVICES and self.do not in OF_OFFERS

    @property
    def chat_id(self) -> int:
        """The chat that it is about; raises CommandError."""
        return self.number("chat")

    def number(self, name: str) -> int:
        """Return an id of the content; raises CommandError."""
        return chat_id_of(self.content.get(name), self.id, name)

    def text(self, name: str, default: str | None = None) -> str:
        """Return a text of the content; raises CommandError."""
        value = self.content.get(name, default)
        if not isinstance(value, str):
            raise CommandError("bad-request", f"{name} is missing or no text.", self.id)
        return value


def parse_command(frame: str | None) -> Command:
    """Read a frame; raises CommandError `bad-request`."""
    try:
        content = json.loads(frame or "") if len(frame or "") <= LONGEST_FRAME else None
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise CommandError("bad-request", "This is no JSON object of a command.")
    do, command_id = content.get("do"), content.get("id")
    if do == "pong":
        return Command("", "pong", content)
    if not _is_id(command_id):
        raise CommandError("bad-request", "A command needs an id of 1 to 64 characters.")
    if not isinstance(do, str):
        raise CommandError("bad-request", "A command needs a do.", command_id)
    return Command(command_id, do, content)


def _is_id(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= LONGEST_ID and value.isprintable()


def chat_id_of(value: object, re: str, name: str = "chat") -> int:
    """Read a chat's or other row's id, a string of digits; raises CommandError `bad-request`."""
    digits = str(value) if type(value) in (str, int) else ""
    if digits.isascii() and digits.isdigit() and len(digits) <= 19:
        return min(int(digits), LARGEST_CHAT_ID)
    raise CommandError("bad-request", f"{name} is missing or no id.", re)


def authorise(session_key: str | None, command: Command) -> User:
    """Return who gives a command; raises SessionEnded, CommandError."""
    user = access.session_user(session_key)
    if command.do not in access.COMMANDS:
        raise CommandError("unknown-command", f"There is no command {command.do!r}.", command.id)
    if command.do not in access.commands_of(access.roles_of(user)):
        raise CommandError("forbidden", "Your role may not do that.", command.id)
    return user


def execute(session_key: str | None, command: Command) -> Reply:
    """Authorise a command, run its service at most once, return the reply."""
    user, now = authorise(session_key, command), timezone.now()
    serve = SERVICES[command.do]
    reply = run_once(
        user=user, command=command.content, now=now, action=lambda: serve(command, user, now)
    )
    return {"re": command.id, "ok": True, **reply}


def catch_up(session_key: str | None, command: Command) -> EventBatch:
    """Authorise a catch-up and read what its console has missed."""
    authorise(session_key, command)
    seen = command.content.get("seen")
    if not isinstance(seen, dict) or not all(type(seq) is int for seq in seen.values()):
        raise CommandError("bad-request", "seen is no object of chat and seq.", command.id)
    return missed_events(
        {chat_id_of(chat, command.id): min(max(seq, 0), 2**31 - 1) for chat, seq in seen.items()}
    )


def refusal(error: Exception, re: str | None) -> Reply:
    """Map an error to the reply that a console gets: the one such place.

    What is no refusal is logged and leaves the outcome open, such as a lost database.
    """
    if isinstance(error, CommandError | ChatError):
        reply = {"re": re, "ok": False, "code": error.code, "detail": error.detail}
        if isinstance(error, ChatAlreadyOwned):
            reply["owner"] = {"username": error.owner, "name": error.owner_name}
        return reply
    logger.error("a command failed: %s", error, exc_info=error)
    detail = "The outcome is not known; repeat the command with the same id."
    return {"re": re, "ok": False, "code": "unavailable", "detail": detail}


def _claim(command: Command, user: User, now: datetime) -> Reply:
    claim_chat(chat_id=command.chat_id, call_taker=user, now=now)
    return {}


def _release(command: Command, user: User, now: datetime) -> Reply:
    release_chat(chat_id=command.chat_id, call_taker=user, now=now)
    return {}


def _send(command: Command, user: User, now: datetime) -> Reply:
    message = send_text(
        chat_id=command.chat_id, call_taker=user, text=command.text("text"), now=now
    )
    return {"message": str(message.pk)}


def _close(command: Command, user: User, now: datetime) -> Reply:
    close_chat(
        chat_id=command.chat_id,
        call_taker=user,
        disposition=command.text("disposition"),
        text=command.text("text", ""),
        now=now,
    )
    return {}


def _fetch_reference(command: Command, user: User, now: datetime) -> Reply:
    reference = command.number("reference")
    fetch_reference(chat_id=command.chat_id, reference_id=reference, call_taker=user, now=now)
    return {}


def _report_source(command: Command, user: User, now: datetime) -> Reply:
    report = report_source(
        chat_id=command.chat_id, call_taker=user, reason=command.text("reason", ""), now=now
    )
    return {"report": str(report.pk)}


def _redirect(command: Command, user: User, now: datetime) -> Reply:
    redirect_chat(
        chat_id=command.chat_id,
        call_taker=user,
        peer_id=command.number("peer"),
        text=command.text("text", ""),
        override=command.content.get("override") is True,
        now=now,
    )
    return {}


def _call_back(command: Command, user: User, now: datetime) -> Reply:
    message = call_back(
        chat_id=command.chat_id, call_taker=user, text=command.text("text"), now=now
    )
    return {"message": str(message.pk)}


def _transfer(command: Command, user: User, now: datetime) -> Reply:
    transfer = request_transfer(
        chat_id=command.chat_id,
        call_taker=user,
        peer_id=command.number("peer"),
        reason=command.text("reason", ""),
        text=command.text("text", ""),
        override=command.content.get("override") is True,
        at_once=command.content.get("atOnce") is not False,
        now=now,
    )
    return {"transfer": str(transfer.pk)}


def _hand_over(command: Command, user: User, now: datetime) -> Reply:
    hand_over(chat_id=command.chat_id, call_taker=user, now=now)
    return {}


def _take_back(command: Command, user: User, now: datetime) -> Reply:
    # Either service refuses what has ended meanwhile.
    keep = call_off if is_under_way(command.chat_id) else take_back
    keep(chat_id=command.chat_id, call_taker=user, now=now)
    return {}


def _accept_offer(command: Command, user: User, now: datetime) -> Reply:
    accept_offer(transfer_id=command.number("offer"), call_taker=user, now=now)
    return {}


def _decline_offer(command: Command, user: User, now: datetime) -> Reply:
    decline_offer(
        transfer_id=command.number("offer"),
        call_taker=user,
        reason=command.text("reason", ""),
        now=now,
    )
    return {}


SERVICES: Mapping[str, Callable[[Command, User, datetime], Reply]] = {
    "claim": _claim,
    "release": _release,
    "send": _send,
    "close": _close,
    "redirect": _redirect,
    "transfer": _transfer,
    "hand-over": _hand_over,
    "take-back": _take_back,
    "call-back": _call_back,
    "fetch-reference": _fetch_reference,
    "report-source": _report_source,
    "accept-offer": _accept_offer,
    "decline-offer": _decline_offer,
}
OF_OFFERS = ("accept-offer", "decline-offer")
