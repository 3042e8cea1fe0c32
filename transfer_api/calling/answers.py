"""Judging what a peer answered (Annex A.2 and A.4): pure functions.

The body counts, whatever the HTTP status says, unless both contradict each other. What is no answer
gets words: those of a problem document (RFC 9457), else the status.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from psap.https.exchange import Answer
from transfer_api.schemas import (
    CUSTODY_RESPONSE,
    EXECUTION_RESPONSE,
    NEGOTIATION_RESPONSE,
    validate,
)

# So the same request may well be answered in a while.
AGAIN_LATER = frozenset((408, 425, 429))
# Peers that have no custody notices, which are an addition of ours to Annex A; or 403: it has never
# had the chat.
UNKNOWN_THERE = frozenset((403, 404, 405, 410, 501))
LONGEST_EXPIRY = 24 * 3600
LONGEST_WORDS = 300
OTHER_CALL = "the answer is about another call"
CONTRADICTS = "the answer contradicts itself"


@dataclass(frozen=True, slots=True)
class Agreed:
    """202: the transfer may be executed within `expiry` seconds."""

    expiry: int


@dataclass(frozen=True, slots=True)
class Refused:
    """406 to a negotiation, 503 to an execution; `cause` in the peer's words."""

    cause: str


@dataclass(frozen=True, slots=True)
class Taken:
    """200 to an execution: the peer has the chat."""


@dataclass(frozen=True, slots=True)
class Unusable:
    """No answer to go by. `again`: it may be another time. `processed`: the request may have been
    acted upon all the same."""

    cause: str
    again: bool = False
    processed: bool = False


@dataclass(frozen=True, slots=True)
class Settled:
    """200 or 409 to a custody notice: the MsgId by which it is settled."""

    status_code: int
    msg_id: int


@dataclass(frozen=True, slots=True)
class UnknownThere:
    """The peer knows no custody notices."""


def judge_negotiation(answer: Answer, call_id: str) -> Agreed | Refused | Unusable:
    """Judge the answer to a negotiation of ours."""
    body = _object(answer)
    faults = validate(NEGOTIATION_RESPONSE, body)
    if body.get("StatusCode") == 406 and all(one.pointer == "/ExpiryTime" for one in faults):
        faults = []  # a refusal has nothing to expire
    if faults:
        return _unusable(answer, body, faults[0].pointer, faults[0].detail)
    if body["CallId"] != call_id:
        return Unusable(OTHER_CALL)
    if _contradicts(answer.status, int(body["StatusCode"])):
        return Unusable(CONTRADICTS, again=answer.status >= 500)
    if body["StatusCode"] == 202:
        return Agreed(min(int(body["ExpiryTime"]), LONGEST_EXPIRY))
    return Refused(_reason(body))


def judge_execution(answer: Answer, call_id: str) -> Taken | Refused | Unusable:
    """Judge the answer to an execution of ours."""
    body = _object(answer)
    if faults := validate(EXECUTION_RESPONSE, body):
        return _unusable(answer, body, faults[0].pointer, faults[0].detail)
    if body["CallId"] != call_id:
        return Unusable(OTHER_CALL)
    code = int(body["StatusCode"])
    if _contradicts(answer.status, code):
        return Unusable(CONTRADICTS, processed=True)
    if code == 200:
        return Taken()
    return Refused(_reason(body) or "the peer could not take it over (503)")


def judge_custody(answer: Answer, call_id: str) -> Settled | UnknownThere | Unusable:
    """Judge the answer to a custody notice of ours; 202 is none yet."""
    if answer.status in UNKNOWN_THERE:
        return UnknownThere()
    body = _object(answer)
    if faults := validate(CUSTODY_RESPONSE, body):
        return _unusable(answer, body, faults[0].pointer, faults[0].detail)
    if body["CallId"] != call_id:
        return Unusable(OTHER_CALL)
    if int(body["StatusCode"]) == 202:
        return Unusable("the peer does not know yet", again=True)
    return Settled(int(body["StatusCode"]), int(body["MessageId"]))


def is_worth_repeating(status: int) -> bool:
    """Whether a peer may hear another time what it was told; one without such words may not."""
    return status in AGAIN_LATER or (status >= 500 and status not in UNKNOWN_THERE)


def _object(answer: Answer) -> Mapping[str, Any]:
    """Read the body as a JSON object, empty when it is none."""
    try:
        read = json.loads(answer.body)
    except (ValueError, RecursionError):
        return {}
    return read if isinstance(read, dict) else {}


def _reason(body: Mapping[str, Any]) -> str:
    """Return why it refuses, in the peer's words; our addition to Annex A."""
    reason = body.get("ReasonText")
    return reason.strip()[:LONGEST_WORDS] if isinstance(reason, str) else ""


def _contradicts(status: int, code: int) -> bool:
    """Whether the HTTP status says yes and the body no, or the other way round."""
    return status >= 400 and code < 300


def _unusable(answer: Answer, body: Mapping[str, Any], pointer: str, detail: str) -> Unusable:
    """Say in words why an answer is none."""
    server_failed = answer.status >= 500
    if answer.status < 300:
        return Unusable(f"the answer is invalid: {pointer or 'it'} {detail}"[:LONGEST_WORDS])
    words = [body[name] for name in ("title", "detail") if isinstance(body.get(name), str)]
    said = ": ".join(word.strip() for word in words if word.strip())
    cause = f"the peer answered {answer.status}" + (f" ({said})" if said else "")
    again = server_failed or answer.status in AGAIN_LATER
    return Unusable(cause[:LONGEST_WORDS], again=again, processed=server_failed)
