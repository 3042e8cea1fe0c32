"""The interface as an OpenAPI 3.1 document, made of the schemas and bounds that requests meet.

Nothing is answered that does not stand here: a fuzzing test holds that (tests/transfer_api).
"""

import copy
from collections.abc import Mapping
from functools import cache
from typing import Any

from transfer_api import examples, schemas
from transfer_api.problems import CONTENT_TYPE
from transfer_api.requests import BOUNDS

VERSION = "1"
_NAMES = {
    schemas.NEGOTIATION_REQUEST: "ChatTransferNegotiationRequest",
    schemas.NEGOTIATION_RESPONSE: "ChatTransferNegotiationResponse",
    schemas.EXECUTION_REQUEST: "ChatTransferExecutionRequest",
    schemas.EXECUTION_RESPONSE: "ChatTransferExecutionResponse",
    schemas.CUSTODY_REQUEST: "ChatCustodyNotice",
    schemas.CUSTODY_RESPONSE: "ChatCustodyAnswer",
    schemas.WITHDRAWAL_REQUEST: "ChatTransferWithdrawal",
    schemas.WITHDRAWAL_RESPONSE: "ChatTransferWithdrawalAnswer",
    schemas.PROBLEM: "Problem",
    schemas.DATA: "ChatData",
}
_INTRODUCTION = (
    "Chat Transfer (HTTP-3) of ETSI TS 103 698, clause 6.3 and Annex A. Answers are HTTP 200 with "
    "the body's StatusCode; what is no valid request gets a problem (RFC 9457). A connection that "
    "ends without an answer, and HTTP 503, say nothing about the outcome: ask again with the same "
    "bytes."
)
_REFUSALS = {
    "400": "No JSON, or not what the schema demands; `violations` names each place",
    "401": "Neither certificate nor token is that of a peer with whom we have an agreement",
    "408": "The body came too slowly",
    "413": "The body is too large, or has too many values",
    "415": "Not application/json, or compressed",
    "429": "Too many requests; Retry-After says when to ask again",
    "503": "Nothing can be said at the moment; the outcome is open, ask again",
}
_NOT_YOURS = {"403": "You do not speak for TransferFrom, or there is no such negotiation of yours"}


