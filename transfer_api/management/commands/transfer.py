"""`manage.py transfer CALLID PEER`: what the console's button does, step by step."""

import json
import time
from argparse import ArgumentParser
from collections.abc import Iterator, Mapping
from datetime import UTC
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from chats.models import UNDER_WAY, Chat, ChatEvent, Transfer, TransferState
from chats.selectors import chats_named
from chats.services.errors import ChatError
from chats.services.transfers.request import request_transfer
from transfer_api.management.commands.peer import find_peer

FAILED, BAD_ARGUMENTS = 1, 2
LOOK_EVERY = 0.05
# So long nobody calls the peer before we say that the worker may be away.
PATIENCE_WITH_WORKER = 3.0
WORDS: Mapping[str, str] = {
    "transfer-requested": "asking {peer} ({target})",
    "transfer-accepted": "accepted, for {expiryTime} s",
    "transfer-declined": "declined",
    "transfer-cancelled": "called off: {cause}",
    "transfer-expired": "what was accepted has expired",
    "chat-transferring": "the app is told to wait: stop|transfer/266",
    "transfer-stalled": "the app waits",
    "transfer-executing": "handing over, last MsgId {messageId}",
    "custody-uncertain": "custody is uncertain: {cause}",
    "chat-transferred": "transferred to {target}",
    "transfer-failed": "failed: {cause}",
    "custody-settled": "custody is settled with {with}",
}


class Command(BaseCommand):
    help = (
        "Transfer a chat to a peer, and print each step as it happens. "
        "Exit 0: transferred, 1: not, 2: bad arguments."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "call_id", metavar="CALLID", help="unique part, call identifier (URN) or #ID"
        )
        parser.add_argument("peer", metavar="PEER", help="name of the peer")
        parser.add_argument("--reason", default="", help="what the peer is told")
        parser.add_argument(
            "--override", action="store_true", help="although the app is known to end its chat then"
        )
        parser.add_argument("--json", action="store_true", help="print one JSON object a step")

    def handle(self, *args: Any, **options: Any) -> None:
        self._json, self._began = options["json"], time.monotonic()
        chat, peer = _find_chat(options["call_id"]), find_peer(options["peer"])
        seen = chat.head_seq
        try:
            transfer = request_transfer(
                chat_id=chat.pk,
                call_taker=None,
                peer_id=peer.pk,
                reason=options["reason"],
                text="",
                override=options["override"],
                at_once=True,
                now=timezone.now(),
            )
        except ChatError as error:
            raise CommandError(error.detail, returncode=FAILED) from error
        try:
            ended = self._follow(transfer.pk, chat.pk, seen)
        except KeyboardInterrupt:
            message = "The transfer goes on without being watched."
            raise CommandError(message, returncode=FAILED) from None
        if ended.state != TransferState.DONE:
            words = f"Not transferred ({ended.state}): {ended.cause or 'no reason was given'}"
            raise CommandError(words, returncode=FAILED)

    def _follow(self, transfer_id: int, chat_id: int, seen: int) -> Transfer:
        """Print the steps of a transfer until it has ended."""
        warned = False
        while True:
            # The row first: an event that comes in between is seen in the next turn.
            transfer = Transfer.objects.defer("execution").get(pk=transfer_id)
            for event in _events(transfer_id, chat_id, seen):
                seen = event.seq
                self._tell(event)
            if transfer.state not in UNDER_WAY:
                return transfer
            waited = time.monotonic() - self._began
            if transfer.attempts == 0 and waited > PATIENCE_WITH_WORKER and not warned:
                if transfer.state == TransferState.NEGOTIATING:
                    self.stderr.write("note: nobody has asked the peer yet; is the worker running?")
                warned = True
            time.sleep(LOOK_EVERY)

    def _tell(self, event: ChatEvent) -> None:
        seconds = round(time.monotonic() - self._began, 3)
        if self._json:
            at = event.at.astimezone(UTC).isoformat().replace("+00:00", "Z")
            step = {"step": event.kind, "seconds": seconds, "at": at, "data": event.data}
            self.stdout.write(json.dumps(step, ensure_ascii=False))
        else:
            words = WORDS[event.kind].format_map(_Said(event.data))
            self.stdout.write(f"{seconds:7.2f} s  {words}")
        self.stdout.flush()


class _Said(dict[str, Any]):
    """What an event says; what it does not say is a dash."""

    def __missing__(self, key: str) -> str:
        return "-"


def _events(transfer_id: int, chat_id: int, seen: int) -> Iterator[ChatEvent]:
    events = ChatEvent.objects.filter(chat=chat_id, seq__gt=seen, kind__in=WORDS)
    yield from events.filter(data__transfer=str(transfer_id)).order_by("seq")


def _find_chat(name: str) -> Chat:
    found = chats_named(name)
    if not found:
        raise CommandError(f"There is no chat {name}.", returncode=BAD_ARGUMENTS)
    if len(found) > 1:
        numbers = ", ".join(f"#{chat.pk}" for chat in found)
        message = f"{name} is the name of several chats: {numbers}."
        raise CommandError(message, returncode=BAD_ARGUMENTS)
    return found[0]
