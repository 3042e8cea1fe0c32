"""What has happened in pjsua2, handed to whom it concerns; and what was lost, counted."""

import asyncio
import logging
from collections import OrderedDict
from datetime import UTC, datetime

from sipgateway.bridged import is_cut, read_message
from sipgateway.protocol.message import Request
from sipgateway.registrar.events import Answered, ConnectionClosed, Event, Received
from sipgateway.registrar.inbox import Inbox, Parcel
from sipgateway.registrar.packets import DroppedPacket
from sipgateway.registrar.refusal import OK, TOO_LONG, answer_dropped
from sipgateway.registrar.roster import Roster

logger = logging.getLogger(__name__)

PEERS_REMEMBERED = 10_000


class Intake:
    """Takes events; every MESSAGE goes to the inbox, whole or not."""

    def __init__(self, inbox: Inbox, roster: Roster) -> None:
        self._inbox = inbox
        self._roster = roster
        self._heard: OrderedDict[str, int] = OrderedDict()  # peer → account
        self._answering: set[asyncio.Task[None]] = set()
        self._received = 0
        self._cut = 0
        self._cut_at: datetime | None = None
        self._cut_from = ""

    @property
    def figures(self) -> dict[str, object]:
        """What the status page and the alarms are told."""
        return {
            "leitstand_registrar_messages_total": self._received,
            "leitstand_registrar_messages_cut_total": self._cut,
            "cut_at": self._cut_at.isoformat() if self._cut_at else "",
            "cut_from": self._cut_from,
        }

    def take(self, event: Event) -> None:
        """Take one event of the engine's."""
        match event:
            case Answered(key, answer):
                self._roster.answered(key, answer)
            case ConnectionClosed():
                self._roster.lost()
            case Received():
                self._receive(event)
            case DroppedPacket():
                self._rescue(event)

    def account_of(self, peer: str) -> int | None:
        """Return the account that a peer was heard on last."""
        return self._heard.get(peer)

    def _receive(self, event: Received) -> None:
        self._received += 1
        self._heard[event.peer] = event.account_id
        self._heard.move_to_end(event.peer)
        while len(self._heard) > PEERS_REMEMBERED:
            self._heard.popitem(last=False)
        request = read_message(event.raw)
        if request is not None and is_cut(request):
            self._note_cut(event.peer, len(event.raw), request)
        self._inbox.put(Parcel(event.peer, event.raw))

    def _rescue(self, packet: DroppedPacket) -> None:
        """Keep what is left of a message that pjsua2 threw away, and answer it in its place."""
        self._received += 1
        request = read_message(packet.raw)
        if request is None:
            logger.error("pjsua2 threw away a message of %s that is not readable", packet.peer)
            self._inbox.put(Parcel(packet.peer, packet.raw))
            return
        cut = is_cut(request)
        if cut:
            self._note_cut(packet.peer, len(packet.raw), request)
        status = TOO_LONG if cut else OK

        def answer() -> None:
            task = asyncio.ensure_future(answer_dropped(packet, request, status))
            self._answering.add(task)
            task.add_done_callback(self._answering.discard)

        self._inbox.put(Parcel(packet.peer, packet.raw, committed=answer))

    def _note_cut(self, peer: str, kept: int, request: Request) -> None:
        self._cut += 1
        self._cut_at = datetime.now(UTC)
        self._cut_from = peer
        logger.error(
            "pjsua2 has cut a message from %s: %d bytes are left of one whose body has %s",
            peer,
            kept,
            request.headers.get("content-length"),
        )
