"""A chat that a peer hands over to us, step by step, with a clock of its own.

The peer interface, the gateway and the app are played by calling the services as those do.
"""

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from chats.models import Chat, ChatEvent, Message, OutboxEntry, Transfer
from chats.services.chain import CALLER, append_event
from chats.services.transfers.arriving import receive_execution
from chats.services.transfers.history import HandedChat, HandedMessage
from chats.services.transfers.offers import (
    NegotiationAnswer,
    accept_offer,
    answer_of,
    make_offer,
)
from chats.services.transfers.settle import settle_due_transfers
from chats.services.verify_chat import verify_chat
from psap.models import Peer, User
from tests.support.chats import make_psap, receive_message

OWN = "sip:psap@example.org"
FROM = "sip:psap-a@a.example.org"
CALL_ID = "urn:emergency:uid:callid:comingcall:bcf.example.org"
APP = "sip:anna@example.org"
START = datetime(2026, 1, 31, 13, 0, 0, tzinfo=UTC)
ARRIVAL_TEXT = "Sie sind jetzt in Wien."


def make_transferor(**values: Any) -> Peer:
    """Return a peer that hands chats over to us."""
    return Peer.objects.create(**{"name": "A", "uris": FROM} | values)


def handed_message(number: int, **values: Any) -> HandedMessage:
    """Return a message of the app as the transferor knows it."""
    message = HandedMessage(
        id=f"sip:{number:032x}",
        direction="in",
        type=259,
        msg_id=number,
        text=f"text {number}",
        role="caller",
        psap=FROM,
        at=START - timedelta(seconds=300 - number),
        status="received",
        sip_status=None,
    )
    return replace(message, **values)


def handed_chat(*messages: HandedMessage, **values: Any) -> HandedChat:
    """Return a chat as the transferor knows it, with two texts when none are given."""
    chat = HandedChat(
        app_uri=APP,
        caller_uri=APP,
        asserted_uri="",
        display_name="Anna",
        language="de",
        user_agent="app/1",
        dialect="",
        service="urn:service:sos",
        priority="esnet.1",
        silent=False,
        test=False,
        opened_at=START - timedelta(seconds=300),
        last_sign_of_life=START - timedelta(seconds=2),
        last_caller_text=START - timedelta(seconds=30),
        last_in_msg_id=2,
        psaps=({"uri": FROM, "name": "A", "from": "2026-01-31T12:55:00.000000Z"},),
        messages=messages or (handed_message(1), handed_message(2)),
    )
    return replace(chat, **values)


class Coming:
    """What a peer offers us, and everybody who takes part."""

    def __init__(self, **peer: Any) -> None:
        make_psap(public_uri=OWN, arrival_text=ARRIVAL_TEXT)
        self.peer = make_transferor(**peer)
        self.now = START
        self.transfer_id = 0

    # what is on the record

    @property
    def transfer(self) -> Transfer:
        return Transfer.objects.get(pk=self.transfer_id)

    @property
    def state(self) -> str:
        return self.transfer.state

    @property
    def chat(self) -> Chat:
        return Chat.objects.get(transfers=self.transfer_id)

    @property
    def start(self) -> Message:
        """Our start|transfer/265."""
        return Message.objects.get(pk=self.transfer.start_message_id)

    def kinds(self) -> list[str]:
        events = ChatEvent.objects.filter(chat=self.chat).order_by("seq")
        return list(events.values_list("kind", flat=True))

    def event(self, kind: str) -> ChatEvent:
        """Return the latest event of a kind."""
        return ChatEvent.objects.filter(chat=self.chat, kind=kind).latest("seq")

    def answer(self) -> NegotiationAnswer | None:
        return answer_of(self.transfer, self.now)

    def holds(self) -> None:
        """Fail unless the chat's record verifies."""
        assert verify_chat(chat_id=self.chat.pk).broken is None

    # what happens

    def later(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def ask(self, **values: Any) -> Transfer:
        """Have the peer ask whether we take the chat."""
        asked = {"call_id": CALL_ID, "transfer_from": FROM, "transfer_to": OWN, "reason": "sea"}
        offer = make_offer(**{"peer": self.peer, "now": self.now} | asked | values)
        self.transfer_id = offer.pk or 0
        return offer

    def accept(self, call_taker: User) -> Transfer:
        return accept_offer(transfer_id=self.transfer_id, call_taker=call_taker, now=self.now)

    def execute(
        self, handed: HandedChat | None = None, *, body: bytes = b"body", **values: Any
    ) -> int:
        """Have the peer execute the transfer."""
        asked = {"call_id": CALL_ID, "last_msg_id": 7, "expiry": 20, "peer": self.peer}
        return receive_execution(
            **{"chat": handed, "body_sha256": hashlib.sha256(body).digest(), "now": self.now}
            | asked
            | values
        )

    def answered(self, sip_status: int | None, status: str = "delivered") -> None:
        """Have the app, or silence, answer our 265."""
        Message.objects.filter(pk=self.start.pk).update(status=status, sip_status=sip_status)
        OutboxEntry.objects.filter(message_id=self.start.pk).update(attempts=1, tried_at=self.now)

    def writes(self, text: str, msg_type: int = 259) -> None:
        """Have the app write to us, as the gateway puts it on the record."""
        chat = self.chat
        receive_message(chat, text, msg_id=9, at=self.now, msg_type=msg_type)
        stops = msg_type == 258
        values = {"ended_by": "caller", "ended_at": self.now} if stops else {}
        Chat.objects.filter(pk=chat.pk).update(session="stopped" if stops else "open", **values)
        if stops:
            append_event(
                chat_id=chat.pk,
                kind="session-stopped",
                at=self.now,
                actor=CALLER,
                data={"endedBy": "caller"},
            )

    def settle(self, after: float = 0) -> int:
        """Have the gateway look at all transfers, some seconds later."""
        self.later(after)
        return settle_due_transfers(now=self.now, listening_since=START)
