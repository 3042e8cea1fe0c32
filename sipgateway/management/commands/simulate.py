"""`simulate`: play emergency apps over real SIP against a PSAP and check what comes back."""

import asyncio
import json
import math
import secrets
import signal
import time
from typing import Any, NoReturn

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from sipgateway.simulator.fleet import Fleet, allow_sockets
from sipgateway.simulator.pace import Plan
from sipgateway.simulator.report import advance, progress_bar, render, summarise
from sipgateway.simulator.scripts import SCRIPTS
from sipgateway.simulator.transport import Target, parse_target, secure

BAD_ARGUMENTS = 2


class Command(BaseCommand):
    """Exit code 0 when every caller was served, 1 when not, 2 for bad arguments."""

    help = __doc__
    requires_system_checks: list[str] = []  # noqa: RUF012 - as Django declares it

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        parser = super().create_parser(prog_name, subcommand, **kwargs)
        parser.error = self._refuse  # type: ignore[method-assign]
        return parser

    def add_arguments(self, parser: CommandParser) -> None:
        environment = settings.ENVIRONMENT
        parser.add_argument("--callers", type=int, default=1, help="how many (default 1)")
        parser.add_argument("--rate", type=float, default=1.0, help="new callers a second")
        parser.add_argument("--script", choices=sorted(SCRIPTS), default="chat")
        parser.add_argument("--transport", choices=["udp", "tcp", "tls"], default="tcp")
        parser.add_argument(
            "--direct",
            action="store_true",
            help="no proxy: reachable at its own URI, and straight to a Reply-To with an address",
        )
        parser.add_argument("--authority", help="PEM file of the CA that the PSAP's TLS is under")
        parser.add_argument("--certificate", help="PEM file that we show with TLS")
        parser.add_argument("--key", help="PEM file of its private key")
        parser.add_argument(
            "--target",
            help=f"HOST:PORT of the PSAP (default {environment.host} and its port)",
        )
        parser.add_argument(
            "--duration",
            type=float,
            default=20.0,
            help="seconds until a caller gives up, counted again from each call-taker's text",
        )
        parser.add_argument("--heartbeat", type=float, default=15.0, help="seconds, at most 20")
        parser.add_argument("--seed", type=int, help="the same people, places and texts again")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        fleet = self._fleet(options)
        begin = time.monotonic()
        asyncio.run(self._run(fleet))
        summary = summarise(fleet, time.monotonic() - begin)
        if options["json"]:
            self.stdout.write(json.dumps(summary, ensure_ascii=False))
        else:
            self.stdout.write(render(summary, terminal=self.stdout.isatty()))
        if summary["unserved"]:
            raise SystemExit(1)

    async def _run(self, fleet: Fleet) -> None:
        running = asyncio.ensure_future(self._play(fleet))
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, running.cancel)
        await asyncio.wait({running})
        if not running.cancelled():
            running.result()

    async def _play(self, fleet: Fleet) -> None:
        with progress_bar(fleet, terminal=self.stderr.isatty()) as progress:
            await fleet.run(lambda: advance(progress, fleet))

    def _fleet(self, options: dict[str, Any]) -> Fleet:
        for name in ("rate", "duration", "heartbeat"):
            if not math.isfinite(options[name]) or options[name] <= 0:
                self._refuse(f"--{name} is a number above 0")
        if options["heartbeat"] > 20:
            self._refuse("--heartbeat is at most 20 seconds (TS 103 698 clause 6.2.5)")
        if options["callers"] < 1:
            self._refuse("--callers is at least 1")
        try:
            target = self._target(options)
            allow_sockets(options["callers"])
        except ValueError as error:
            self._refuse(str(error))
        return Fleet(
            target=target,
            plan=Plan(options["script"], options["duration"], options["heartbeat"]),
            callers=options["callers"],
            rate=options["rate"],
            seed=secrets.randbits(32) if options["seed"] is None else options["seed"],
            direct=options["direct"],
        )

    def _target(self, options: dict[str, Any]) -> Target:
        environment, transport = settings.ENVIRONMENT, options["transport"]
        port = environment.sips_port if transport == "tls" else environment.sip_port
        host = f"[{environment.host}]" if ":" in environment.host else environment.host
        files = [options[name] for name in ("authority", "certificate", "key")]
        if transport == "tls" and not all(files):
            raise ValueError("TLS needs --authority, --certificate and --key")
        security = secure(*files) if transport == "tls" else None
        return parse_target(transport, options["target"] or f"{host}:{port}", security)

    def _refuse(self, message: str) -> NoReturn:
        if getattr(self, "_called_from_command_line", False):
            self.stderr.write(f"simulate: {message}")
            raise SystemExit(BAD_ARGUMENTS)
        raise CommandError(message, returncode=BAD_ARGUMENTS)
