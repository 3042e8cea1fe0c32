"""The chat session of clause 6.2 as a table: state and message type give actions and a new state.

What the app sends moves the session; whether the caller's device is alive and who owns the chat
are facts of their own and never change it. Nothing the app sends is ever dropped: every
transition stores the message.

    (no chat) ──start──> OPEN ──stop──> STOPPED ──start or text──> OPEN
    OPEN ──our stop|redirect/274──> REDIRECTING ──it has gone over──> REDIRECTED ──start──> OPEN
    OPEN ──our stop|transfer/266──> TRANSFERRING ──handed over──> TRANSFERRED ──start──> OPEN
    (handed over to us) ──> ARRIVING ──anything of the app──> OPEN

A start leads to OPEN and is greeted with our start/257, whatever state the chat was in: the app
has begun anew and becomes *started* by nothing else. One exception: a start|redirect/273 in a chat
that we redirect, or that another PSAP has, is meant for that one and goes on to it, unless it comes
back from there.

What reaches us while TRANSFERRING waits here, a stop too: it goes on when the transferee has the
chat, and counts here when it comes back to us. Which of them happens is the transfer's to say
(clause 6.2.6, docs/transfer.md), and SETTLE tells it that there is something to look at.

A test call (clause 6.1.2.10) is STOPPED from its start and answered with our stop/258 alone.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import product
from types import MappingProxyType

from sipgateway.protocol.identifiers import MessageType


class Session(enum.StrEnum):
    """Whether messages flow between the app and us."""

    OPEN = "open"
    STOPPED = "stopped"
    REDIRECTING = "redirecting"
    REDIRECTED = "redirected"
    TRANSFERRING = "transferring"
    TRANSFERRED = "transferred"
    ARRIVING = "arriving"  # handed over to us; the app has not followed yet


class Action(enum.Enum):
    """What a message causes, in the order of a transition's tuple."""

    OPEN = "open"  # a new chat
    REOPEN = "reopen"  # a chat that had ended rings again
    MARK_RECOVERED = "mark-recovered"  # it goes on without a start/257
    GREET = "greet"  # answer with the automatic start/257
    MARK_ALIVE = "mark-alive"
    MARK_BACKGROUND = "mark-background"
    STORE = "store"
    NOTE_UNKNOWN = "note-unknown"  # a type that an app does not send
    END = "end"  # ended by the caller
    CANCEL = "cancel"  # what we have not sent yet is not sent any more
    RELAY = "relay"  # goes on to where the chat is now
    CLOSE_TEST = "close-test"  # a test: it does not ring
    ANSWER_TEST = "answer-test"  # with the automatic stop/258
    SETTLE = "settle"  # a transfer may be decided by it


@dataclass(frozen=True, slots=True)
class Transition:
    """The state that follows, and what to do."""

    new: Session
    actions: tuple[Action, ...]


_A, _S, _T = Action, Session, MessageType

_STARTS = (_T.START, _T.START_REDIRECT)
_PSAP_ONLY = (_T.START_TRANSFER, _T.STOP_TRANSFER, _T.STOP_REDIRECT)
_ELSEWHERE = (_S.REDIRECTED, _S.TRANSFERRED)

_ALIVE = (_A.MARK_ALIVE, _A.STORE)
_GREETED = (_A.GREET, _A.MARK_ALIVE, _A.STORE)


def _table() -> dict[tuple[Session, MessageType], Transition]:
    table: dict[tuple[Session, MessageType], Transition] = {}
    for state in Session:
        for start in _STARTS:
            again = () if state in (_S.OPEN, _S.ARRIVING) else (_A.REOPEN,)
            table[state, start] = Transition(_S.OPEN, (*again, *_GREETED))
        stays = _S.OPEN if state is _S.ARRIVING else state
        table[state, _T.IN_CHAT] = Transition(stays, _ALIVE)
        table[state, _T.HEARTBEAT] = Transition(stays, _ALIVE)
        table[state, _T.HEARTBEAT_INACTIVE] = Transition(stays, (_A.MARK_BACKGROUND, _A.STORE))
        for odd in _PSAP_ONLY:
            table[state, odd] = Transition(stays, (_A.NOTE_UNKNOWN, *_ALIVE))
        table[state, _T.STOP] = Transition(_S.STOPPED, (_A.MARK_ALIVE, _A.STORE, _A.END, _A.CANCEL))
    table[_S.STOPPED, _T.STOP] = Transition(_S.STOPPED, (_A.STORE, _A.CANCEL))
    table[_S.TRANSFERRING, _T.STOP] = Transition(_S.TRANSFERRING, _ALIVE)
    for state, kind in product(_ELSEWHERE, _T):
        if kind is not _T.START:
            noted = (_A.NOTE_UNKNOWN,) if kind in _PSAP_ONLY else ()
            beat = _A.MARK_BACKGROUND if kind is _T.HEARTBEAT_INACTIVE else _A.MARK_ALIVE
            table[state, kind] = Transition(state, (*noted, beat, _A.STORE, _A.RELAY))
    table[_S.REDIRECTING, _T.START_REDIRECT] = Transition(_S.REDIRECTING, (*_ALIVE, _A.RELAY))
    for kind in (_T.HEARTBEAT, _T.HEARTBEAT_INACTIVE, _T.IN_CHAT):
        table[_S.STOPPED, kind] = Transition(_S.STOPPED, (_A.STORE,))
    for odd in _PSAP_ONLY:
        table[_S.STOPPED, odd] = Transition(_S.STOPPED, (_A.NOTE_UNKNOWN, _A.STORE))
    for state, kind in product((_S.TRANSFERRING, _S.ARRIVING), _T):
        found = table[state, kind]
        table[state, kind] = replace(found, actions=(*found.actions, _A.SETTLE))
    return table


