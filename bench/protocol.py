"""What the protocol core costs a message, stage by stage, as JSON: python -m bench.protocol."""

import json
import platform
import sys
from collections.abc import Callable
from pathlib import Path
from timeit import repeat

from sipgateway.protocol.body import split_body, text_of
from sipgateway.protocol.lmpe import called_service, identify, identify_caller, request_key
from sipgateway.protocol.message import Request, make_response, parse_message
from sipgateway.protocol.pidflo import parse_pidf_lo
from sipgateway.protocol.transaction import ServerTransaction, ServerTransactions

SAMPLE = Path(__file__).parent.parent / "tests/data/captures/ng112js-start-257.sip"
LOOPS = 4000
ROUNDS = 7


def microseconds(stage: Callable[[], object]) -> float:
    """The best of some rounds: what the stage costs when nothing else runs."""
    return round(min(repeat(stage, number=LOOPS, repeat=ROUNDS)) / LOOPS * 1e6, 2)


def main() -> None:
    data = SAMPLE.read_bytes()
    request = parse_message(data)
    if not isinstance(request, Request):
        raise SystemExit("the sample is no request")
    headers, parts = request.headers, split_body(request.headers, request.body)
    numbers = {"112": "urn:service:sos"}
    transactions = ServerTransactions()

    def receive() -> None:
        new = transactions.receive_request(request, 0.0)
        if isinstance(new, ServerTransaction):
            transactions.forget(new)

    intake = {
        "parseMessage": microseconds(lambda: parse_message(data)),
        "identify": microseconds(lambda: identify(headers)),
        "identifyCaller": microseconds(lambda: identify_caller(headers, trusts_assertion=True)),
        "requestKey": microseconds(lambda: request_key(request)),
        "receiveRequest": microseconds(receive),
        "makeResponse": microseconds(lambda: make_response(request, 200).encode()),
    }
    content = {
        "calledService": microseconds(lambda: called_service(request.uri, headers, numbers)),
        "splitBody": microseconds(lambda: split_body(headers, request.body)),
        "textOf": microseconds(lambda: text_of(parts)),
        "parsePidfLo": microseconds(lambda: parse_pidf_lo(parts[0].data)),
    }
    report = {
        "python": platform.python_version(),
        "bytes": len(data),
        "microseconds": {**intake, **content},
        "intake": round(sum(intake.values()), 2),
        "content": round(sum(content.values()), 2),
    }
    json.dump(report, sys.stdout, indent=2)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
