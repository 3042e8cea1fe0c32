"""What each message of a batch means for its chat: the session machine, run over all in order.

The first of two passes; it tells how many messages of ours there will be, so that their primary
keys can be drawn.
"""

from dataclasses import dataclass
from typing import NamedTuple

from chats.models import Session
from chats.services.addresses import same_address
from chats.services.incoming.facts import is_vouched_for
from chats.services.incoming.records import (
    ChatState,
    HouseRules,
    IncomingMessage,
    Machine,
    Step,
)
from chats.services.message_types import IN_CHAT, STARTS

ENDED, ARRIVING = Session.STOPPED.value, Session.ARRIVING.value
# What a device adds by itself, or what is shown as text; any other part was chosen by a human.
AUTOMATIC = (
    "text/",
    "multipart/",
    "application/pidf+xml",
    "application/emergencycalldata.",
    "application/addcallsub+xml",
    "application/vcard+",
)


class Unsent(NamedTuple):
    """A message of ours that waits to be sent."""

    id: int
    type: int


@dataclass(slots=True)
class Decision:
    """One message, its chat and what the session machine made of it.

    `answer` is the text of our automatic stop/258 to a test, None where there is none (yet).
    """

    message: IncomingMessage
    chat: ChatState
    is_new: bool
    step: Step
    before: str
    answer: str | None = None

    @property
    def greets(self) -> bool:
        return "greet" in self.step.actions

    @property
    def queues(self) -> bool:
        """Whether a message of ours answers it."""
        return self.answer is not None or "greet" in self.step.actions

    @property
    def may_cancel(self) -> bool:
        """Whether messages of ours that wait may have lost their sense."""
        return not self.step.actions.isdisjoint(("cancel", "reopen"))


def decide(
    pairs: list[tuple[IncomingMessage, ChatState]],
    new_chats: set[int],
    machine: Machine,
    rules: HouseRules,
) -> list[Decision]:
    """Run the session machine over messages in their order; moves each chat's session."""
    decisions = []
    fresh = set(new_chats)
    for message, chat in pairs:
        is_new = chat.id in fresh
        fresh.discard(chat.id)
        before = chat.session
        # Who may be anybody neither ends, starts nor moves another's session: it is stored.
        vouched = is_new or is_vouched_for(
            chat.asserted_uri, message.asserted_uri, trusted=message.trusted_peer
        )
        step = machine(
            None if is_new else before,
            message.msg_type if vouched else IN_CHAT,
            has_text=bool(message.text) or (before == ENDED and carries_more(message)),
            standalone=chat.standalone,
            test=chat.test and (message.test or message.msg_type not in STARTS),
            comes_back=bool(chat.gone_to) and same_address(message.came_from, chat.gone_to),
        )
        if not vouched and before == ARRIVING:  # no proof that the app has followed us
            step = step._replace(session=before)
        chat.changed = chat.changed or before != step.session
        chat.session = step.session
        decision = Decision(message, chat, is_new, step, before)
        if "answer-test" in step.actions:
            decision.answer = rules.test_answer(message)
        decisions.append(decision)
    return decisions


def carries_more(message: IncomingMessage) -> bool:
    """Whether a message brings something that a human has chosen, such as a picture."""
    return any(part.name or not part.content_type.startswith(AUTOMATIC) for part in message.parts)
