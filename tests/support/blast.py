"""A journaling client: in-chat messages at a steady rate, and a file of what was acknowledged.

Every message carries a text of its own; the text goes to the journal (one a line, fsync) once its
2xx has come. Unanswered ones are repeated byte for byte through every outage: the retransmissions
of RFC 3261 17.1.2 first, then the same bytes again; a refusal (5xx) goes out under a new branch
with the same From tag, Call-ID and CSeq.

Run by itself: python -m tests.support.blast --target HOST:PORT --journal FILE --rate 300
"""

import argparse
import asyncio
import os
import secrets
import signal
import sys
from dataclasses import dataclass, field
from pathlib import Path

from sipgateway.simulator import lmpe
from sipgateway.simulator.agent import NoFinalResponse, Timers, UserAgent
from sipgateway.simulator.body import PLAIN_TEXT
from sipgateway.simulator.message import encode_request
from sipgateway.simulator.transport import Target, parse_target

ELEMENT = "blast.example.org"
PAUSE_AFTER_REFUSAL = 0.5


class Journal:
    """Appends lines to a file; one fsync serves all that came during the one before."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab")
        self._waiting: list[bytes] = []
        self._wake = asyncio.Event()
        self._closing = False
        self._task = asyncio.create_task(self._write())

    def note(self, line: str) -> None:
        self._waiting.append(line.encode() + b"\n")
        self._wake.set()

    async def close(self) -> None:
        """Write what waits, then close."""
        self._closing = True
        self._wake.set()
        await self._task
        self._file.close()

    async def _write(self) -> None:
        while self._waiting or not self._closing:
            await self._wake.wait()
            batch, self._waiting = self._waiting, []
            if not self._closing:
                self._wake.clear()
            await asyncio.to_thread(self._sync, batch)

    def _sync(self, batch: list[bytes]) -> None:
        self._file.write(b"".join(batch))
        self._file.flush()
        os.fsync(self._file.fileno())


@dataclass(slots=True)
class Blast:
    """Messages of `chats` chats over `connections` sockets, `rate` a second, until stopped.

    `acknowledged` holds the texts that got a 2xx, `sent` all of them in order; a text is
    "<run>-<chat>-<number>". At most `outstanding` messages wait for an answer at once.
    """

    target: Target
    journal: Path
    rate: float = 300.0
    chats: int = 50
    connections: int = 4
    outstanding: int = 2_000
    timers: Timers = field(default_factory=Timers)
    run_id: str = field(default_factory=lambda: secrets.token_hex(4))
    sent: list[str] = field(default_factory=list)
    acknowledged: list[str] = field(default_factory=list)
    refused: list[tuple[str, int]] = field(default_factory=list)
    call_ids: list[str] = field(default_factory=list)
    _agents: list[UserAgent] = field(default_factory=list)
    _stopping: asyncio.Event = field(default_factory=asyncio.Event)

    def stop(self) -> None:
        """Send nothing new; `run` returns when everything sent has been answered."""
        self._stopping.set()

    async def run(self, patience: float = 60.0) -> None:
        """Send until `stop`, then wait at most `patience` seconds for the last answers.

        What is unanswered then is in `sent` and not in `acknowledged`. 4xx are not repeated.
        """
        self.call_ids = [lmpe.new_call_id(ELEMENT) for _ in range(self.chats)]
        self._agents = [UserAgent(self.target, timers=self.timers) for _ in range(self.connections)]
        journal = Journal(self.journal)
        running: set[asyncio.Task[None]] = set()
        try:
            await self._send_at_rate(journal, running)
            if running:
                await asyncio.wait(running, timeout=patience)
        finally:
            for task in running:
                task.cancel()
            if running:
                await asyncio.wait(running)
            await journal.close()
            for agent in self._agents:
                agent.close()

    async def _send_at_rate(self, journal: Journal, running: set[asyncio.Task[None]]) -> None:
        loop = asyncio.get_running_loop()
        begin, number = loop.time(), 0
        while not self._stopping.is_set():
            try:
                async with asyncio.timeout_at(begin + number / self.rate):
                    await self._stopping.wait()
                return
            except TimeoutError:
                pass
            if len(running) < self.outstanding:
                task = asyncio.create_task(self._deliver(number, journal))
                running.add(task)
                task.add_done_callback(running.discard)
            number += 1

    async def _deliver(self, number: int, journal: Journal) -> None:
        chat = number % self.chats
        text = f"{self.run_id}-{chat}-{number // self.chats}"
        agent = self._agents[chat % self.connections]
        branch = agent.new_branch()
        uri, headers, body = self._message(chat, number // self.chats, text)
        await agent.ready()
        self.sent.append(text)
        data = encode_request("MESSAGE", uri, [("Via", agent.via(branch)), *headers], body)
        while True:
            try:
                response = await agent.exchange(data, branch, "MESSAGE")
            except NoFinalResponse:
                continue
            if response.status < 300:
                self.acknowledged.append(text)
                journal.note(text)
                return
            self.refused.append((text, response.status))
            if response.status < 500:
                return
            await asyncio.sleep(PAUSE_AFTER_REFUSAL)
            branch = agent.new_branch()
            data = encode_request("MESSAGE", uri, [("Via", agent.via(branch)), *headers], body)

    def _message(
        self, chat: int, number: int, text: str
    ) -> tuple[str, list[tuple[str, str]], bytes]:
        """Return Request-URI, headers and body; the first message of a chat is its start."""
        kind = lmpe.IN_CHAT if number else lmpe.START
        headers = [
            ("Max-Forwards", "70"),
            ("To", "<sip:112@example.org>"),
            ("From", f"<sip:{self.run_id}-{chat}@example.org>;tag={secrets.token_hex(5)}"),
            ("Call-ID", secrets.token_hex(10)),
            ("CSeq", f"{number + 1} MESSAGE"),
            *lmpe.call_info(self.call_ids[chat], number + 1, kind, ELEMENT),
            ("Content-Type", PLAIN_TEXT),
        ]
        return "sip:112@example.org", headers, text.encode()


async def _main(arguments: argparse.Namespace) -> int:
    target = parse_target(arguments.transport, arguments.target)
    blast = Blast(target, arguments.journal, arguments.rate, arguments.chats)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, blast.stop)
    if arguments.seconds:
        loop.call_later(arguments.seconds, blast.stop)
    await blast.run()
    sys.stdout.write(f"{len(blast.sent)} sent, {len(blast.acknowledged)} acknowledged\n")
    return 0 if len(blast.sent) == len(blast.acknowledged) else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", required=True)
    parser.add_argument("--transport", choices=["udp", "tcp"], default="udp")
    parser.add_argument("--journal", type=Path, required=True)
    parser.add_argument("--rate", type=float, default=300.0)
    parser.add_argument("--chats", type=int, default=50)
    parser.add_argument("--seconds", type=float, help="stop by itself after that long")
    raise SystemExit(asyncio.run(_main(parser.parse_args())))
