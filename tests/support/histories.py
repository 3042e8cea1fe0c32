"""Chats with everything that a record can hold, for what hands whole chats over.

chat = make_history(random.Random(7))      # committed only if the test commits
transfer = make_transfer(chat, peer)       # as it stands when the execution is written
sha256 = hand_over_part(b"…", peer)        # of a chat that was executed to the peer
"""

import hashlib
from datetime import datetime, timedelta
from random import Random
from typing import Any

from django.utils import timezone

from chats.models import (
    AdditionalData,
    BodyPart,
    Chat,
    Journal,
    LocationFix,
    Message,
    Note,
    OutboxEntry,
    Reference,
    Transfer,
)
from psap.models import Peer
from tests.support.chats import make_user, open_chat, receive_message

HOSTILE = (
    "<script>alert(1)</script>", "'; DROP TABLE chats_chat; --", "\u202egnp.exe", "a␀b",
    "👩‍🚒 Ärztin\r\n\tjetzt", "{{7*7}}", "\ud7ff\ue000", "", " ", "x" * 400,
)  # fmt: skip
GEOMETRY = {"axes": [12.5, 3], "corners": [[48.1, 16.2], [48.0, 16.0]], "height": 2}
FLAGS = ("truncated", "no-msg-id", "late")


def make_history(dice: Random, **values: Any) -> Chat:
    """Open a chat and fill it: messages either way, taken over ones, parts, fixes, data, notes."""
    opened = timezone.now() - timedelta(minutes=dice.randint(2, 600))
    chat = open_chat(
        opened_at=opened,
        ringing_since=None,
        display_name=dice.choice(HOSTILE),
        language=dice.choice(("", "de-AT", "x" * 35)),
        user_agent=dice.choice(HOSTILE),
        asserted_uri=dice.choice(("", "tel:+43660123456")),
        priority=dice.choice(("", "esnet.1")),
        silent=dice.random() < 0.5,
        test=dice.random() < 0.5,
        signalling={"did": "did:example:1", "subject": dice.choice(HOSTILE), "n": [1, None, True]},
        last_sign_of_life=opened + timedelta(seconds=100),
        last_caller_text=dice.choice((None, opened + timedelta(seconds=90))),
        last_in_msg_id=dice.choice((None, 7, 2**40)),
        psaps=[{"uri": "sip:first@example.org", "name": "First", "from": "2026-01-31T11:00:00Z"}],
        **values,
    )
    author = make_user(f"author{chat.pk}")
    for number in range(dice.randint(3, 12)):
        message = _message(dice, chat, author, opened + timedelta(seconds=number), number)
        _contents(dice, chat, message)
    for number in range(dice.randint(0, 3)):
        Note.objects.create(
            chat=chat,
            at=opened,
            text=dice.choice(HOSTILE),
            origin=dice.choice(("", "sip:first@example.org")),
            foreign_id=dice.choice(("", f"note-{number}")),
        )
    return chat


def make_transfer(chat: Chat, peer: Peer, **values: Any) -> Transfer:
    """Return a transfer of a chat whose app has acknowledged the 266."""
    stop = Message.objects.create(
        chat=chat, direction="out", type=266, msg_id=9, text="Moment.", status="delivered",
        at=timezone.now(),
    )  # fmt: skip
    defaults = {
        "side": "out", "state": "executing", "peer": peer, "peer_name": peer.name, "chat": chat,
        "call_id": chat.call_id, "transfer_from": "sip:psap@example.org", "transfer_to": peer.uri,
        "requested_at": timezone.now(), "due_at": timezone.now(), "stop_message": stop,
    }  # fmt: skip
    return Transfer.objects.create(**defaults | values)


def hand_over_part(content: bytes, peer: Peer, **values: Any) -> str:
    """Have an attachment in a chat that was executed to a peer; return its digest."""
    chat = open_chat(session="transferred")
    receive_message(chat, "", parts=[content])
    make_transfer(chat, peer, **{"state": "done", "executed_at": timezone.now()} | values)
    return hashlib.sha256(content).hexdigest()


def _message(dice: Random, chat: Chat, author: Any, at: datetime, number: int) -> Message:
    common: dict[str, Any] = {
        "chat": chat, "at": at, "text": dice.choice(HOSTILE), "type": dice.choice((257, 259, 260)),
        "msg_id": dice.choice((None, number + 1, -3, 2**62)), "flags": dice.sample(FLAGS, 2),
        "sip_status": dice.choice((None, 200, 480)),
    }  # fmt: skip
    kind = dice.choice(("app", "ours", "automatic", "taken-over"))
    if kind == "app":
        key = dice.randbytes(16)
        journal = Journal.objects.create(
            received_at=at, trunk="t", transport="tcp", peer="p", request_key=key, raw=b"-"
        )
        return Message.objects.create(
            direction="in", status="received", journal_id=journal.pk, **common
        )
    if kind == "taken-over":
        return Message.objects.create(
            direction=dice.choice(("in", "out")), status="delivered", role="calltaker",
            origin="sip:first@example.org", foreign_id=f"sip:{dice.randbytes(8).hex()}", **common,
        )  # fmt: skip
    message = Message.objects.create(
        direction="out",
        status=dice.choice(("delivered", "failed", "cancelled")),
        author=author if kind == "ours" else None,
        **common,
    )
    OutboxEntry.objects.create(
        message=message, sip_call_id=dice.randbytes(12).hex(), cseq=number, branch="z", due_at=at
    )
    return message


def _contents(dice: Random, chat: Chat, message: Message) -> None:
    for position in range(dice.randint(0, 3)):
        content = dice.choice((b"", b"same for all", dice.randbytes(500)))
        flag = dice.choice(("", "", "truncated", "erased"))
        whole = content + b"more" if flag == "truncated" else content
        BodyPart.objects.create(
            message=message, position=position, content_type="image/png", content_id="<a@b>",
            name=dice.choice(HOSTILE), size=len(whole), sha256=hashlib.sha256(whole).digest(),
            flag=flag, content=None if flag == "erased" else content,
        )  # fmt: skip
    if dice.random() < 0.5:
        LocationFix.objects.create(
            chat=chat, message=message, shape=dice.choice(("Point", "Ellipse")),
            latitude=dice.uniform(-90, 90), longitude=180.0, radius=dice.choice((None, 0.0, 12.5)),
            altitude=dice.choice((None, -3.25)), confidence=dice.choice((None, 95.0)),
            geometry=dice.choice((None, GEOMETRY)), method="GPS", source="device", at=message.at,
        )  # fmt: skip
        LocationFix.objects.create(
            chat=chat, message=message, shape="Civic", civic={"A3": dice.choice(HOSTILE)},
            at=message.at,
        )  # fmt: skip
    if dice.random() < 0.5:
        AdditionalData.objects.create(
            chat=chat, message=message, kind="SubscriberInfo",
            data={"name": dice.choice(HOSTILE), "phones": ["1", "2"], "more": {"a": None}},
        )  # fmt: skip
    if dice.random() < 0.5:
        Reference.objects.create(
            chat=chat, message=message, kind="location", purpose="", due_at=message.at,
            url="https://lis.example.org/x?y", status=dice.choice(("pending", "failed")),
        )  # fmt: skip
