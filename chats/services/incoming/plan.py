"""Turning messages of locked chats into rows and events, in memory.

The second of two passes, because primary keys are drawn between them: `decisions` runs the session
machine and tells how many messages there will be, here the rows are made once keys are known.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from chats.models import (
    DeliveryStatus,
    Direction,
    Disposition,
    EndedBy,
    Liveness,
    RelayStatus,
    Session,
)
from chats.services.batch import EventRows
from chats.services.chain import CALLER, SYSTEM
from chats.services.identifiers import new_branch, new_sip_call_id
from chats.services.incoming.contents import Contents, what_came
from chats.services.incoming.decisions import Decision, Unsent
from chats.services.incoming.facts import is_vouched_for, take_over
from chats.services.incoming.records import ChatState, HouseRules, IncomingMessage
from chats.services.message_types import START, START_REDIRECT, STARTS, STOP, STOPS
from chats.services.texts import text_digest

IN_MESSAGE, OUT_MESSAGE = Direction.IN.value, Direction.OUT.value
RECEIVED, QUEUED = DeliveryStatus.RECEIVED.value, DeliveryStatus.QUEUED.value
CANCELLED = DeliveryStatus.CANCELLED.value
REDIRECTS = frozenset({Session.REDIRECTING.value, Session.REDIRECTED.value})
ARRIVING = Session.ARRIVING.value
# How long the answer to a test waits for a location that has to be fetched.
TEST_PATIENCE = timedelta(seconds=5)


class Rows:
    """Rows to insert for one batch, column order as in `statements`."""

    def __init__(self, rules: HouseRules, unsent: Mapping[int, Sequence[Unsent]]) -> None:
        self.messages: list[tuple[Any, ...]] = []
        self.contents = Contents()
        self.outbox: list[tuple[Any, ...]] = []
        self.relays: list[tuple[Any, ...]] = []
        self.cancelled: list[tuple[int]] = []
        self.transfers = 0  # messages that may decide one
        self.events = EventRows()
        self._rules = rules
        self._unsent = unsent
        self._queued: dict[int, list[int]] = {}  # chat → places in `messages`

    def add(self, decision: Decision, message_ids: Iterator[int]) -> None:
        """Add everything that one message means for its chat."""
        message, chat, actions = decision.message, decision.chat, decision.step.actions
        if decision.is_new:
            self._open(chat, message, recovered="mark-recovered" in actions)
        elif "reopen" in actions:
            self._reopen(chat, message, before=decision.before)
        if "mark-recovered" in actions and not chat.recovered:
            chat.recovered = chat.changed = True
        if "settle" in actions:
            self.transfers += 1
            if decision.before == ARRIVING != decision.step.session:
                self._ring(chat, message.received_at)
        message_id = next(message_ids)
        self._receive(chat, message, message_id)
        if "relay" in actions:
            self._relay(decision, message_id)
        if "end" in actions:
            chat.ended_by, chat.ended_at = EndedBy.CALLER.value, message.received_at
            chat.changed = True
            self.events.add(
                chat,
                "session-stopped",
                at=message.received_at,
                actor=CALLER,
                data={"endedBy": EndedBy.CALLER.value},
            )
            chat.session_due, chat.gone_to = None, ""
        self._live(chat, message.received_at, background="mark-background" in actions)
        if decision.may_cancel:
            self._cancel(chat, message, everything="cancel" in actions)
        if decision.greets:
            self._queue(chat, START, self._rules.greeting, next(message_ids), message.received_at)
        if "close-test" in actions:
            self._close_test(chat, message.received_at)
        if "answer-test" in actions:
            self._answer_test(decision, message_ids)

    def _open(self, chat: ChatState, message: IncomingMessage, *, recovered: bool) -> None:
        chat.ringing_since, chat.changed = message.received_at, True
        self.events.add(
            chat,
            "chat-opened",
            at=message.received_at,
            actor=CALLER,
            data={
                "callId": chat.call_id,
                "service": chat.service,
                "caller": chat.asserted_uri or chat.caller_uri,
                "standalone": chat.standalone,
                "recovered": recovered,
                "linkedTo": chat.linked_to_id,
                **_kinds_of(chat),
            },
        )

    def _reopen(self, chat: ChatState, message: IncomingMessage, *, before: str) -> None:
        chat.changed = True
        chat.ended_by = chat.ended_at = chat.session_due = None
        data = {}
        if message.msg_type == START_REDIRECT and message.came_from:
            chat.came_from = data["cameFrom"] = message.came_from
        elif before in REDIRECTS:
            self.events.add(
                chat,
                "redirect-failed",
                at=message.received_at,
                actor=CALLER,
                data={"target": chat.gone_to, "cause": "the app has started here again"},
            )
        chat.gone_to = ""
        if chat.disposition is not None:
            chat.disposition = chat.closed_at = chat.owner_id = None
            chat.ringing_since = message.received_at
        self._ring(chat, message.received_at)
        self.events.add(chat, "session-reopened", at=message.received_at, actor=CALLER, data=data)

    def _ring(self, chat: ChatState, at: datetime) -> None:
        """Let a chat ring that nobody has."""
        if chat.owner_id is None and chat.ringing_since is None:
            chat.ringing_since, chat.changed = at, True

    def _relay(self, decision: Decision, message_id: int) -> None:
        """Let a message go on to where its chat is now.

        A redirect whose target has not got it in time has failed; a transferred chat has its
        owner, whatever becomes of a late message.
        """
        message, chat = decision.message, decision.chat
        at = message.received_at
        due = at + self._rules.redirect_patience
        self.relays.append(
            (message_id, chat.id, chat.gone_to, new_branch(), RelayStatus.QUEUED.value, at)
        )
        if decision.step.session not in REDIRECTS:
            return
        if chat.session_due is None or (message.msg_type == START_REDIRECT):
            chat.session_due, chat.changed = max(due, chat.session_due or due), True

    def _cancel(self, chat: ChatState, message: IncomingMessage, *, everything: bool) -> None:
        """Send no more what waits: all of it after the app's stop, else our own stop alone.

        A stop of ours that left after the chat was opened again would end it in the app alone.
        """
        for place in self._queued.pop(chat.id, ()):
            row = self.messages[place]
            if everything or row[4] in STOPS:
                self.messages[place] = (*row[:7], CANCELLED, *row[8:])
                self._note_cancelled(chat, row[0], message.received_at)
        for unsent in self._unsent.get(chat.id, ()):
            if everything or unsent.type in STOPS:
                self.cancelled.append((unsent.id,))
                self._note_cancelled(chat, unsent.id, message.received_at)

    def _note_cancelled(self, chat: ChatState, message_id: int, at: datetime) -> None:
        chat.changed = True
        self.events.add(
            chat,
            "delivery-changed",
            at=at,
            actor=SYSTEM,
            message_id=message_id,
            data={"cause": "", "sipStatus": None, "status": CANCELLED},
        )

    def _close_test(self, chat: ChatState, at: datetime) -> None:
        """End a test as it begins: it stands in its own list and does not ring."""
        chat.changed = True
        chat.ringing_since = None
        chat.ended_by, chat.ended_at = EndedBy.SYSTEM.value, at
        chat.disposition, chat.closed_at = Disposition.TEST.value, at
        stopped = {"endedBy": EndedBy.SYSTEM.value}
        self.events.add(chat, "session-stopped", at=at, actor=SYSTEM, data=stopped)
        closed = {"disposition": Disposition.TEST.value}
        self.events.add(chat, "chat-closed", at=at, actor=SYSTEM, data=closed)

    def _answer_test(self, decision: Decision, message_ids: Iterator[int]) -> None:
        """Answer a test with our stop/258 (clause 6.1.2.10), or when its location is there."""
        chat, at = decision.chat, decision.message.received_at
        chat.changed = True
        if decision.answer is None:
            chat.session_due = at + TEST_PATIENCE
            return
        self._queue(chat, STOP, decision.answer, next(message_ids), at)
        self.events.add(chat, "test-answered", at=at, actor=SYSTEM, data={})

    def _receive(self, chat: ChatState, message: IncomingMessage, message_id: int) -> None:
        at = message.received_at
        vouched = is_vouched_for(
            chat.asserted_uri, message.asserted_uri, trusted=message.trusted_peer
        )
        flags = message.flags + self._sequence_flags(chat, message)
        self.messages.append(
            (
                message_id,
                chat.id,
                message.journal_id,
                IN_MESSAGE,
                message.msg_type,
                message.msg_id,
                message.text,
                RECEIVED,
                at,
                _flag_column(flags if vouched else (*flags, "not-asserted")),
            )
        )
        self.contents.add(chat.id, message_id, message)
        self.events.add(
            chat,
            "message-received",
            at=at,
            actor=CALLER,
            message_id=message_id,
            data=what_came(message),
        )
        if message.msg_id is not None:
            last = chat.last_in_msg_id
            if last is None or message.msg_id > last or message.msg_type in STARTS:
                chat.last_in_msg_id = message.msg_id
        if message.text:
            chat.last_caller_text = at
        take_over(chat, message, self.events, vouched=vouched)

    def _live(self, chat: ChatState, at: datetime, *, background: bool) -> None:
        chat.last_sign_of_life = max(chat.last_sign_of_life, at)
        liveness = Liveness.BACKGROUND.value if background else Liveness.ALIVE.value
        if liveness != chat.liveness:
            chat.liveness, chat.changed = liveness, True
            self.events.add(
                chat, "liveness-changed", at=at, actor=CALLER, data={"liveness": liveness}
            )

    def _sequence_flags(self, chat: ChatState, message: IncomingMessage) -> tuple[str, ...]:
        """Mark a MsgId that does not follow the ones before it; clause 6.1.2.7 wants it to rise."""
        last, msg_id = chat.last_in_msg_id, message.msg_id
        if msg_id is None or last is None or msg_id == last + 1:
            return ()
        if message.msg_type in STARTS and msg_id < last:
            return ()  # the app has begun anew, and counts anew
        if msg_id <= last:
            return ("msg-id-repeated",) if msg_id == last else ("out-of-order",)
        beats = self._rules.beats_between(chat.id, last, msg_id)
        return () if beats is None or msg_id - last - 1 <= beats else ("msg-id-gap",)

    def _queue(
        self, chat: ChatState, msg_type: int, text: str, message_id: int, at: datetime
    ) -> None:
        """Queue an automatic message of ours."""
        chat.changed = True
        msg_id, cseq = chat.next_msg_id, chat.next_cseq
        chat.next_msg_id, chat.next_cseq = msg_id + 1, cseq + 1
        self._queued.setdefault(chat.id, []).append(len(self.messages))
        self.messages.append(
            (message_id, chat.id, None, OUT_MESSAGE, msg_type, msg_id, text, QUEUED, at, "")
        )
        self.outbox.append((message_id, new_sip_call_id(), cseq, new_branch(), at))
        self.events.add(
            chat,
            "message-queued",
            at=at,
            actor=SYSTEM,
            message_id=message_id,
            data={"msgId": msg_id, "textSha256": text_digest(text), "type": msg_type},
        )


def _kinds_of(chat: ChatState) -> dict[str, Any]:
    """What sort of chat it is, where it is not the usual one."""
    kinds = {"test": chat.test, "alert": chat.alert, "silent": chat.silent}
    kinds["cameFrom"] = chat.came_from  # type: ignore[assignment]
    return {name: value for name, value in kinds.items() if value}


def _flag_column(flags: tuple[str, ...]) -> str:
    """Join flags for `string_to_array(…, ' ')`; a flag never holds a blank."""
    return " ".join(flags)
