"""Three hops: B has given the chat to C before A's later word reaches B; then one has it.

All records live in one database here: A's transfer out, B's in and out, C's in (and so on), and
each PSAP is the other's peer under a name of its own.
"""

from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction

from chats.models import Chat, ChatEvent, Message, Relay, Transfer
from chats.services.chain import SYSTEM, append_event
from chats.services.outbox import queue_message
from chats.services.transfers.calls import claim_calls
from chats.services.transfers.custody import (
    CustodyAnswer,
    notice_of,
    record_answer,
    record_no_answer,
    take_notice,
)
from chats.services.transfers.executed import record_answer_lost
from chats.services.transfers.settle import settle_due_transfers
from chats.services.verify_chat import verify_chat
from psap.models import Peer, User
from tests.support.chats import open_chat, receive_message
from tests.support.leaving import START, Leaving, make_peer

pytestmark = pytest.mark.django_db
HERE = ("open", "arriving", "transferring")


class Room:
    """A PSAP that took the chat over from the one before it, by a 265 that the app acknowledged."""

    def __init__(self, chain: "Chain", name: str, last_msg_id: int) -> None:
        self.name, self.uri, self.chain = name, f"sip:{name}@example.org", chain
        self.before = chain.rooms[-1] if chain.rooms else None
        came_from = self.before.uri if self.before else "sip:psap@example.org"
        self.peer = make_peer(name=f"whom {name} took it from", uris=came_from)
        chat = open_chat(
            call_id=chain.a.chat.call_id, next_msg_id=last_msg_id + 2, came_from=came_from,
            last_sign_of_life=START - timedelta(hours=1),
        )  # fmt: skip
        self.chat_id = chat.pk
        with transaction.atomic():
            start = queue_message(
                chat=chat, msg_type=265, text="", author=None, now=START, msg_id=last_msg_id + 1
            )
        Message.objects.filter(pk=start.pk).update(status="delivered", sip_status=200)
        self.taken = self._transfer(
            "in", chat, self.peer, came_from, self.uri, last_msg_id,
            start_message=start, custody_msg_id=last_msg_id + 1,
        )  # fmt: skip
        with transaction.atomic():
            append_event(
                chat_id=chat.pk, kind="chat-arriving", at=START, actor=SYSTEM,
                data={"transfer": str(self.taken)},
            )  # fmt: skip
        self.onward = 0
        self.onward_peer: Peer | None = None

    @property
    def chat(self) -> Chat:
        return Chat.objects.get(pk=self.chat_id)

    def pass_on(self, to: str, *, texts: int = 0, state: str = "done") -> int:
        """Give the chat to the next one, after some texts; returns the MsgId of the 266."""
        chat = self.chat
        with transaction.atomic():
            for _ in range(texts):
                queue_message(chat=chat, msg_type=259, text="?", author=None, now=START)
            stop = queue_message(chat=chat, msg_type=266, text="", author=None, now=START)
        Message.objects.filter(chat=chat, direction="out").update(status="delivered")
        uri = f"sip:{to}@example.org"
        self.onward_peer = make_peer(name=f"whom {self.name} gave it to", uris=uri)
        self.onward = self._transfer(
            "out", chat, self.onward_peer, self.uri, uri, stop.msg_id or 0, state=state,
            stop_message=stop,
        )  # fmt: skip
        session = "transferred" if state == "done" else "transferring"
        Chat.objects.filter(pk=chat.pk).update(session=session, gone_to=uri, ringing_since=None)
        return stop.msg_id or 0

    def _transfer(
        self, side: str, chat: Chat, peer: Peer, came_from: str, to: str, last: int, **values: Any
    ) -> int:
        common = {
            "side": side, "state": "done", "peer": peer, "peer_name": peer.name, "chat": chat,
            "call_id": chat.call_id, "transfer_from": came_from, "transfer_to": to,
            "requested_at": START, "executed_at": START, "ended_at": START, "last_msg_id": last,
        }  # fmt: skip
        return Transfer.objects.create(**common | values).pk


class Chain:
    """A has lost B's 200 and has taken the chat back; B, and who follows, have passed it on."""

    def __init__(self, owner: User, *hops: int) -> None:
        """`hops`: how many texts B, C … have written before each passes the chat on."""
        self.a = Leaving(owner).executing()
        lost = {"cause": "reset", "now": self.a.now, "retry_at": self.a.now}
        record_answer_lost(transfer_id=self.a.transfer_id, **lost)
        self.rooms: list[Room] = []
        last = self.a.transfer.last_msg_id or 0
        for place, texts in enumerate(hops):
            name = "bcdef"[place]
            self.rooms.append(Room(self, name, last))
            last = self.rooms[-1].pass_on("bcdef"[place + 1], texts=texts)
        self.rooms.append(Room(self, "bcdef"[len(hops)], last))
        self.a.later(30)
        self.a.sweep()
        self.app_acknowledges()

    def app_acknowledges(self) -> None:
        for message in Message.objects.filter(chat=self.a.chat_id, status="queued").order_by("pk"):
            self.a.acknowledge(message)

    @property
    def last(self) -> Room:
        return self.rooms[-1]

    def word(self) -> int | None:
        """The MsgId of A's 265."""
        return self.a.start_message().msg_id

    def tell(self, msg_id: int) -> CustodyAnswer:
        """A tells B."""
        peer, call_id = self.rooms[0].peer, self.a.chat.call_id
        return take_notice(peer=peer, call_id=call_id, msg_id=msg_id, now=self.a.now)

    def turn(self) -> None:
        """Let all who have something to tell do so, once."""
        settle_due_transfers(now=self.a.later(1), listening_since=START)
        for call in claim_calls(holder="w", now=self.a.later(1), most=10):
            told = notice_of(transfer_id=call.transfer_id)
            asked = self._peer_of(call.transfer_id)
            assert told is not None
            said = take_notice(peer=asked, call_id=told.call_id, msg_id=told.msg_id, now=self.a.now)
            about = {"transfer_id": call.transfer_id, "now": self.a.now}
            if said.status_code == 202:
                record_no_answer(**about, cause="202", retry_at=self.a.now)
            else:
                record_answer(**about, status_code=said.status_code, msg_id=said.msg_id)

    def heal(self) -> None:
        """Go on until nobody has anything to tell; the app acknowledges what reaches it."""
        for _ in range(20):
            self.turn()
            self.app_acknowledges()
            assert self.owners(), "nobody has the chat"
        assert not Transfer.objects.filter(call_due_at__isnull=False).exists()
        for chat_id in (self.a.chat_id, *(room.chat_id for room in self.rooms)):
            broken = verify_chat(chat_id=chat_id).broken
            assert broken is None, broken

    def owners(self) -> list[str]:
        chats = [("a", self.a.chat), *((room.name, room.chat) for room in self.rooms)]
        return [name for name, chat in chats if chat.session in HERE]

    def _peer_of(self, transfer_id: int) -> Peer:
        """Who asks, as the PSAP that is asked knows it."""
        if transfer_id == self.a.transfer_id:
            return self.rooms[0].peer
        place = [room.onward for room in self.rooms].index(transfer_id)
        return self.rooms[place + 1].peer


