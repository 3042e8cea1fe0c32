"""Live chats in memory: signs of life without a row each, and when our heartbeats are due.

A cache of the record and nothing more: a restart reads it back, and what it has not flushed yet
is two seconds of signs of life.
"""

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b

from chats.services.incoming import ChatState, is_vouched_for
from sipgateway.arrivals import Arrival
from sipgateway.protocol.lmpe import MessageType

HEARTBEATS = (MessageType.HEARTBEAT, MessageType.HEARTBEAT_INACTIVE)

MOST_BEAT_IDS = 1000
MOST_GREETED = 10_000

Key = tuple[str, str, str]  # unique part, element, From URI


@dataclass(slots=True)
class LiveChat:
    """An open chat as the gateway needs it between two messages."""

    id: int
    call_id: str
    key: Key
    remote_uri: str
    local_tag: str
    liveness: str
    transport: str
    peer: str
    last_sign_of_life: datetime
    heartbeat_due: float
    greeted: bool = False
    heartbeat_branch: str = ""
    asserted_uri: str = ""
    last_body: bytes = b""
    trunk: str = ""
    # MsgIds of heartbeats that were answered from memory since the last on the record; None
    # where nobody knows them, as after a restart.
    beat_ids: set[int] | None = None


def _key_of(arrival: Arrival) -> Key:
    identifiers = arrival.identifiers
    return identifiers.unique_part, identifiers.element, arrival.caller.uri


def _digest(body: bytes) -> bytes:
    return blake2b(body, digest_size=16).digest()


def _later(msg_ids: set[int] | None, than: int) -> set[int]:
    return {msg_id for msg_id in msg_ids if msg_id > than} if msg_ids else set()


