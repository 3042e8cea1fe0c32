"""The console on a stage: the real page and its modules, a server played by the test.

For states that a real server reaches seldom or slowly. Whether a real server says these things is
for the end-to-end tests to show.

    stage = await Stage.open(browser, cards=[card("1")], conversations={"1": conversation(...)})
    await stage.tell({"ev": "alarms", "alarms": [...]})
    stage.commands                     # what the console has asked for
    stage.replies["redirect"] = {...}  # what it is answered
"""

import asyncio
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

from django.contrib.staticfiles import finders
from django.template.loader import render_to_string
from django.test import RequestFactory
from playwright.async_api import Browser, Page, Route, WebSocketRoute, expect

ADDRESS = "http://127.0.0.1:9/"  # nobody listens there: every request is played
PING_EVERY = 4.0
Json = dict[str, Any]
COMMANDS = [
    "claim", "release", "send", "close", "redirect", "transfer", "hand-over", "take-back",
    "call-back", "report-source", "fetch-reference", "accept-offer", "decline-offer", "catch-up",
]  # fmt: skip
ME = {"username": "anna", "name": "Anna Berg"}
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c4944415408d763"
    "68d8d50000038301818f6d3ce50000000049454e44ae426082"
)
TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}

TIROL = {
    "id": "3", "name": "Leitstelle Tirol", "uri": "sip:psap@tirol.example", "transfers": True,
}  # fmt: skip
URI = TIROL["uri"]
CIVIC = {"country": "AT", "A3": "Salzburg", "RD": "Hauptstraße", "HNO": "12", "XYZ": "kept"}
LINE = "Hauptstraße 12, Salzburg, AT"
ADDRESS_ONLY = {"lat": None, "lon": None, "civic": CIVIC}
REPEATED = {"kind": "Alert", "identifier": "cap-1", "messageId": "1"}


def card(chat: str, **said: Any) -> Json:
    """Return a chat of mine as the queue shows it, but for what is `said` otherwise."""
    now = at()
    return {
        "chat": chat, "seq": 1, "callId": f"call-{chat}", "service": "urn:service:sos",
        "session": "open", "endedBy": None, "liveness": "alive", "owner": ME, "disposition": None,
        "caller": {"uri": f"sip:+4366412345{chat}@host", "asserted": True,
                   "displayName": f"Caller {chat}", "language": "de"},
        "openedAt": now, "answeredAt": now, "endedAt": None, "ringingSince": None,
        "lastSignOfLife": now, "lastCallerText": now, "lastDelivered": now, "standalone": False,
        "recovered": False, "linkedTo": None, "fix": None, "preview": "", "messages": 1,
        "test": False, "alert": False, "silent": False, "unprotected": False, "priority": "",
        "cameFrom": "", "goneTo": "", "clientEnds": {"redirect": False, "transfer": False},
        "references": {"pending": 0, "unlisted": 0, "failed": 0}, "transfer": None,
        **said,
    }  # fmt: skip


def message(number: int, text: str = "", **said: Any) -> Json:
    """Return a message of the caller, but for what is `said` otherwise."""
    return {
        "id": str(number), "direction": "in", "type": 259, "msgId": number, "text": text,
        "status": "received", "sipStatus": None, "cause": "", "author": None, "at": at(),
        "flags": [], "parts": [], "psap": "", "role": "caller", **said,
    }  # fmt: skip


def part(number: int, content_type: str, **said: Any) -> Json:
    """Return a part of a message."""
    return {
        "contentType": content_type, "size": 20_480, "sha256": "0" * 64, "flag": "", "name": "",
        "inline": False, "url": f"/chats/1/parts/{number}/", **said,
    }  # fmt: skip


def fix(number: int, shape: str, **said: Any) -> Json:
    """Return a position in Salzburg that message 1 brought, but for what is `said` otherwise."""
    return {
        "id": str(number), "shape": shape, "lat": 47.8095, "lon": 13.055, "radius": None,
        "method": "GPS", "at": at(), "messageId": "1", "msgId": 1, **said,
    }  # fmt: skip


def event(seq: int, kind: str, /, **data: Any) -> Json:
    """Return an event as a conversation lists it."""
    return {"seq": seq, "kind": kind, "at": at(), "actor": "calltaker:anna", "data": data}


def reference(number: int, status: str, **said: Any) -> Json:
    """Return something that a message names by its URL."""
    return {
        "id": str(number), "kind": "location", "purpose": "", "status": status, "cause": "",
        "url": f"https://lis{number}.example:8443/x?{number}", "allowedBy": None, "messageId": "1",
        **said,
    }  # fmt: skip


def live(kind: str, of: Json, data: Json | None = None, **said: Any) -> Json:
    """Return an event as consoles get it."""
    return {
        "ev": kind, "chat": of["chat"], "seq": of["seq"], "at": at(), "actor": "system",
        "data": data or {}, "card": of, **said,
    }  # fmt: skip


def conversation(of: Json, **said: Any) -> Json:
    """Return all of a chat, but for what is `said` otherwise."""
    return {
        "card": of, "messages": [], "fixes": [], "additionalData": [], "events": [],
        "references": [], "relays": [], "reports": [], "signalling": {}, "transfers": [],
        "notes": [], "psaps": [], **said,
    }  # fmt: skip


def transfer(state: str, **said: Any) -> Json:
    """Return an attempt of ours to give a chat to Tirol, but for what is `said` otherwise."""
    return {
        "id": "7", "side": "out", "state": state, "peer": TIROL["name"], "reason": "", "cause": "",
        "requestedAt": at(), "dueAt": at(30), "expiresAt": at(60), "executionExpiresAt": at(20),
        "atOnce": True, "by": ME, **said,
    }  # fmt: skip


