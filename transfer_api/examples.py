"""Requests and answers as they look, for the page, the OpenAPI document and docs/transfer.md.

Each fits its schema, and what we ask of a request: a test holds that.
"""

import base64
import hashlib
from collections.abc import Mapping
from typing import Any

from transfer_api import schemas

Example = Mapping[str, Any]

CALL_ID = "urn:emergency:uid:callid:a7gtHd8K:app.example.org"
PSAP, PEER = "sip:psap@psap.example.org", "sip:psap@peer.example.org"
_APP = "sip:anna@app.example.org"
_FIRST = "sip:5f1c0e2b9a7d4c3886e1f0a2b4c6d8e0"
_DOT = base64.b64decode("R0lGODlhAQABAIAAAP8AAP///yH5BAAAAAAALAAAAAABAAEAAAICRAEAOw==")
_DOT_SHA256 = hashlib.sha256(_DOT).hexdigest()
_FILM_SHA256 = hashlib.sha256(b"a film").hexdigest()

NEGOTIATION: Example = {
    "CallId": CALL_ID,
    "TransferFrom": PEER,
    "TransferTo": PSAP,
    "ReasonText": "The caller is in your area.",
}
ACCEPTED: Example = {"CallId": CALL_ID, "StatusCode": 202, "ExpiryTime": 60}
DATA: Example = {
    "Version": 1,
    "SnapshotAt": "2026-01-31T12:00:05.120Z",
    "AppUri": _APP,
    "Service": "urn:service:sos",
    "OpenedAt": "2026-01-31T11:58:00Z",
    "Caller": {"Uri": _APP, "DisplayName": "Anna", "Language": "de"},
    "Psaps": [{"Uri": PEER, "Name": "Peer", "From": "2026-01-31T11:58:00Z"}],
    "Messages": [
        {
            "Id": _FIRST,
            "Direction": "in",
            "Type": 257,
            "MessageId": 1,
            "Text": "Hilfe, es brennt!",
            "Role": "caller",
            "Psap": PEER,
            "At": "2026-01-31T11:58:00Z",
            "Status": "received",
            "Parts": [
                {"Sha256": _DOT_SHA256, "ContentType": "image/gif", "Size": len(_DOT)},
                {"Sha256": _FILM_SHA256, "ContentType": "video/mp4", "Size": 12_000_000},
            ],
        },
        {
            "Id": "a84b4c76e66710@peer.example.org",
            "Direction": "out",
            "Type": 259,
            "MessageId": 7,
            "Text": "Wo sind Sie?",
            "Role": "calltaker",
            "Psap": PEER,
            "At": "2026-01-31T11:58:20Z",
            "Status": "delivered",
        },
    ],
    "Locations": [
        {
            "Message": _FIRST,
            "Shape": "Circle",
            "Latitude": 48.2082,
            "Longitude": 16.3738,
            "Radius": 20,
            "At": "2026-01-31T11:57:55Z",
        }
    ],
    "Attachments": [
        {"Sha256": _DOT_SHA256, "Content": base64.b64encode(_DOT).decode()},
        {
            "Sha256": _FILM_SHA256,
            "Size": 12_000_000,
            "Url": f"transfer/v1/attachments/{_FILM_SHA256}",
        },
    ],
    "Notes": [{"Id": "note-1", "Text": "The fire is on the ground floor."}],
}
EXECUTION: Example = {"CallId": CALL_ID, "MessageId": 7, "ExpiryTime": 20, "Data": DATA}
TAKEN: Example = {"CallId": CALL_ID, "StatusCode": 200}
NOTICE: Example = {"CallId": CALL_ID, "MessageId": 10}
LET_GO: Example = {"CallId": CALL_ID, "StatusCode": 200, "MessageId": 10}
WITHDRAWAL: Example = {"CallId": CALL_ID}
WITHDRAWN: Example = {"CallId": CALL_ID, "StatusCode": 200}
PROBLEM: Example = {
    "type": "about:blank",
    "title": "Bad Request",
    "status": 400,
    "detail": "The body is no such request.",
    "violations": [{"pointer": "/MessageId", "detail": "must be integer"}],
}

BY_SCHEMA: Mapping[str, Example] = {
    schemas.NEGOTIATION_REQUEST: NEGOTIATION,
    schemas.NEGOTIATION_RESPONSE: ACCEPTED,
    schemas.EXECUTION_REQUEST: EXECUTION,
    schemas.EXECUTION_RESPONSE: TAKEN,
    schemas.CUSTODY_REQUEST: NOTICE,
    schemas.CUSTODY_RESPONSE: LET_GO,
    schemas.WITHDRAWAL_REQUEST: WITHDRAWAL,
    schemas.WITHDRAWAL_RESPONSE: WITHDRAWN,
    schemas.PROBLEM: PROBLEM,
    schemas.DATA: DATA,
}
