"""JSON schemas of what goes over the transfer interface (Annex A of TS 103 698), and validating.

The four of the annex stand here verbatim, under the names by which the annex identifies them;
beside them stand ours, for what the annex leaves open. All are draft-07. Unknown keys are no
violation. `true` is no integer; `1.0` is one, since draft-07 goes by the value (6.1.1 of the
validation document), and is read as 1.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

from jsonschema import Draft7Validator, ValidationError

NEGOTIATION_REQUEST = "chattrnegrequ"  # A.1
NEGOTIATION_RESPONSE = "chattrnegresp"  # A.2
EXECUTION_REQUEST = "chattrexerequ"  # A.3
EXECUTION_RESPONSE = "chattrexeresp"  # A.4
CUSTODY_REQUEST = "custodynotice"  # ours
CUSTODY_RESPONSE = "custodyanswer"  # ours
WITHDRAWAL_REQUEST = "withdrawal"  # ours
WITHDRAWAL_RESPONSE = "withdrawalanswer"  # ours
PROBLEM = "problem"  # RFC 9457, with violations
DATA = "data"  # ours: Data of A.3

MOST_VIOLATIONS = 20
_LONGEST_DETAIL = 200
_FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Violation:
    """What is wrong at one place of a document: a JSON pointer (RFC 6901) and words."""

    pointer: str
    detail: str


def names() -> tuple[str, ...]:
    """Return the names of all schemas."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.json")))


def text(name: str) -> str:
    """Return a schema as it stands in its file; raises KeyError for a name that is none."""
    if name not in names():
        raise KeyError(name)
    return (_FOLDER / f"{name}.json").read_text("utf-8")


@cache
def schema(name: str) -> Mapping[str, Any]:
    """Return a schema; raises KeyError for a name that is none."""
    document: Mapping[str, Any] = json.loads(text(name))
    return document


@cache
def _validator(name: str) -> Draft7Validator:
    return Draft7Validator(schema(name))


def validate(name: str, document: object) -> list[Violation]:
    """Return how a document violates a schema, at most 20 violations; none: it is valid."""
    return violations_of(_validator(name), document)


def violations_of(validator: Draft7Validator, document: object) -> list[Violation]:
    """The same by a validator that is made already."""
    found = dict.fromkeys(
        Violation(_pointer(error), _detail(error))
        for error in islice(_leaves(validator.iter_errors(document)), MOST_VIOLATIONS)
    )
    return list(found)


def _leaves(errors: Iterator[ValidationError]) -> Iterator[ValidationError]:
    """Yield errors; of alternatives (anyOf, oneOf) the one that comes nearest to a cause."""
    for error in errors:
        yield max(error.context, key=lambda one: len(one.path)) if error.context else error


def _pointer(error: ValidationError) -> str:
    return "".join(
        "/" + str(step).replace("~", "~0").replace("/", "~1") for step in error.absolute_path
    )


def _detail(error: ValidationError) -> str:
    """Say what is wrong without the value: that may be long, and the record of somebody's life."""
    match error.validator:
        case "required":
            missing = [name for name in error.validator_value if name not in error.instance]
            words = f"missing: {', '.join(missing)}"
        case "type":
            words = f"must be {_listed(error.validator_value)}"
        case "enum":
            words = f"must be one of {_listed(error.validator_value)}"
        case "const":
            words = f"must be {json.dumps(error.validator_value)}"
        case "minimum":
            words = f"must be {error.validator_value} at least"
        case "maximum":
            words = f"must be {error.validator_value} at most"
        case "minLength" | "maxLength" | "pattern" | "format" | "minItems" | "maxItems":
            words = f"breaks {error.validator} {error.validator_value}"
        case other:
            words = f"breaks {other}"
    return words[:_LONGEST_DETAIL]


def _listed(values: object) -> str:
    if isinstance(values, list):
        return ", ".join(str(value) for value in values)
    return str(values)
