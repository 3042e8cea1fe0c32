"""Our heartbeats in every live chat (clause 6.2.5): at least every 20 s, no rows, no MsgId."""

import asyncio
from collections.abc import Callable

from sipgateway.outbound import Letter, compose
from sipgateway.outgoing import Outgoing
from sipgateway.presence import LiveChat, Presence
from sipgateway.protocol.errors import LocalProtocolError
from sipgateway.protocol.lmpe import MessageType
from sipgateway.protocol.message import Response
from sipgateway.routes import Routes

TICK = 0.25


class Heartbeats:
    """One task that sends what is due; a chat without a live connection is passed over."""

    def __init__(
        self,
        presence: Presence,
        outgoing: Outgoing,
        routes: Routes,
        *,
        public_uri: Callable[[], str],
        interval: Callable[[], int],
        clock: Callable[[], float],
        new_id: Callable[[], str],
        new_branch: Callable[[], str],
    ) -> None:
        self._presence = presence
        self._outgoing = outgoing
        self._routes = routes
        self._public_uri = public_uri
        self._interval = interval
        self._clock = clock
        self._new_id = new_id
        self._new_branch = new_branch

    async def run(self) -> None:
        """Send for ever."""
        while True:
            await asyncio.sleep(TICK)
            now = self._clock()
            interval = self._interval()
            for chat in list(self._presence.chats()):
                if chat.heartbeat_due <= now:
                    chat.heartbeat_due = now + interval
                    if chat.greeted and chat.liveness != "lost":
                        self._send(chat)

    def _send(self, chat: LiveChat) -> None:
        flow = self._routes.live(chat.transport, chat.peer, chat.trunk)
        if flow is None or self._outgoing.is_running(chat.heartbeat_branch):
            return
        if self._outgoing.throttle.leaves_out(flow):
            return
        chat.heartbeat_branch = self._new_branch()
        letter = Letter(
            message_id=0,
            chat_id=chat.id,
            msg_type=MessageType.HEARTBEAT,
            msg_id=None,
            text=None,
            sip_call_id=self._new_id(),
            cseq=1,
            branch=chat.heartbeat_branch,
            attempts=1,
            call_id=chat.call_id,
            local_tag=chat.local_tag,
            remote_uri=chat.remote_uri,
            transport=chat.transport,
            peer=chat.peer,
            session="open",
            liveness=chat.liveness,
        )
        try:
            data = compose(letter, public_uri=self._public_uri(), via=self._routes.via(flow))
        except LocalProtocolError:
            return  # the caller's URI cannot stand in a request; the outbox tells the call-taker
        self._outgoing.send(data, letter.branch, flow, _ignore, must_go=False)


def _ignore(status: int, response: Response | None) -> None:
    """The app's own messages are its signs of life, not its answers to ours."""
