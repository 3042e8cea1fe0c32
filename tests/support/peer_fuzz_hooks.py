"""Hooks of schemathesis (SCHEMATHESIS_HOOKS): valid requests reach what lies behind authority.

Left alone every valid negotiation would end at 403 and every attachment at 404, since no generator
guesses who we are and what was handed over. FUZZ_SCENE names a JSON file: the URIs `from` (the
peer's) and `to` (the PSAP's), `call_ids` whose negotiation has been accepted, others to be
`withdrawn`, digests of `attachments`, and the `other_token` of another peer. FUZZ_REACH names the
file that gets one line an answer: path, HTTP status, StatusCode.
"""

import base64
import hashlib
import json
import os
import random
from pathlib import Path
from typing import Any

import hypothesis
import schemathesis

SCENE = json.loads(Path(os.environ["FUZZ_SCENE"]).read_text())
REACH = Path(os.environ["FUZZ_REACH"])

REJECTED = "ST202"  # a request that fits the schema
BEYOND_SCHEMAS = {
    "is the Id of no message",
    "has another SHA-256",
    "is no base64",  # by its length: a pattern for that takes 50 times the memory of the content
    "has a number beyond 64 bits",
    "is too deep, or there is too much",
    "stands twice",
}
# Looking for slow requests makes hypothesis simplify each that it keeps, for minutes.
hypothesis.target = lambda *_args, **_named: None
_random = random.Random(SCENE["seed"])


@schemathesis.hook
def before_call(_context: Any, case: Any, kwargs: Any) -> None:
    """Make some of the valid requests ones of the peer's."""
    body, chance = case.body, _random.random()
    if case.meta is None or not case.meta.generation.mode.is_positive or chance < 0.2:
        return
    if case.operation.path.endswith("/negotiation"):
        body["TransferFrom"] = SCENE["from"]
        if chance < 0.8:
            body["TransferTo"] = SCENE["to"]
    elif case.operation.path.endswith("/execution"):
        body["CallId"] = _random.choice(SCENE["call_ids"])
        if chance < 0.85:
            body.setdefault("Data", {"Version": 1})["AppUri"] = "sip:caller@app.example.org"
        for attachment in body.get("Data", {}).get("Attachments") or ():
            _digest(attachment)
    elif case.operation.path.endswith("/withdrawal"):  # else it names what it has negotiated
        body["CallId"] = _random.choice(SCENE["withdrawn"]) if chance < 0.7 else "never:asked"
    elif "/attachments/" in case.operation.path:
        case.path_parameters["sha256"] = _random.choice(SCENE["attachments"])
        if chance < 0.4:
            kwargs["auth"] = _with("Authorization", f"Bearer {SCENE['other_token']}")
        elif chance < 0.6:
            kwargs["auth"] = _with("Range", "bytes=0-3")


@schemathesis.hook
def after_call(_context: Any, case: Any, response: Any) -> None:
    """Note where a request got to."""
    is_json = "application/json" in response.headers.get("content-type", ())
    told = response.json().get("StatusCode", "-") if is_json else "-"
    with REACH.open("a") as reached:
        print(case.operation.path.split("/")[3], response.status_code, told, file=reached)


@schemathesis.hook
def filter_failure(_context: Any, failure: Any, _case: Any, response: Any) -> bool:
    """Pass over refusals for what no schema can demand: how parts of Data belong together."""
    if failure.code != REJECTED or response.status_code != 400:
        return True
    details = {one["detail"] for one in response.json()["violations"]}
    return not details <= BEYOND_SCHEMAS


def _with(name: str, value: str) -> Any:
    """Return what sets a header over those of the command line."""

    def change(request: Any) -> Any:
        request.headers[name] = value
        return request

    return change


def _digest(attachment: Any) -> None:
    """Have a digest be that of the content, in whole fours, which no schema can demand."""
    content = attachment.get("Content")
    if isinstance(content, str):
        content = content.rstrip("=")
        content = attachment["Content"] = content[: len(content) // 4 * 4]
        try:
            decoded = base64.b64decode(content, validate=True)
        except ValueError:
            return
        attachment["Sha256"] = hashlib.sha256(decoded).hexdigest()
        attachment["Size"] = len(decoded)