TRANSITIONS: Mapping[tuple[Session, MessageType], Transition] = MappingProxyType(_table())
"""What a message does to a chat that exists (in STOPPED: one without text)."""

_RECOVERED = (_A.OPEN, _A.MARK_RECOVERED, _A.GREET)

OPENINGS: Mapping[MessageType, Transition] = MappingProxyType(
    {
        **{start: Transition(_S.OPEN, (_A.OPEN, *_GREETED)) for start in _STARTS},
        _T.IN_CHAT: Transition(_S.OPEN, (*_RECOVERED, *_ALIVE)),
        _T.HEARTBEAT: Transition(_S.OPEN, (*_RECOVERED, *_ALIVE)),
        _T.HEARTBEAT_INACTIVE: Transition(_S.OPEN, (*_RECOVERED, _A.MARK_BACKGROUND, _A.STORE)),
        _T.STOP: Transition(
            _S.STOPPED, (_A.OPEN, _A.MARK_RECOVERED, _A.MARK_ALIVE, _A.STORE, _A.END)
        ),
        **{odd: Transition(_S.OPEN, (*_RECOVERED, _A.NOTE_UNKNOWN, *_ALIVE)) for odd in _PSAP_ONLY},
    }
)
"""What the first message that we see of a chat does."""

_TEST = Transition(_S.STOPPED, (_A.OPEN, _A.CLOSE_TEST, _A.MARK_ALIVE, _A.STORE, _A.ANSWER_TEST))
_REST_OF_A_TEST = Transition(_S.STOPPED, (_A.OPEN, _A.CLOSE_TEST, _A.MARK_ALIVE, _A.STORE))
_TEST_AGAIN = Transition(_S.STOPPED, (_A.MARK_ALIVE, _A.STORE, _A.ANSWER_TEST))

_TEXT_AFTER_THE_END = Transition(_S.OPEN, (_A.REOPEN, _A.MARK_RECOVERED, *_ALIVE))
_TEXT_AFTER_A_TEST = Transition(_S.OPEN, (_A.REOPEN, _A.MARK_RECOVERED, *_GREETED))
_TYPES = {int(kind): kind for kind in MessageType}
_SAYING = (_T.IN_CHAT, *_PSAP_ONLY)


def step(
    session: Session | str | None,
    msg_type: int,
    *,
    has_text: bool,
    standalone: bool = False,
    test: bool = False,
    comes_back: bool = False,
) -> Transition:
    """What a message of that type causes; `session` is None where there is no chat yet.

    A type that is not known counts as in-chat and is noted. A text after the end makes the chat
    ring again. A stand-alone message (no call identifier) is never greeted. `test` says that the
    message is a test's, `comes_back` that the PSAP which we redirected to has sent it back to us.
    """
    kind = _TYPES.get(msg_type)
    known = kind is not None
    if kind is None:
        kind = MessageType.IN_CHAT
    if session is None:
        transition = _opening(kind, has_text=has_text, standalone=standalone, test=test)
    else:
        state = Session(session)
        transition = TRANSITIONS[state, kind]
        if comes_back and kind is MessageType.START_REDIRECT:
            transition = TRANSITIONS[state, MessageType.START]
        elif state is Session.STOPPED:
            if kind is MessageType.START and test:
                transition = _TEST_AGAIN
            elif has_text and kind in _SAYING:
                transition = _TEXT_AFTER_A_TEST if test else _TEXT_AFTER_THE_END
                known = known and kind not in _PSAP_ONLY
    if standalone:
        kept = [a for a in transition.actions if a not in (_A.GREET, _A.MARK_RECOVERED)]
        transition = replace(transition, actions=tuple(kept))
    if not known and _A.NOTE_UNKNOWN not in transition.actions:
        transition = replace(transition, actions=(*transition.actions, _A.NOTE_UNKNOWN))
    return transition


def _opening(kind: MessageType, *, has_text: bool, standalone: bool, test: bool) -> Transition:
    """What the first message of a chat does; of a test that a human writes in, as ever."""
    if test:
        if kind in _STARTS or standalone:
            return _TEST
        if not has_text or kind not in _SAYING:
            return _REST_OF_A_TEST
    return OPENINGS[kind]
