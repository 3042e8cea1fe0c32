"""Refused INVITEs: the answer is repeated until its ACK (RFC 3261 17.2.1, Timers G and H).

An INVITE that nobody acknowledges would else be lost with one datagram; the caller's phone would
go on ringing instead of turning to text.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from sipgateway.protocol.message import Request
from sipgateway.protocol.timers import T1, T2
from sipgateway.protocol.via import parse_via

MOST = 1000
TIMER_H = 64 * T1

Answer = TypeVar("Answer")


@dataclass(slots=True)
class _Refused(Generic[Answer]):
    answer: Answer
    due: float
    interval: float
    until: float


class RefusedInvites(Generic[Answer]):
    """Answers over UDP that wait for their ACK; `Answer` is whatever the caller sends again."""

    def __init__(self) -> None:
        self._waiting: dict[str, _Refused[Answer]] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def refuse(self, request: Request, answer: Answer, now: float) -> None:
        """Note an answer that was sent just now; a repeated INVITE changes no timer."""
        key = _key(request)
        if key not in self._waiting and len(self._waiting) < MOST:
            self._waiting[key] = _Refused(answer, now + T1, T1, now + TIMER_H)

    def acknowledge(self, request: Request) -> None:
        """Take an ACK: its answer is not sent again."""
        self._waiting.pop(_key(request), None)

    def due(self, now: float) -> list[Answer]:
        """The answers to send again; those that Timer H ends are forgotten."""
        for key in [key for key, kept in self._waiting.items() if kept.until <= now]:
            del self._waiting[key]
        again = [kept for kept in self._waiting.values() if kept.due <= now]
        for kept in again:
            kept.interval = min(2 * kept.interval, T2)
            kept.due = now + kept.interval
        return [kept.answer for kept in again]


def _key(request: Request) -> str:
    """Equal for an INVITE and the ACK to its refusal (17.2.3), by RFC 2543 too."""
    via = parse_via(request.headers.get("via") or "")
    number = (request.headers.get("cseq") or "").strip().partition(" ")[0]
    return "\0".join((via.branch, via.sent_by, request.headers.get("call-id") or "", number))