def offer(number: int, state: str = "offered", **said: Any) -> Json:
    """Return a chat that Tirol hands over to us, but for what is `said` otherwise."""
    return {
        "id": str(number), "state": state, "peer": TIROL["name"], "from": URI,
        "to": "sip:psap@salzburg.example", "callId": f"urn:emergency:uid:callid:{number}:tirol",
        "reason": "Your service is in charge", "cause": "", "requestedAt": at(-4), "dueAt": at(26),
        "by": None, "automatic": False, "chat": None, **said,
    }  # fmt: skip


def at(seconds: float = 0) -> str:
    """Return the present time as the wire has it, or one so many seconds from it."""
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")


@dataclass  # without slots: Playwright marks the handlers that it is given
class Stage:
    """One console and what it has asked of the server that is played."""

    page: Page
    snapshot: Json
    conversations: dict[str, Json]
    commands: list[Json] = field(default_factory=list)
    replies: dict[str, Json] = field(default_factory=dict)
    documents: dict[str, Json] = field(default_factory=dict)
    complaints: list[str] = field(default_factory=list)
    _socket: WebSocketRoute | None = None
    _pinging: asyncio.Task[None] | None = None

    @classmethod
    async def open(
        cls,
        browser: Browser,
        cards: list[Json],
        conversations: dict[str, Json] | None = None,
        **said: Any,
    ) -> "Stage":
        """Open the console with these chats; `said` are further parts of its snapshot."""
        context = await browser.new_context(viewport={"width": 1366, "height": 768})
        page = await context.new_page()
        you = {**ME, "roles": ["call-taker"], "commands": COMMANDS}
        psap = {
            "name": "Control room Salzburg", "greeting": "", "closingText": "Goodbye.",
            "lostAfter": 45, "redirectText": "We are passing you on.", "reports": True,
            "transferText": "Another control room takes over.",
            "dispositions": [{"value": "resolved", "label": "Resolved"}],
        }  # fmt: skip
        snapshot = {"ev": "snapshot", "you": you, "psap": psap, "chats": cards, "peers": [],
                    "alarms": [], "offers": [], **said}  # fmt: skip
        stage = cls(page, snapshot, conversations or {c["chat"]: conversation(c) for c in cards})
        page.on("pageerror", lambda error: stage.complaints.append(str(error)))
        await page.route("**/*", stage._serve)
        await page.route_web_socket("**/ws/console/**", stage._connect)
        await page.goto(ADDRESS)
        await expect(page.locator("body.console")).to_have_attribute("data-connection", "live")
        return stage

    async def tell(self, frame: Json) -> None:
        """Let the server say something."""
        assert self._socket is not None
        self._socket.send(json.dumps(frame))

    async def drop(self) -> None:
        """Cut the connection; the console comes back and gets the snapshot as it is then."""
        assert self._socket is not None
        await self._socket.close()

    async def choose(self, chat: str) -> None:
        """Show a chat of the queue."""
        opened = self.page.locator(f'#queue [data-chat="{chat}"] .card-open')
        # Not by the mouse: what comes into the page beside may move a card from under it.
        await opened.focus()
        await self.page.keyboard.press("Enter")
        await expect(self.page.locator("#message-list")).to_have_attribute("aria-busy", "false")

    async def asked_for(self, do: str, *, times: int = 1) -> None:
        """Wait until a command was given so many times."""
        async with asyncio.timeout(10):
            while sum(command["do"] == do for command in self.commands) < times:
                await self.page.evaluate("() => new Promise(requestAnimationFrame)")

    def _connect(self, socket: WebSocketRoute) -> None:
        self._socket = socket
        socket.on_message(self._hear)
        socket.send(json.dumps({**self.snapshot, "at": at()}))
        if self._pinging is not None:
            self._pinging.cancel()
        self._pinging = asyncio.create_task(self._ping(socket))

    async def _ping(self, socket: WebSocketRoute) -> None:
        """Ping as the server does: a console that hears nothing for 10 s connects anew."""
        while not self.page.is_closed():
            await asyncio.sleep(PING_EVERY)
            socket.send(json.dumps({"ev": "ping", "at": at(), "readAt": at()}))

    def _hear(self, frame: str | bytes) -> None:
        command = json.loads(frame)
        if command["do"] == "pong":
            return
        assert self._socket is not None
        if command["do"] != "catch-up":
            self.commands.append({k: v for k, v in command.items() if k != "id"})
        reply = self.replies.get(command["do"], {"ok": True, "more": False})
        self._socket.send(json.dumps({"re": command["id"], **reply}))

    async def _serve(self, route: Route) -> None:
        path = urlsplit(route.request.url).path
        pieces = path.strip("/").split("/")
        if path == "/":
            await route.fulfill(body=console_page(), content_type="text/html")
        elif path in self.documents:
            await route.fulfill(json=self.documents[path])
        elif path.startswith("/static/") and (found := finders.find(path[8:])):
            file = Path(str(found))
            await route.fulfill(path=file, content_type=TYPES.get(file.suffix))
        elif path.endswith("/conversation/") and pieces[1] in self.conversations:
            await route.fulfill(json=self.conversations[pieces[1]])
        elif path.endswith("/image/"):
            await route.fulfill(body=PIXEL, content_type="image/png")
        else:
            await route.fulfill(status=404)


def console_page() -> str:
    """Render the console's page for somebody without a database."""
    request = RequestFactory().get("/")
    name = ME["username"]
    request.user = SimpleNamespace(  # type: ignore[assignment]
        get_username=lambda: name, shown_name=ME["name"], is_staff=False, is_authenticated=True
    )
    return render_to_string("console/console.html", {}, request)
