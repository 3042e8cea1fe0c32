"""What a peer asks, read out of a body: Annex A.1 and A.3, our custody notice, and our bounds."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from jsonschema import Draft7Validator

from transfer_api import schemas
from transfer_api.json_body import read_json
from transfer_api.problems import Problem
from transfer_api.schemas import Violation

LONGEST_IDENTIFIER = 500
LARGEST_MSG_ID = 2**53 - 1  # what every reader of JSON keeps exactly (RFC 7493 2.2)

_IDENTIFIER = {
    "minLength": 1,
    "maxLength": LONGEST_IDENTIFIER,
    "pattern": "^[^\\u0000-\\u001f\\u007f\\ufffd]*$",
}
_MSG_ID = {"maximum": LARGEST_MSG_ID}

BOUNDS: Mapping[str, Mapping[str, Any]] = {
    schemas.NEGOTIATION_REQUEST: {
        "CallId": _IDENTIFIER,
        "TransferFrom": _IDENTIFIER,
        "TransferTo": _IDENTIFIER,
    },
    schemas.EXECUTION_REQUEST: {"CallId": _IDENTIFIER, "MessageId": _MSG_ID},
    schemas.CUSTODY_REQUEST: {"CallId": _IDENTIFIER, "MessageId": _MSG_ID},
    schemas.WITHDRAWAL_REQUEST: {"CallId": _IDENTIFIER},
}
"""By schema and key: what we demand beyond the annex, which sets no bounds."""


@dataclass(frozen=True, slots=True)
class Negotiation:
    """Table 5: whether we take a chat."""

    call_id: str
    transfer_from: str
    transfer_to: str
    reason: str


@dataclass(frozen=True, slots=True)
class Execution:
    """Table 7: take it now; `expiry` in seconds."""

    call_id: str
    msg_id: int
    expiry: int
    data: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class CustodyNotice:
    """The app has acknowledged the sender's 265 with this MsgId (docs/transfer.md)."""

    call_id: str
    msg_id: int


def read_negotiation(body: bytes) -> Negotiation:
    """Read the body of a negotiation; raises Problem 400."""
    asked = _read(schemas.NEGOTIATION_REQUEST, body)
    return Negotiation(
        asked["CallId"],
        asked["TransferFrom"],
        asked["TransferTo"],
        asked.get("ReasonText", ""),
    )


def read_execution(body: bytes) -> Execution:
    """Read the body of an execution, `Data` as it came; raises Problem 400."""
    asked = _read(schemas.EXECUTION_REQUEST, body)
    return Execution(
        asked["CallId"],
        int(asked["MessageId"]),
        int(asked["ExpiryTime"]),
        asked.get("Data"),
    )


def read_custody_notice(body: bytes) -> CustodyNotice:
    """Read the body of a custody notice; raises Problem 400."""
    asked = _read(schemas.CUSTODY_REQUEST, body)
    return CustodyNotice(asked["CallId"], int(asked["MessageId"]))


def read_withdrawal(body: bytes) -> str:
    """Read the body of a withdrawal, which is its CallId; raises Problem 400."""
    call_id: str = _read(schemas.WITHDRAWAL_REQUEST, body)["CallId"]
    return call_id


def _read(name: str, body: bytes) -> Mapping[str, Any]:
    document = read_json(body)
    violations = schemas.validate(name, document) or _beyond_bounds(name, document)
    if violations:
        raise invalid(violations)
    asked: Mapping[str, Any] = document
    return asked


def invalid(violations: list[Violation]) -> Problem:
    """Make the answer to a body that is JSON and not what it should be."""
    return Problem(400, "The body is no such request.", violations=violations)


@cache
def _bounds(name: str) -> Draft7Validator:
    return Draft7Validator({"properties": BOUNDS[name]})


def _beyond_bounds(name: str, document: object) -> list[Violation]:
    return schemas.violations_of(_bounds(name), document)
