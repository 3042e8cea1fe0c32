"""Answers to a redirected app that come to us: they go back to it as through any proxy.

What we pass on to the new PSAP reaches it over our connection, and RFC 3261 lets it answer on
that one. To the app we are its next hop: without this, the new PSAP's start/257 would end here.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from chats.services.identifiers import new_branch
from chats.services.incoming import ChatState
from chats.services.relays import ClaimedRelay
from sipgateway.arrivals import Arrival
from sipgateway.database import Connection
from sipgateway.flows import Flow
from sipgateway.outgoing import TIMED_OUT, Outgoing
from sipgateway.protocol.addresses import normalise_uri
from sipgateway.protocol.errors import LocalProtocolError
from sipgateway.protocol.message import Response
from sipgateway.protocol.onward import onward_message
from sipgateway.routes import NoRoute, Routes

logger = logging.getLogger(__name__)

MOST_KEPT = 10_000
UNAVAILABLE = 480
TOO_MANY_HOPS = 483
LEFT = ("redirecting", "redirected", "transferring", "transferred")

_LOAD = b"""
SELECT unique_part, target_uri, caller_uri, asserted_uri, transport, peer, trunk FROM chats_chat
WHERE session = ANY(%b) AND unique_part <> '' AND last_sign_of_life > now() - interval '1 day'
ORDER BY id DESC LIMIT %b
"""

Conclude = Callable[[Arrival, int], None]
GiveUp = Callable[[Arrival], None]


@dataclass(frozen=True, slots=True)
class _Way:
    """An app that has left: the URIs that it goes by, and where it was heard last.

    `target` is where its messages were relayed to last: transport and address.
    """

    uris: frozenset[str]
    transport: str
    peer: str
    trunk: str
    target: tuple[str, str] = ("", "")


def _way(*uris: str, transport: str, peer: str, trunk: str) -> _Way:
    names = frozenset(name for uri in uris if (name := normalise_uri(uri)))
    return _Way(names, transport, peer, trunk)


def _way_to(chat: ChatState) -> _Way:
    uris = (chat.target_uri, chat.caller_uri, chat.asserted_uri)
    return _way(*uris, transport=chat.transport, peer=chat.peer, trunk=chat.trunk)


class PassingBack:
    """Knows the chats that are elsewhere, by the unique part of their call identifier."""

    def __init__(self, outgoing: Outgoing, routes: Callable[[], Routes]) -> None:
        self._outgoing = outgoing
        self._routes = routes
        self._ways: OrderedDict[str, _Way] = OrderedDict()
        self._tasks: set[asyncio.Task[None]] = set()

    async def load(self, connection: Connection) -> None:
        """Read the chats of the last day that are elsewhere; after a restart."""
        cursor = await connection.execute(_LOAD, (list(LEFT), MOST_KEPT))
        for unique_part, *uris, transport, peer, trunk in reversed(await cursor.fetchall()):
            self._keep(unique_part, _way(*uris, transport=transport, peer=peer, trunk=trunk))

    def learn(self, chats: Iterable[ChatState]) -> None:
        """Take over where apps that have left were heard, and forget those that are back."""
        for chat in chats:
            if chat.session in LEFT and chat.unique_part:
                self._keep(chat.unique_part, _way_to(chat))
            elif self._ways and self._is_back(chat):
                del self._ways[chat.unique_part]

    def relayed_over(self, relay: ClaimedRelay, flow: Flow) -> None:
        """Note the way that a message goes on by: what comes back on it is the target's.

        Its chat may have left while nobody wrote in it, by a peer's word.
        """
        if not relay.unique_part:
            return
        if relay.unique_part not in self._ways:
            way = _way(*relay.uris, transport=relay.transport, peer=relay.peer, trunk=relay.trunk)
            self._keep(relay.unique_part, way)
        way = self._ways[relay.unique_part]
        self._ways[relay.unique_part] = replace(way, target=(flow.transport, flow.peer))

    def _is_back(self, chat: ChatState) -> bool:
        """Whether it is the app that had left, and nobody else with its call identifier."""
        way = self._ways.get(chat.unique_part)
        return way is not None and not way.uris.isdisjoint(_way_to(chat).uris)

    def concerns(self, arrival: Arrival) -> bool:
        """Say whether the PSAP that has an app of ours writes to it by us.

        That is a trusted peer, or whoever answers on the way that we relayed to it by.
        """
        if not self._ways:
            return False
        way = self._ways.get(arrival.identifiers.unique_part)
        if way is None or arrival.caller.uri in way.uris:
            return False
        if not arrival.trusted_peer and (arrival.flow.transport, arrival.flow.peer) != way.target:
            return False
        return normalise_uri(arrival.request.uri.strip("<> ")) in way.uris

    def pass_back(self, arrival: Arrival, conclude: Conclude, give_up: GiveUp) -> None:
        """Send it to the app; its answer, whatever it is, becomes ours (RFC 3261 16.7)."""
        task = asyncio.create_task(self._send(arrival, conclude, give_up))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _send(self, arrival: Arrival, conclude: Conclude, give_up: GiveUp) -> None:
        way = self._ways.get(arrival.identifiers.unique_part)
        uri = arrival.request.uri.strip("<> ")
        branch = new_branch()
        try:
            if way is None:
                raise NoRoute("the app is back")
            routes = self._routes()
            flow = await routes.find(way.transport, way.peer, uri, trunk=way.trunk)
            via = routes.via(flow)
            data = onward_message(
                arrival.request,
                target=uri,
                branch=branch,
                via_transport=via.transport,
                via_host=via.host,
                via_port=via.port,
                trusted=False,  # apps that see an assertion answer past Reply-To
                retargets=False,
            )
        except NoRoute as error:
            logger.info("nothing leads back to %s: %s", uri, error)
            conclude(arrival, UNAVAILABLE)
            return
        except LocalProtocolError:
            conclude(arrival, TOO_MANY_HOPS)
            return

        def done(status: int, response: Response | None) -> None:
            if response is None and status == TIMED_OUT:
                give_up(arrival)  # a proxy never answers 408 to what is no INVITE (RFC 4320)
            else:
                conclude(arrival, status)

        self._outgoing.send(data, branch, flow, done)

    def _keep(self, unique_part: str, way: _Way) -> None:
        known = self._ways.get(unique_part)
        if known is not None:
            way = replace(way, target=known.target)
        self._ways[unique_part] = way
        self._ways.move_to_end(unique_part)
        if len(self._ways) > MOST_KEPT:
            self._ways.popitem(last=False)