class Presence:
    """The open chats, found by what their messages say about themselves."""

    def __init__(self) -> None:
        self._by_key: dict[Key, LiveChat] = {}
        self._parts: dict[str, int] = {}  # unique part → chats of that name
        self._by_id: dict[int, LiveChat] = {}
        self._unflushed: dict[int, LiveChat] = {}
        self._heard: dict[int, datetime] = {}
        # Chats that are not open here and whose apps know us: all, oldest first, and those that
        # may be open again, which nobody has told us.
        self._greeted: OrderedDict[int, None] = OrderedDict()
        self._awaited: set[int] = set()
        self._ways: OrderedDict[int, tuple[str, str, str]] = OrderedDict()

    def __len__(self) -> int:
        """How many chats are open."""
        return len(self._by_id)

    def chats(self) -> Iterable[LiveChat]:
        """Every open chat."""
        return self._by_id.values()

    def knows(self, arrival: Arrival) -> bool:
        """Whether a message belongs to an open chat, as far as is known here."""
        return _key_of(arrival) in self._by_key

    def knows_part(self, unique_part: str) -> bool:
        """Whether the unique part is that of an open chat, whoever writes."""
        return unique_part in self._parts

    def way_of(self, chat_id: int) -> tuple[str, str] | None:
        """Return transport and address that a chat's app was heard on last."""
        chat = self._by_id.get(chat_id)
        return (chat.transport, chat.peer) if chat else None

    def absorbs(self, arrival: Arrival) -> bool:
        """Take a heartbeat that brings nothing new; False when it belongs on the record.

        New is another body than that of the last heartbeat on the record, another liveness, a
        chat that leaves TLS, or one unknown here; and what only claims to be a caller whose
        identity was asserted.
        """
        identifiers = arrival.identifiers
        if identifiers.msg_type not in HEARTBEATS:
            return False
        chat = self._by_key.get(_key_of(arrival))
        if chat is None or not is_vouched_for(
            chat.asserted_uri, arrival.caller.asserted_uri, trusted=arrival.trusted_peer
        ):
            return False
        body = arrival.request.body
        if body and _digest(body) != chat.last_body:
            return False
        shown = "alive" if identifiers.msg_type == MessageType.HEARTBEAT else "background"
        if shown != chat.liveness or chat.transport == "tls" != arrival.flow.transport:
            return False
        chat.last_sign_of_life = arrival.received_at
        chat.transport, chat.peer = arrival.flow.transport, arrival.flow.peer
        chat.trunk = arrival.trunk
        self._unflushed[chat.id] = chat
        self._heard[chat.id] = arrival.received_at
        if identifiers.msg_id is not None and chat.beat_ids is not None:
            chat.beat_ids.add(identifiers.msg_id)
            if len(chat.beat_ids) > MOST_BEAT_IDS:
                chat.beat_ids = None
        return True

    def beats_between(self, chat_id: int, after: int, before: int) -> int | None:
        """Count a chat's heartbeats with a MsgId between two others; None when nobody knows."""
        chat = self._by_id.get(chat_id)
        if chat is None or chat.beat_ids is None:
            return None
        return sum(after < msg_id < before for msg_id in chat.beat_ids)

    def committed(self, arrival: Arrival) -> None:
        """Note what is on the record now, against which the next heartbeat brings news or none."""
        body = arrival.request.body
        if body and (chat := self._by_key.get(_key_of(arrival))):
            beats = arrival.identifiers.msg_type in HEARTBEATS
            chat.last_body = _digest(body) if beats else b""

    def learn(self, chats: Iterable[ChatState], heartbeat_due: float) -> None:
        """Take over what a projection made of its chats; an ended one is forgotten."""
        for state in chats:
            known = self._by_id.get(state.id)
            self._heard[state.id] = state.last_sign_of_life
            if state.session != "open":
                self.forget(state.id)
                continue
            chat = LiveChat(
                id=state.id,
                call_id=state.call_id,
                key=(state.unique_part, state.element, state.caller_uri),
                remote_uri=state.target_uri,
                local_tag=state.local_tag,
                liveness=state.liveness,
                transport=state.transport,
                peer=state.peer,
                last_sign_of_life=state.last_sign_of_life,
                heartbeat_due=known.heartbeat_due if known else heartbeat_due,
                greeted=known.greeted if known else state.id in self._greeted,
                heartbeat_branch=known.heartbeat_branch if known else "",
                asserted_uri=state.asserted_uri,
                last_body=known.last_body if known else b"",
                trunk=state.trunk,
                beat_ids=_later(known.beat_ids if known else None, state.last_in_msg_id or 0),
            )
            self.add(chat)
            self._greeted.pop(chat.id, None)

    def add(self, chat: LiveChat) -> None:
        """Keep an open chat; one without a call id gets no heartbeats and is not looked for."""
        if chat.peer:
            self._ways.pop(chat.id, None)
        elif way := self._ways.get(chat.id):
            chat.transport, chat.peer, chat.trunk = way
        if chat.call_id:
            self._by_id[chat.id] = chat
            if chat.key not in self._by_key:
                self._parts[chat.key[0]] = self._parts.get(chat.key[0], 0) + 1
            self._by_key[chat.key] = chat

    def ids(self) -> list[int]:
        """Return the ids of all open chats."""
        return list(self._by_id)

    def forget(self, chat_id: int) -> None:
        """Drop a chat that is no longer open; it may be again, and has been greeted then."""
        chat = self._by_id.pop(chat_id, None)
        if chat is not None and chat.greeted:
            self._await(chat_id)
        if chat is not None and self._by_key.get(chat.key) is chat:
            del self._by_key[chat.key]
            unique_part = chat.key[0]
            self._parts[unique_part] -= 1
            if not self._parts[unique_part]:
                del self._parts[unique_part]
        self._unflushed.pop(chat_id, None)

    def reached(self, chat_id: int, transport: str, peer: str, trunk: str) -> None:
        """Note by what way an app was reached that has not written to us yet."""
        self._ways[chat_id] = (transport, peer, trunk)
        if len(self._ways) > MOST_GREETED:
            self._ways.popitem(last=False)
        chat = self._by_id.get(chat_id)
        if chat is not None and not chat.peer:
            chat.transport, chat.peer, chat.trunk = transport, peer, trunk

    def dismiss(self, chat_id: int) -> None:
        """Drop a chat whose app is sent away: nothing but a start of ours begins it again."""
        self.forget(chat_id)
        self._greeted.pop(chat_id, None)
        self._awaited.discard(chat_id)

    def take_awaited(self) -> list[int]:
        """Return the chats that may have been opened by somebody else since the last call."""
        awaited, self._awaited = self._awaited, set()
        return [chat_id for chat_id in awaited if chat_id not in self._by_id]

    def await_still(self, chat_ids: Iterable[int]) -> None:
        """Look for chats again that were not open yet."""
        self._awaited.update(chat_ids)

    def mark_lost(self, chat_ids: Iterable[int]) -> None:
        """Note chats that the record counts as lost, so that their next sign of life is news."""
        for chat_id in chat_ids:
            if chat := self._by_id.get(chat_id):
                chat.liveness = "lost"

    def unflushed_ids(self) -> list[int]:
        """Return the chats whose last sign of life is not in the database yet."""
        return list(self._unflushed)

    def mark_greeted(self, chat_id: int) -> None:
        """Note that the app has acknowledged our start: heartbeats may begin (clause 6.2.5)."""
        if chat := self._by_id.get(chat_id):
            chat.greeted = True
        else:  # one that was opened here again, not heard yet
            self._await(chat_id)

    def _await(self, chat_id: int) -> None:
        self._greeted[chat_id] = None
        self._awaited.add(chat_id)
        if len(self._greeted) > MOST_GREETED:
            self._greeted.popitem(last=False)

    def take_unflushed(self) -> list[LiveChat]:
        """Return the chats with signs of life since the last call."""
        chats = list(self._unflushed.values())
        self._unflushed.clear()
        return chats

    def take_heard(self) -> dict[int, datetime]:
        """Return the chats whose apps were heard since the last call, and when."""
        heard, self._heard = self._heard, {}
        return heard

    def put_back(self, chats: Iterable[LiveChat], heard: Mapping[int, datetime]) -> None:
        """Keep for the next flush what could not be written."""
        self._heard = {**heard, **self._heard}
        for chat in chats:
            self._unflushed.setdefault(chat.id, chat)