@cache
def document() -> Mapping[str, Any]:
    """Return the document."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "Chat transfer between PSAPs", "version": VERSION,
                 "description": _INTRODUCTION,
                 "license": {"name": "GPL-3.0-or-later", "identifier": "GPL-3.0-or-later"}},
        "servers": [{"url": "/"}],
        "security": [{"certificate": []}, {"token": []}],
        "paths": {
            "/transfer/v1/negotiation": {"post": _negotiation()},
            "/transfer/v1/execution": {"post": _execution()},
            "/transfer/v1/custody": {"post": _custody()},
            "/transfer/v1/withdrawal": {"post": _withdrawal()},
            "/transfer/v1/attachments/{sha256}": {"get": _attachment()},
        },
        "components": {
            "schemas": {_NAMES.get(name, name): _component(name) for name in schemas.names()},
            "securitySchemes": {
                "certificate": {
                    "type": "mutualTLS",
                    "description": "A certificate with a name that was agreed upon",
                },
                "token": {"type": "http", "scheme": "bearer"},
            },
        },
    }  # fmt: skip


def _negotiation() -> Mapping[str, Any]:
    return _post(
        "negotiate",
        "Ask whether we take a chat (6.3.2)",
        "Answered once a call-taker or a rule has decided, within some minutes. A repetition while "
        "it is open joins the first; later ones are new attempts, or get the same answer while "
        "that holds. The 406 body may have a ReasonText.",
        schemas.NEGOTIATION_REQUEST,
        schemas.NEGOTIATION_RESPONSE,
    )


def _execution() -> Mapping[str, Any]:
    return _post(
        "execute",
        "Hand the chat over (6.3.3)",
        "Needs an accepted negotiation of yours for the same CallId, within its ExpiryTime. "
        "Answered with StatusCode 200 once the app follows us, with 503 when it does not until "
        "ExpiryTime or when we cannot take it. The same body again gets the same answer.",
        schemas.EXECUTION_REQUEST,
        schemas.EXECUTION_RESPONSE,
    )


def _custody() -> Mapping[str, Any]:
    return _post(
        "tellCustody",
        "Say whom the app follows (beyond Annex A)",
        "For when a transfer ended without both sides knowing how: MessageId is the MsgId of your "
        "265 that the app has acknowledged, or, to ask, that of the execution. A peer without "
        "such notices answers 404.",
        schemas.CUSTODY_REQUEST,
        schemas.CUSTODY_RESPONSE,
    )


def _withdrawal() -> Mapping[str, Any]:
    return _post(
        "withdraw",
        "Call a negotiation off (beyond Annex A)",
        "Ends your latest negotiation about the CallId, whether it rings or was accepted; never "
        "what you have executed (StatusCode 409). Without it an offer ends by its time. A peer "
        "without it answers 404.",
        schemas.WITHDRAWAL_REQUEST,
        schemas.WITHDRAWAL_RESPONSE,
    )


def _attachment() -> Mapping[str, Any]:
    return {
        "operationId": "fetchAttachment",
        "summary": "Fetch an attachment that Data gave by link",
        "description": "For whom the chat was executed to, as long as the content is kept; also "
        "what Data gave by value. The whole content: a Range is passed over. Check the digest.",
        "parameters": [
            {
                "name": "sha256",
                "in": "path",
                "required": True,
                "schema": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
            }
        ],
        "responses": {
            "200": {
                "description": "The content",
                "content": {"application/octet-stream": {}},
            },
            **_problems("401", "429", "503"),
            "404": _problem("No such attachment of a chat that was transferred to you"),
        },
    }


def _post(
    operation: str, summary: str, description: str, asked: str, answered: str
) -> Mapping[str, Any]:
    return {
        "operationId": operation,
        "summary": summary,
        "description": description,
        "requestBody": {
            "required": True,
            "content": {"application/json": _content(asked)},
        },
        "responses": {
            "200": {
                "description": "Understood; StatusCode says what about it",
                "content": {"application/json": _content(answered)},
            },
            **_problems(*_REFUSALS),
            "403": _problem(_NOT_YOURS["403"]),
        },
    }


def _content(name: str) -> Mapping[str, Any]:
    return {"schema": _reference(name), "example": examples.BY_SCHEMA[name]}


def _problems(*statuses: str) -> Mapping[str, Any]:
    return {status: _problem(_REFUSALS[status], status) for status in statuses}


def _problem(description: str, status: str = "") -> Mapping[str, Any]:
    written: dict[str, Any] = {
        "description": description,
        "content": {CONTENT_TYPE: {"schema": _reference(schemas.PROBLEM)}},
    }
    if status in ("429", "503"):
        seconds = {"schema": {"type": "integer"}, "description": "Seconds"}
        written["headers"] = {"Retry-After": seconds}
    return written


def _reference(name: str) -> Mapping[str, str]:
    return {"$ref": f"#/components/schemas/{_NAMES.get(name, name)}"}


def _component(name: str) -> Mapping[str, Any]:
    """A schema of ours within the document: without what says that it is one by itself.

    Requests have our bounds, which the annex's schemas lack, and the shape of Data.
    """
    own = f"#/components/schemas/{_NAMES.get(name, name)}"
    written: dict[str, Any] = _moved(copy.deepcopy(dict(schemas.schema(name))), own)
    identifier = written.pop("$id", None)
    written.pop("$schema", None)
    if not written.get("definitions"):
        written.pop("definitions", None)
    if identifier:
        written["externalDocs"] = {
            "description": identifier,
            "url": f"/transfer/schemas/{name}.json",
        }
    for key, bounds in BOUNDS.get(name, {}).items():
        written["properties"][key] |= bounds
    if name == schemas.DATA:
        written.pop(
            "required", None
        )  # without them StatusCode is 503; it is a request all the same
    if name == schemas.EXECUTION_REQUEST and schemas.DATA in schemas.names():
        written["properties"]["Data"] = _reference(schemas.DATA)
    return written


def _moved(value: Any, own: str) -> Any:
    """Have references within a schema lead to where it stands now."""
    if isinstance(value, dict):
        if value.get("format") == "uri-reference":  # a hint: what is none is kept as a text
            value = {key: one for key, one in value.items() if key != "format"}
        return {
            key: own + one[1:] if key == "$ref" and isinstance(one, str) and one.startswith("#")
            else _moved(one, own)
            for key, one in value.items()
        }  # fmt: skip
    if isinstance(value, list):
        return [_moved(one, own) for one in value]
    return value
