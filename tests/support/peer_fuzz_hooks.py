"""Hooks of schemathesis (SCHEMATHESIS_HOOKS): valid requests reach what lies behind authority.

Left alone every valid negotiation would end at 403, since no generator guesses who we are.
FUZZ_FROM and FUZZ_TO are the URIs of the peer and of the PSAP; FUZZ_CALL_IDS names a file with
CallIds, one a line, whose negotiation has been accepted.
"""

import base64
import hashlib
import os
import random
from pathlib import Path
from typing import Any

import hypothesis
import schemathesis

CALL_IDS = Path(os.environ["FUZZ_CALL_IDS"]).read_text().split()
OURS, THEIRS = os.environ["FUZZ_TO"], os.environ["FUZZ_FROM"]

REJECTED = "ST202"  # a request that fits the schema
BEYOND_SCHEMAS = {
    "is the Id of no message",
    "has another SHA-256",
    "has a number beyond 64 bits",
    "is too deep, or there is too much",
    "stands twice",
}
# Looking for slow requests makes hypothesis simplify each that it keeps, for minutes.
hypothesis.target = lambda *_args, **_named: None
_random = random.Random()


@schemathesis.hook
def before_call(_context: Any, case: Any, _kwargs: Any) -> None:
    """Make some of the valid requests ones of the peer's."""
    body, chance = case.body, _random.random()
    if case.meta is None or not case.meta.generation.mode.is_positive or chance < 0.2:
        return
    if case.operation.path.endswith("/negotiation"):
        body["TransferFrom"] = THEIRS
        if chance < 0.8:
            body["TransferTo"] = OURS
    elif case.operation.path.endswith("/execution"):
        body["CallId"] = _random.choice(CALL_IDS)
        if chance < 0.6:
            body.setdefault("Data", {"Version": 1})["AppUri"] = "sip:caller@app.example.org"
        for attachment in body.get("Data", {}).get("Attachments") or ():
            _digest(attachment)


@schemathesis.hook
def filter_failure(_context: Any, failure: Any, _case: Any, response: Any) -> bool:
    """Pass over refusals for what no schema can demand: how parts of Data belong together."""
    if failure.code != REJECTED or response.status_code != 400:
        return True
    details = {one["detail"] for one in response.json()["violations"]}
    return not details <= BEYOND_SCHEMAS


def _digest(attachment: Any) -> None:
    """Have a digest be that of the content, which no schema can demand."""
    content = attachment.get("Content")
    if isinstance(content, str):
        try:
            decoded = base64.b64decode(content, validate=True)
        except ValueError:
            return
        attachment["Sha256"] = hashlib.sha256(decoded).hexdigest()
        attachment["Size"] = len(decoded)
