"""A chat that is transferred away, step by step, with a clock of its own.

The worker, the gateway and the app are played by calling the services as those do.
"""

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import transaction

from chats.models import Chat, ChatEvent, Message, Relay, Transfer
from chats.services.chain import CALLER, SYSTEM, append_event
from chats.services.claim_chat import claim_chat
from chats.services.outbox import queue_message
from chats.services.transfers.calls import DueCall, claim_calls
from chats.services.transfers.executed import record_snapshot
from chats.services.transfers.handing_over import hand_over
from chats.services.transfers.negotiated import record_agreed
from chats.services.transfers.request import request_transfer
from chats.services.transfers.settle import settle_due_transfers
from chats.services.verify_chat import verify_chat
from psap.models import Peer, User
from tests.support.chats import make_psap, open_chat, receive_message

TARGET = "sip:psap-b@b.example.org"
WORKER = "worker"
START = datetime(2026, 1, 31, 13, 0, 0, tzinfo=UTC)
_journal = itertools.count(5_000_000)


def make_peer(**values: Any) -> Peer:
    """Return a peer that takes transfers."""
    values = {"name": "B", "uris": TARGET, "url": "https://b.example.org/"} | values
    return Peer.objects.create(**values)


class Leaving:
    """A chat of `owner`, our transfer of it to `peer`, and everybody who takes part."""

    def __init__(self, owner: User, *texts: str, **chat: Any) -> None:
        make_psap(transfer_text="Bitte warten.", arrival_text="Wir sind wieder da.")
        self.peer = make_peer()
        self.owner = owner
        self.now = START
        self.transfer_id = 0
        opened = open_chat(*(texts or ("help",)), **chat)
        self.chat_id = opened.pk
        claim_chat(chat_id=opened.pk, call_taker=owner, now=self.now)
        with transaction.atomic():
            greeting = queue_message(
                chat=self.chat, msg_type=257, text="What happened?", author=None, now=self.now
            )
        self.acknowledge(greeting)

    # what is on the record

    @property
    def chat(self) -> Chat:
        return Chat.objects.get(pk=self.chat_id)

    @property
    def transfer(self) -> Transfer:
        return Transfer.objects.get(pk=self.transfer_id)

    @property
    def state(self) -> str:
        return self.transfer.state

    def kinds(self) -> list[str]:
        events = ChatEvent.objects.filter(chat=self.chat_id).order_by("seq")
        return list(events.values_list("kind", flat=True))

    def event(self, kind: str) -> ChatEvent:
        """Return the latest event of a kind."""
        return ChatEvent.objects.filter(chat=self.chat_id, kind=kind).latest("seq")

    def ours(self, *types: int) -> list[tuple[int, int | None, str]]:
        """Return type, MsgId and status of our messages of those types, oldest first."""
        rows = Message.objects.filter(chat=self.chat_id, direction="out", type__in=types)
        return list(rows.order_by("pk").values_list("type", "msg_id", "status"))

    def relayed(self) -> list[str]:
        """Return the texts that go on to another PSAP, in order."""
        relays = Relay.objects.filter(chat=self.chat_id).order_by("message_id")
        return list(relays.values_list("message__text", flat=True))

    def holds(self) -> None:
        """Assert that the chain of the record is whole."""
        assert verify_chat(chat_id=self.chat_id).broken is None

    # the call-taker

    def request(self, *, at_once: bool = True, **values: Any) -> Transfer:
        arguments: dict[str, Any] = {
            "chat_id": self.chat_id,
            "call_taker": self.owner,
            "peer_id": self.peer.pk,
            "reason": "sea rescue",
            "text": "",
            "override": False,
            "at_once": at_once,
            "now": self.now,
        }
        transfer = request_transfer(**arguments | values)
        self.transfer_id = transfer.pk
        return transfer

    def hand_over(self) -> Transfer:
        return hand_over(chat_id=self.chat_id, call_taker=self.owner, now=self.now)

    # time, the gateway

    def later(self, seconds: float) -> datetime:
        self.now += timedelta(seconds=seconds)
        return self.now

    def sweep(self, listening_since: datetime = START) -> int:
        return settle_due_transfers(now=self.now, listening_since=listening_since)

    # the app

    def stop_message(self) -> Message:
        return Message.objects.filter(chat=self.chat_id, direction="out", type=266).latest("pk")

    def start_message(self) -> Message:
        return Message.objects.filter(chat=self.chat_id, direction="out", type=265).latest("pk")

    @transaction.atomic
    def outcome(self, message: Message, status: str, sip_status: int | None = None) -> None:
        """Put the outcome of a message of ours on the record, as the gateway does."""
        entry = message.outbox
        entry.attempts, entry.tried_at = entry.attempts + 1, self.now
        entry.save(update_fields=["attempts", "tried_at"])
        Message.objects.filter(pk=message.pk).update(status=status, sip_status=sip_status)
        append_event(
            chat_id=self.chat_id,
            kind="delivery-changed",
            at=self.now,
            actor=SYSTEM,
            message_id=message.pk,
            data={"status": status, "sipStatus": sip_status, "cause": ""},
        )

    def acknowledge(self, message: Message, sip_status: int = 200) -> None:
        self.outcome(message, "delivered", sip_status)

    def receive(self, text: str, msg_type: int = 259) -> Message:
        """Let the app write to us; it has come through our journal."""
        message = receive_message(self.chat, text, at=self.now, msg_type=msg_type)
        message.journal_id = next(_journal)
        message.save(update_fields=["journal_id"])
        return message

    @transaction.atomic
    def app_stops(self) -> None:
        """Let the app end the chat, as the projection writes it: a stop after our 266 is held."""
        self.receive("", msg_type=258)
        if self.chat.session == "transferring":
            return
        Chat.objects.filter(pk=self.chat_id).update(
            session="stopped", ended_by="caller", ended_at=self.now
        )
        append_event(
            chat_id=self.chat_id,
            kind="session-stopped",
            at=self.now,
            actor=CALLER,
            data={"endedBy": "caller"},
        )

    @transaction.atomic
    def app_begins_anew(self) -> None:
        """Let the app start here again, as the projection writes it."""
        self.receive("help again", msg_type=257)
        chat = self.chat
        chat.session, chat.ended_by, chat.ended_at = "open", None, None
        if chat.disposition is not None:
            chat.disposition = chat.closed_at = chat.owner = None
            chat.ringing_since = self.now
        chat.next_msg_id += 1
        chat.save(
            update_fields=[
                "session", "ended_by", "ended_at", "disposition", "closed_at", "owner",
                "ringing_since", "next_msg_id",
            ]
        )  # fmt: skip
        append_event(
            chat_id=self.chat_id, kind="session-reopened", at=self.now, actor=CALLER, data={}
        )

    # the worker

    def claim(self, holder: str = WORKER) -> list[DueCall]:
        return claim_calls(holder=holder, now=self.now, most=10)

    def agree(self, expiry: int = 60) -> None:
        record_agreed(transfer_id=self.transfer_id, expiry=expiry, now=self.now)

    def snapshot(self, body: bytes = b"{}") -> bytes | None:
        return record_snapshot(
            transfer_id=self.transfer_id, write=lambda transfer: body, now=self.now
        )

    # ways to a state

    def stalling(self) -> "Leaving":
        self.request()
        self.claim()
        self.agree()
        return self

    def asking(self) -> "Leaving":
        """Until the worker is to ask for the execution."""
        self.stalling()
        self.acknowledge(self.stop_message())
        self.sweep()
        return self

    def executing(self, body: bytes = b"{}") -> "Leaving":
        """Until the worker has the body of the execution in its hands."""
        self.asking()
        self.claim()
        assert self.snapshot(body) == body
        return self
