"""Custody of a transferred chat as a table, one for each side: state and what happens give a state.

The transferor has the chat until it is DONE, the transferee from DONE on. While a transfer is
EXECUTING or UNCERTAIN both are responsible: there is never nobody. docs/transfer.md has the same
tables for reading, with charts.
"""

import enum
from collections.abc import Mapping
from types import MappingProxyType

from chats.models import TransferSide, TransferState


class Happening(enum.StrEnum):
    """What moves a transfer."""

    # of the transferor
    AGREED = "agreed"  # 202
    REFUSED = "refused"  # 406
    UNANSWERED = "unanswered"  # no usable answer to the negotiation
    HANDED_OVER = "handed-over"  # our 266 is queued
    STALLED = "stalled"  # the app has acknowledged the 266
    NOT_STALLED = "not-stalled"  # it has not, in time, or has stopped or begun anew
    TAKEN = "taken"  # 200 to the execution
    NOT_TAKEN = "not-taken"  # 503, or an answer that is none
    ANSWER_LOST = "answer-lost"  # sent, and nobody knows
    OVERDUE = "overdue"  # expiry and margin are over
    # of the transferee
    ACCEPTED = "accepted"  # by a call-taker or the peer's rule
    DECLINED = "declined"
    EXECUTED = "executed"  # the execution is committed with its history, our 265 is queued
    FOLLOWED = "followed"  # the app has acknowledged our 265 with 200, or writes to us
    NEVER_BEGUN = "never-begun"  # our 265 has not left, and will not
    # of both
    EXPIRED = "expired"  # the 202's ExpiryTime is over
    CALLED_OFF = "called-off"  # by the transferor's call-taker
    LET_GO = "let-go"  # the other side is known to have the chat, by the app's later word


class NotPossible(Exception):
    """What happened means nothing in this state; nothing was written."""


_H, _S = Happening, TransferState
Table = Mapping[tuple[TransferState, Happening], TransferState]

TRANSFEROR: Table = MappingProxyType(
    {
        (_S.NEGOTIATING, _H.AGREED): _S.ACCEPTED,
        (_S.NEGOTIATING, _H.REFUSED): _S.DECLINED,
        (_S.NEGOTIATING, _H.UNANSWERED): _S.FAILED,
        (_S.NEGOTIATING, _H.CALLED_OFF): _S.CANCELLED,
        (_S.ACCEPTED, _H.HANDED_OVER): _S.STALLING,
        (_S.ACCEPTED, _H.CALLED_OFF): _S.CANCELLED,
        (_S.ACCEPTED, _H.EXPIRED): _S.EXPIRED,
        (_S.STALLING, _H.STALLED): _S.EXECUTING,
        (_S.STALLING, _H.NOT_STALLED): _S.FAILED,
        (_S.STALLING, _H.CALLED_OFF): _S.CANCELLED,
        (_S.EXECUTING, _H.TAKEN): _S.DONE,
        (_S.EXECUTING, _H.NOT_TAKEN): _S.FAILED,
        (_S.EXECUTING, _H.ANSWER_LOST): _S.UNCERTAIN,
        (_S.EXECUTING, _H.OVERDUE): _S.FAILED,
        (_S.EXECUTING, _H.LET_GO): _S.DONE,
        (_S.UNCERTAIN, _H.TAKEN): _S.DONE,
        (_S.UNCERTAIN, _H.NOT_TAKEN): _S.FAILED,
        (_S.UNCERTAIN, _H.ANSWER_LOST): _S.UNCERTAIN,
        (_S.UNCERTAIN, _H.OVERDUE): _S.FAILED,
        (_S.UNCERTAIN, _H.LET_GO): _S.DONE,
        (_S.FAILED, _H.LET_GO): _S.DONE,
    }
)
"""The side that gives the chat away. FAILED: it is ours, by reactivation where the app stalled."""

TRANSFEREE: Table = MappingProxyType(
    {
        (_S.OFFERED, _H.ACCEPTED): _S.ACCEPTED,
        (_S.OFFERED, _H.DECLINED): _S.DECLINED,
        (_S.OFFERED, _H.EXPIRED): _S.EXPIRED,
        (_S.OFFERED, _H.CALLED_OFF): _S.CANCELLED,
        (_S.ACCEPTED, _H.EXECUTED): _S.EXECUTING,
        (_S.ACCEPTED, _H.EXPIRED): _S.EXPIRED,
        (_S.ACCEPTED, _H.CALLED_OFF): _S.CANCELLED,
        (_S.EXECUTING, _H.FOLLOWED): _S.DONE,
        (_S.EXECUTING, _H.OVERDUE): _S.UNCERTAIN,
        (_S.EXECUTING, _H.NEVER_BEGUN): _S.FAILED,
        (_S.EXECUTING, _H.LET_GO): _S.RELEASED,
        (_S.UNCERTAIN, _H.FOLLOWED): _S.DONE,
        (_S.UNCERTAIN, _H.LET_GO): _S.RELEASED,
        (_S.DONE, _H.LET_GO): _S.RELEASED,
    }
)
"""The side that is offered the chat. UNCERTAIN has answered 503 and keeps what it knows."""

TABLES: Mapping[TransferSide, Table] = MappingProxyType(
    {TransferSide.OUT: TRANSFEROR, TransferSide.IN: TRANSFEREE}
)


def following(side: str, state: str, happening: Happening) -> TransferState:
    """Return the state that follows; raises NotPossible."""
    table = TABLES[TransferSide(side)]
    try:
        return table[TransferState(state), happening]
    except KeyError:
        raise NotPossible(f"{happening} in {side}/{state}") from None
