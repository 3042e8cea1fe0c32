"""A chat that goes to and fro between two PSAPs whose records are in one database.

to_and_fro = ToAndFro(anna, chat)      # the chat is with its first PSAP
to_and_fro.pass_on()                   # … with the second one
to_and_fro.pass_on()                   # … back with the first

Each PSAP has a chat of its own; the one that is not concerned hides behind another name.
"""

import itertools
import json
from typing import Any

from django.utils import timezone

from chats import exports, selectors
from chats.models import BodyPart, Chat, Message, Reference, Transfer
from chats.services.incoming import IncomingFix
from chats.services.outbox import queue_message
from chats.services.references import claim_references, record_data, record_location
from chats.services.transfers.fetches import claim_fetches, record_fetched
from chats.services.verify_chat import verify_chat
from psap.models import User
from tests.support.coming import CALL_ID, FROM, OWN, Coming
from transfer_api.profile.reader import read_data
from transfer_api.profile.writer import write_execution

CALL = {"unique_part": "comingcall", "element": "bcf.example.org", "call_id": CALL_ID}
_hidden = itertools.count(1)


class ToAndFro:
    """The chat where it is (`here`), where it was before (`there`), and what was handed over."""

    def __init__(self, call_taker: User, chat: Chat) -> None:
        self.coming = Coming()
        self.coming.now = timezone.now()
        self._call_taker = call_taker
        self.here, self.there = chat, chat
        self.handed: dict[str, Any] = {}  # as it stood at whom the chat was with before
        self._turn = 0

    def pass_on(self, **data: Any) -> Chat:
        """Have the other PSAP take the chat over; returns its chat. `data` changes what is sent."""
        coming, giver, taker = self.coming, self.here, self.there
        Chat.objects.filter(pk=giver.pk).update(unique_part="comingcall", session="transferring")
        body = json.loads(self._written(giver))
        body["Data"] |= data
        self.handed = content_of(giver)
        Chat.objects.filter(pk=giver.pk).update(
            unique_part=f"elsewhere{next(_hidden)}", session="transferred", gone_to=FROM
        )
        if taker != giver:
            Chat.objects.filter(pk=taker.pk).update(unique_part="comingcall", gone_to=FROM)
        handed = read_data(body["Data"], received_at=coming.now, peer_uris=[FROM])
        coming.ask()
        coming.accept(self._call_taker)
        coming.execute(handed, body=json.dumps(body).encode(), last_msg_id=10 + 2 * self._turn)
        coming.answered(200)
        coming.settle(1)
        assert (coming.state, coming.chat.session) == ("done", "open")
        assert taker == giver or coming.chat == taker
        self.here, self.there = coming.chat, giver
        self._turn += 1
        return self.here

    def _written(self, chat: Chat) -> bytes:
        now = self.coming.now
        stop = queue_message(
            chat=Chat.objects.get(pk=chat.pk), msg_type=266, text="Moment.", author=None, now=now
        )
        Message.objects.filter(pk=stop.pk).update(status="delivered", sip_status=200)
        given = Transfer.objects.create(
            side="out", state="done", peer=self.coming.peer, peer_name="A", chat=chat,
            call_id=CALL_ID, stop_message=stop, transfer_from=FROM, transfer_to=OWN,
            requested_at=now, executed_at=now,
        )  # fmt: skip
        return write_execution(given)

    # what is fetched meanwhile, as the worker's errands write it

    def fetch_location(self, *fixes: IncomingFix, chat: Chat | None = None) -> None:
        """Get an answer to every location that the chat names and nobody has fetched."""
        for due in self._due("location", chat or self.here):
            assert record_location(due=due, fixes=fixes, http_status=200, now=self.coming.now)

    def fetch_data(self, *blocks: tuple[str, dict[str, Any]]) -> None:
        for due in self._due("additional-data", self.here):
            assert record_data(due=due, blocks=blocks, http_status=200, now=self.coming.now)

    def fetch_attachment(self, content: bytes) -> int:
        """Get an attachment by its link; returns how many links were waiting for it."""
        waiting = [d for d in claim_fetches(now=self.coming.now, most=99) if d.fits(content)]
        for due in waiting:
            assert record_fetched(due=due, content=content, now=self.coming.now)
        return len(waiting)

    def _due(self, kind: str, chat: Chat) -> list[Any]:
        others = Reference.objects.exclude(chat=chat)
        kept = dict(others.values_list("pk", "status"))
        others.update(status="failed")  # the other PSAP's worker is not ours
        due = claim_references(now=self.coming.now, most=99, per_host=99, busy={})
        for pk, status in kept.items():
            Reference.objects.filter(pk=pk).update(status=status)
        found = [one for one in due if one.kind == kind]
        Reference.objects.filter(pk__in={one.id for one in due} - {one.id for one in found}).update(
            lease_until=None
        )
        return found


def content_of(chat: Chat) -> dict[str, list[Any]]:
    """What `exportchat` prints of a chat's content, without whose record it is, and all bytes."""
    record = exports.record(selectors.conversation(chat.pk))
    json.dumps(record)
    beside = ("author", "psap")
    parts = BodyPart.objects.filter(message__chat=chat).order_by("message_id", "position")
    return {
        "messages": [
            {name: value for name, value in one.items() if name not in beside}
            for one in record["messages"]
        ],
        "locations": record["locations"],
        "additionalData": record["additionalData"],
        "attachments": [
            (bytes(part.sha256).hex(), None if part.content is None else bytes(part.content))
            for part in parts
        ],
        "notes": [(one["at"], one["text"]) for one in record["notes"]],
    }


def assert_same(record: dict[str, list[Any]], chat: Chat) -> None:
    """Fail unless a chat has what another PSAP's record had, and its own 265 behind that."""
    found = content_of(chat)
    *messages, start = found["messages"]
    assert start["type"] == 265
    assert messages == record["messages"]
    assert {**found, "messages": messages} == record
    broken = verify_chat(chat_id=chat.pk).broken
    assert broken is None, broken