def test_the_third_psap_lets_go_for_the_first_ones_later_word(anna: User):
    """Red when B only says that it has let go: C keeps the chat, and A too."""
    chain = Chain(anna, 0)
    b, c = chain.rooms
    assert sorted(chain.owners()) == ["a", "c"]
    word, seen = chain.word(), b.chat.head_seq
    assert chain.tell(word or 0).status_code == 202  # C has not been asked yet
    chain.heal()
    assert chain.owners() == ["a"]
    assert (c.chat.session, c.chat.gone_to) == ("transferred", b.uri)
    assert (b.chat.session, b.chat.gone_to) == ("transferred", "sip:psap@example.org")
    assert chain.word() == word
    events = ChatEvent.objects.filter(chat=b.chat_id, seq__gt=seen).order_by("seq")
    assert [(event.kind, event.data["messageId"]) for event in events] == [
        ("chat-released", word), ("custody-settled", word), ("custody-settled", word),
    ]  # fmt: skip


def test_what_the_third_gives_back_goes_on_to_the_first(anna: User):
    """Red when it goes where the chat went before: back to the third, and so round and round."""
    chain = Chain(anna, 0)
    b, c = chain.rooms
    message = receive_message(c.chat, "to C", at=START)
    Message.objects.filter(pk=message.pk).update(journal_id=1)
    chain.turn()
    assert b.chat.gone_to == "sip:psap@example.org"  # before C has heard of it
    chain.heal()
    assert [(one.message_id, one.target) for one in Relay.objects.all()] == [(message.pk, b.uri)]


@pytest.mark.parametrize("hops", [(4,), (0, 0), (0, 6), (6, 0), (0, 0, 7)])
def test_however_far_it_has_gone_one_has_it(anna: User, hops: tuple[int, ...]):
    """With a higher MsgId further down A does not believe the number: it asks the app once more."""
    chain = Chain(anna, *hops)
    highest = (Transfer.objects.get(pk=chain.rooms[-2].onward).last_msg_id or 0) + 1
    first = chain.word()
    chain.heal()
    assert chain.owners() == ["a"]
    assert (chain.word() or 0) >= highest
    assert (chain.word() != first) == (highest > (first or 0))


def test_the_app_is_asked_again_and_not_for_ever(anna: User):
    """Red without the bound: a peer could have the app asked again with each answer."""
    chain = Chain(anna, 0)
    chain.a.sweep()
    for msg_id in (50, 90, 200, 300):
        Transfer.objects.filter(pk=chain.a.transfer_id).update(call_due_at=chain.a.now)
        record_answer(
            transfer_id=chain.a.transfer_id, status_code=409, msg_id=msg_id, now=chain.a.now
        )
    starts = chain.a.ours(265)
    assert [msg_id for _, msg_id, _ in starts] == [4, 52, 92, 202]
    assert chain.a.chat.session == "open"


def test_while_the_third_is_being_asked_whether_it_takes_the_chat_the_first_has_to_wait(
    anna: User,
):
    chain = Chain(anna)
    chain.last.pass_on("c", state="executing")
    assert chain.tell(chain.word() or 0).status_code == 202
    assert chain.last.chat.session == "transferring"


def test_a_chat_that_came_back_meanwhile_is_given_back_from_here(anna: User):
    """What has gone on and has come back is not there any more."""
    chain = Chain(anna, 0)
    b, c = chain.rooms
    returned = Transfer.objects.get(pk=c.taken)
    returned.pk, returned.peer_id, returned.chat_id = None, b.onward_peer.pk, b.chat_id
    returned.custody_msg_id = None
    returned.save(force_insert=True)
    Chat.objects.filter(pk=b.chat_id).update(session="open")
    assert chain.tell(chain.word() or 0).status_code == 200
    assert b.chat.session == "transferred"
    assert Transfer.objects.get(pk=b.onward).call_due_at is None


def test_a_peer_that_knows_no_notices_ends_the_asking(anna: User):
    chain = Chain(anna, 0)
    b, _ = chain.rooms
    word = chain.word() or 0
    assert chain.tell(word).status_code == 202
    record_no_answer(transfer_id=b.onward, cause="404", now=chain.a.now, retry_at=None)
    assert chain.tell(word) == CustodyAnswer(200, word)
