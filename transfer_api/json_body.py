"""A request's body as JSON, read strictly (RFC 8259, RFC 7493), within bounds.

What two readers could understand differently is refused: a key twice, NaN, an integer or a number
too large, invalid UTF-8. Code points that no text can have (NUL, halves of a surrogate pair) come
only as escapes; they are read as U+FFFD, so that one of them in somebody's text costs no transfer.
"""

import json
import math
import re
from typing import Any, NoReturn

from transfer_api.problems import Problem
from transfer_api.schemas import Violation

MOST_VALUES = 500_000
DEEPEST = 64
_ODD_ESCAPES = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")
_ODD = re.compile("[\x00\ud800-\udfff]")
REPLACEMENT = "\ufffd"


def read_json(body: bytes) -> Any:
    """Return the document; raises Problem 400."""
    _bound(body)
    try:
        text = body.decode()
        document = json.loads(
            text,
            object_pairs_hook=_object,
            parse_constant=_constant,
            parse_float=_float,
        )
    except UnicodeDecodeError as error:
        raise _refused(f"The body is no UTF-8 (byte {error.start}).") from error
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise _refused(f"The body is no JSON: {error.msg} at {place}.") from error
    except RecursionError as error:
        raise _refused(_TOO_DEEP) from error
    except ValueError as error:  # of ours, and of int() beyond 4,300 digits
        raise _refused(f"The body is no JSON that we take: {error}") from error
    _check_depth(document)
    return _mended(document) if _ODD_ESCAPES.search(body) else document


_TOO_DEEP = f"The body is nested deeper than {DEEPEST} levels."


def _bound(body: bytes) -> None:
    """Refuse what keeps the parser busy for long: each value but the first has one of these."""
    values = body.count(b",") + body.count(b"[") + body.count(b"{")
    if values > MOST_VALUES:
        raise Problem(413, f"The body has more than {MOST_VALUES:,} values.")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    read = dict(pairs)
    if len(read) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"the key {json.dumps(twice[:50])} stands twice in one object")
    return read


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


def _float(written: str) -> float:
    read = float(written)
    if not math.isfinite(read):
        raise ValueError(f"the number {written[:50]} is too large")
    return read


def _check_depth(document: Any) -> None:
    """Walk level by level; what is deep enough to break the walk never got through the parser."""
    level, depth = [document], 0
    while level:
        depth += 1
        if depth > DEEPEST:
            raise _refused(_TOO_DEEP)
        inner: list[Any] = []
        for value in level:
            if isinstance(value, dict):
                inner += [one for one in value.values() if isinstance(one, dict | list)]
            elif isinstance(value, list):
                inner += [one for one in value if isinstance(one, dict | list)]
        level = inner


def _mended(value: Any) -> Any:
    if isinstance(value, str):
        return _ODD.sub(REPLACEMENT, value)
    if isinstance(value, list):
        return [_mended(one) for one in value]
    if isinstance(value, dict):
        return {_mended(key): _mended(one) for key, one in value.items()}
    return value


def _refused(detail: str) -> Problem:
    return Problem(400, detail, violations=[Violation("", detail)])
