"""Command line of the measurements: `bin/bench ingest`, `screen`, `overload` and `transfer`."""

import argparse
import json
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from bench.errors import BenchError
from bench.ingest import IngestPlan, measure_ingest
from bench.kamailio import CHILDREN
from bench.overload import OverloadPlan, measure_overload
from bench.transfer import TransferPlan, measure_transfer
from bench.workload import CHATS
from psap.project.environment import PROJECT_ROOT

SIDES = ("ours", "kamailio")
INTERRUPTED = 130
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main(arguments: list[str] | None = None) -> int:
    """Run one measurement, print its JSON on stdout; returns the exit code."""
    options = _parser().parse_args(arguments)
    for number in STOP_SIGNALS:
        signal.signal(number, _interrupt)
    try:
        result = options.measure(options)
    except BenchError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return error.exit_code
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)  # noqa: T201
        return INTERRUPTED
    text = json.dumps(result, indent=2, ensure_ascii=False)
    if options.output:
        options.output.write_text(text + "\n")
    print(text)  # noqa: T201
    return 0


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    for number in STOP_SIGNALS:  # the way out ends what was started, and is not interrupted
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def _ingest(options: argparse.Namespace) -> dict[str, Any]:
    return measure_ingest(
        IngestPlan(
            directory=options.directory,
            seconds=options.seconds,
            start=options.start,
            highest=options.highest,
            chats=options.chats,
            sides=tuple(options.side or SIDES),
            children=tuple(options.children or CHILDREN),
        )
    )


def _overload(options: argparse.Namespace) -> dict[str, Any]:
    return measure_overload(
        OverloadPlan(
            directory=options.directory,
            times=options.times,
            seconds=options.seconds,
            chats=options.chats,
        )
    )


def _transfer(options: argparse.Namespace) -> dict[str, Any]:
    return measure_transfer(
        TransferPlan(
            directory=options.directory,
            transfers=options.transfers,
            texts=options.texts,
            transport=options.transport,
        )
    )


def _screen(options: argparse.Namespace) -> dict[str, Any]:
    # What speaks to Chromium is no requirement of the system or of `ingest`.
    from bench.screen import ScreenPlan, measure_screen

    return measure_screen(
        ScreenPlan(
            directory=options.directory,
            desks=options.desks,
            painting=options.painting,
            chats=options.chats,
            rate=options.rate,
            seconds=options.seconds,
        )
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bin/bench", description=__doc__)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--output", type=Path, help="write the JSON to this file too")
    common.add_argument(
        "--directory",
        type=Path,
        default=PROJECT_ROOT / "var",
        help="where the temporary state goes; on a disk, not in memory",
    )
    kinds = parser.add_subparsers(required=True, metavar="ingest|screen|overload|transfer")
    ingest = kinds.add_parser("ingest", parents=[common], help="messages a second, beside Kamailio")
    ingest.add_argument("--seconds", type=int, default=10, help="length of a step")
    ingest.add_argument("--start", type=int, default=2000, help="rate of the first step")
    ingest.add_argument("--highest", type=int, default=20000, help="rate of the last step")
    ingest.add_argument("--chats", type=int, default=CHATS, help="open chats")
    ingest.add_argument("--side", choices=SIDES, action="append", help="measure this side alone")
    ingest.add_argument("--children", type=int, action="append", help="of Kamailio; repeatable")
    ingest.set_defaults(measure=_ingest)
    screen = kinds.add_parser("screen", parents=[common], help="SIP in to the browser's document")
    screen.add_argument("--desks", type=int, default=20, help="consoles in Chromium")
    screen.add_argument("--painting", type=int, default=1, help="consoles that paint, too")
    screen.add_argument("--chats", type=int, default=40, help="open chats that messages go to")
    screen.add_argument("--rate", type=float, default=100.0, help="messages a second in all")
    screen.add_argument("--seconds", type=float, default=30.0, help="length of the measurement")
    screen.set_defaults(measure=_screen)
    overload = kinds.add_parser(
        "overload", parents=[common], help="what is taken at ten times the sustainable load"
    )
    overload.add_argument("--times", type=float, default=10.0, help="how many times the peak")
    overload.add_argument("--seconds", type=float, default=20.0, help="length of each phase")
    overload.add_argument("--chats", type=int, default=200, help="live chats")
    overload.set_defaults(measure=_overload)
    transfer = kinds.add_parser(
        "transfer", parents=[common], help="from 266 to 265, while a chat is handed over"
    )
    transfer.add_argument("--transfers", type=int, default=100, help="one after the other")
    transfer.add_argument("--texts", type=int, default=10, help="that each chat has already")
    transfer.add_argument("--transport", choices=("tcp", "udp"), default="tcp", help="of the app")
    transfer.set_defaults(measure=_transfer)
    return parser


if __name__ == "__main__":
    sys.exit(main())
