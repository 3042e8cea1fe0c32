"""A chat on its way to another PSAP: an app, its chat here, and the target as a UDP socket."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from sipgateway.simulator.message import SipMessage
from tests.support.caller import Caller, kind_of
from tests.support.eventually import eventually
from tests.support.gateway import GatewayProcess
from tests.support.rawsip import RawSip
from tests.support.record import PUBLIC_URI, Record

START_REDIRECT, STOP_REDIRECT = 273, 274


@dataclass(slots=True)
class Scene:
    """All who take part; `uri` is the target's."""

    record: Record
    app: RawSip
    caller: Caller
    chat: int
    target: RawSip
    uri: str
    peer: int

    def redirect(self, text: str = "Wir verbinden Sie.") -> None:
        self.record.redirect(self.chat, self.peer, text)

    async def redirected(self) -> SipMessage:
        """Redirect, and return the 274 that the app has acknowledged."""
        self.redirect()
        await self.app.until(lambda: STOP_REDIRECT in map(kind_of, self.app.requests))
        await eventually(
            lambda: self.statuses()[-1:] == ["delivered"], "the redirect is acknowledged"
        )
        return next(r for r in self.app.requests if kind_of(r) == STOP_REDIRECT)

    def go_over(self, text: str = "Hier Anna") -> bytes:
        """Write the app's start|redirect/273, sent to us as the specification wants it."""
        history = ("History-Info", f"<{PUBLIC_URI}>;index=1")
        return self.caller.message(START_REDIRECT, text, headers=(history,))

    def session(self) -> str:
        return self.record.value("SELECT session FROM chats_chat WHERE id = %s", self.chat)

    async def until_session(self, *states: str, within: float = 10.0) -> None:
        await eventually(lambda: self.session() in states, f"{states}", within)

    def statuses(self) -> list[str]:
        return [status for _, status in self.record.outgoing(self.chat)]

    def events(self, kind: str) -> list[dict]:
        found = self.record.rows(
            "SELECT data FROM chats_chatevent WHERE chat_id = %s AND kind = %s ORDER BY seq",
            self.chat,
            kind,
        )
        return [row[0] for row in found]


@asynccontextmanager
async def redirect_scene(
    gateway: GatewayProcess, record: Record, *, transport: str = "tcp", **start: object
) -> AsyncIterator[Scene]:
    """Yield an open chat that `cora` has answered, and a peer to redirect it to."""
    caller = Caller(transport.upper())
    async with RawSip(gateway.target(transport)) as app, RawSip(gateway.target("udp")) as target:
        uri = f"sip:psap-b@127.0.0.1:{target.local[1]}"
        peer = record.peer(f"Leitstelle {target.local[1]}", uri)
        await app.exchange(caller.start(**start))
        await app.until(lambda: bool(app.requests))
        chat = record.chat_id(caller.call_id)
        record.claim(chat)
        await eventually(
            lambda: [s for _, s in record.outgoing(chat)] == ["delivered"], "it is greeted"
        )
        yield Scene(record, app, caller, chat, target, uri, peer)


def seen_configuration(record: Record, turns: list[object] = []) -> bool:  # noqa: B006
    """Whether the gateway has beaten twice, and so read its configuration, since the first ask."""
    beat = record.value("SELECT max(beat_at) FROM psap_serviceprocess WHERE name = 'gateway'")
    if beat not in turns:
        turns.append(beat)
    if len(turns) < 3:
        return False
    turns.clear()
    return True
