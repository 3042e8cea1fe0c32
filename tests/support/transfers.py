"""Chats on their way between PSAPs, at a gateway process: the app is real, the other PSAP played.

What the worker and the peer interface would do is done by calling the services as those do.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from chats.models import Transfer
from chats.services.transfers.arriving import receive_execution
from chats.services.transfers.executed import record_not_taken, record_snapshot, record_taken
from chats.services.transfers.negotiated import record_agreed
from chats.services.transfers.offers import accept_offer, make_offer
from chats.services.transfers.request import request_transfer
from psap.models import Peer, Psap, User
from sipgateway.simulator.app import SimulatedApp
from sipgateway.simulator.message import SipMessage
from tests.support.caller import Caller, kind_of
from tests.support.coming import handed_chat
from tests.support.eventually import eventually
from tests.support.gateway import GatewayProcess
from tests.support.psap import URI as TRANSFEROR
from tests.support.psap import Arrival, SmallPsap
from tests.support.rawsip import RawSip
from tests.support.record import Record

START_TRANSFER, STOP_TRANSFER = 265, 266


@dataclass(slots=True)
class Chat:
    """A chat on the record, and the transfer of it."""

    record: Record
    chat: int
    transfer: int

    def session(self) -> str:
        return self.record.value("SELECT session FROM chats_chat WHERE id = %s", self.chat)

    def state(self) -> str:
        return self.record.value("SELECT state FROM chats_transfer WHERE id = %s", self.transfer)

    async def until(self, *states: str, within: float = 10.0) -> None:
        """Wait until the transfer is in one of these states."""
        await eventually(lambda: self.state() in states, f"{states}", within)

    async def until_session(self, *states: str, within: float = 10.0) -> None:
        await eventually(lambda: self.session() in states, f"{states}", within)

    def ours(self, *types: int) -> list[tuple[int, int, str]]:
        """Return type, MsgId and status of our messages of those types, oldest first."""
        return self.record.rows(
            "SELECT type, msg_id, status FROM chats_message WHERE chat_id = %s"
            " AND direction = 'out' AND origin = '' AND type = ANY(%s) ORDER BY id",
            self.chat,
            list(types),
        )

    def relays(self) -> list[tuple[str, str]]:
        """Return text and status of what has gone on, oldest first."""
        return self.record.rows(
            "SELECT m.text, r.status FROM chats_relay r JOIN chats_message m ON m.id = r.message_id"
            " WHERE r.chat_id = %s ORDER BY m.id",
            self.chat,
        )

    def kinds(self) -> list[str]:
        rows = self.record.rows(
            "SELECT kind FROM chats_chatevent WHERE chat_id = %s ORDER BY seq", self.chat
        )
        return [row[0] for row in rows]


@dataclass(slots=True)
class Away(Chat):
    """A chat that we hand over; `target` is the SIP side of the transferee."""

    app: RawSip
    caller: Caller
    target: RawSip
    peer: int

    def request(self, text: str = "Bitte warten.") -> None:
        """Have `cora` transfer it and the peer accept: our 266 is queued."""
        self.record.run(self._request, text)

    def _request(self, text: str) -> None:
        cora = User.objects.get(username="cora")
        transfer = request_transfer(
            chat_id=self.chat,
            call_taker=cora,
            peer_id=self.peer,
            reason="sea rescue",
            text=text,
            override=False,
            at_once=True,
            now=_now(),
        )
        record_agreed(transfer_id=transfer.pk, expiry=60, now=_now())
        self.transfer = transfer.pk

    async def stop(self) -> SipMessage:
        """Return our latest 266, as the app has got it."""
        await self.app.until(lambda: STOP_TRANSFER in map(kind_of, self.app.requests))
        return [r for r in self.app.requests if kind_of(r) == STOP_TRANSFER][-1]

    async def stalled(self) -> SipMessage:
        """Transfer it until the peer is to be asked for the execution."""
        self.request()
        await self.until("executing")
        return await self.stop()

    async def executed(self) -> None:
        """Go on until the body of the execution is on its way."""
        await self.stalled()
        assert self.record.run(self._snapshot) == b"{}"

    def _snapshot(self) -> bytes | None:
        return record_snapshot(transfer_id=self.transfer, write=lambda transfer: b"{}", now=_now())

    def take(self) -> None:
        """Have the peer answer 200."""
        self.record.run(record_taken, transfer_id=self.transfer, http_status=200, now=_now())

    def refuse(self) -> None:
        """Have the peer answer 503."""
        self.record.run(
            record_not_taken,
            transfer_id=self.transfer,
            cause="503",
            http_status=200,
            now=_now(),
        )


@asynccontextmanager
async def leaving_chat(
    gateway: GatewayProcess, record: Record, *, transport: str = "tcp", **start: object
) -> AsyncIterator[Away]:
    """Yield an open chat that `cora` has answered, and a peer that takes transfers."""
    caller = Caller(transport.upper())
    async with RawSip(gateway.target(transport)) as app, RawSip(gateway.target("udp")) as target:
        uri = f"sip:psap-b@127.0.0.1:{target.local[1]}"
        peer = record.peer(f"Leitstelle {target.local[1]}", uri)
        record.run(Peer.objects.filter(pk=peer).update, url="https://127.0.0.1:9/")
        await app.exchange(caller.start(**start))
        await app.until(lambda: bool(app.requests))
        chat = record.chat_id(caller.call_id)
        record.claim(chat)
        await eventually(
            lambda: [s for _, s in record.outgoing(chat)] == ["delivered"], "it is greeted"
        )
        yield Away(record, chat, 0, app, caller, target, peer)


@dataclass(slots=True)
class Here(Chat):
    """A chat that is handed over to us; `app` stalls, told so by its first PSAP, `first`."""

    app: SimulatedApp
    first: SmallPsap
    arrival: Arrival
    peer: int

    def execute(self, *, expiry: int = 20, **handed: Any) -> None:
        """Have the transferor offer and execute, and `cora` accept: our 265 is queued."""
        self.record.run(self._execute, expiry, handed)
        self.chat = self.record.value(
            "SELECT chat_id FROM chats_transfer WHERE id = %s", self.transfer
        )

    def _execute(self, expiry: int, handed: dict[str, Any]) -> None:
        peer = Peer.objects.get(pk=self.peer)
        offer = make_offer(
            peer=peer,
            call_id=self.app.call_id,
            transfer_from=TRANSFEROR,
            transfer_to=Psap.objects.get().public_uri,
            reason="sea rescue",
            now=_now(),
        )
        cora = User.objects.get(username="cora")
        accept_offer(transfer_id=offer.pk, call_taker=cora, now=_now())
        uri = self.app.persona.uri
        values = {"app_uri": uri, "caller_uri": uri, "user_agent": self.app.user_agent} | handed
        self.transfer = receive_execution(
            peer=peer,
            call_id=self.app.call_id,
            last_msg_id=1,
            expiry=expiry,
            body_sha256=hashlib.sha256(self.app.call_id.encode()).digest(),
            chat=handed_chat(**values),
            now=_now(),
        )
        assert Transfer.objects.get(pk=self.transfer).chat_id

    def starts(self) -> list[SipMessage]:
        """Return our 265s that the app has taken up, oldest first."""
        return [r.message for r in self.app.received if r.msg_type == START_TRANSFER]


@asynccontextmanager
async def arriving_chat(
    gateway: GatewayProcess, record: Record, *, transport: str = "tcp", direct: bool = True
) -> AsyncIterator[Here]:
    """Yield an app that its first PSAP has told to wait, and the peer that this PSAP is to us."""
    async with SmallPsap() as first:
        target = gateway.target(transport)
        app = SimulatedApp(type(target)(transport, "127.0.0.1", first.port), direct=direct)
        async with app:
            await app.start()
            await asyncio.wait_for(app.greeted.wait(), 5)
            arrival = first.arrivals[-1]
            first.manners.first_msg_id = 1
            first.stall(arrival)
            await app.wait_for_type(STOP_TRANSFER)
            peer = record.run(
                lambda: Peer.objects.update_or_create(
                    name="Transferor", defaults={"uris": TRANSFEROR, "auto_accept": False}
                )
            )[0].pk
            yield Here(record, 0, 0, app, first, arrival, peer)


def _now() -> datetime:
    return datetime.now(UTC)
