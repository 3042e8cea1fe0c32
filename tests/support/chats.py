"""Chats for tests, with messages and a valid chain, made through the ORM."""

import hashlib
import itertools
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib.auth.models import Group
from django.db import transaction

from chats.models import AdditionalData, BodyPart, Chat, LocationFix, Message
from chats.services.chain import CALLER, append_event, genesis_hash
from chats.services.outbox import wake_readers
from chats.services.readings import readings_digest
from chats.services.texts import text_digest
from psap.models import CALL_TAKER, Psap, User

OPENED = datetime(2026, 1, 31, 12, 0, 0, 250_000, tzinfo=UTC)
_numbers = itertools.count(1)


def make_psap(**values: Any) -> Psap:
    """Return the one PSAP, configured."""
    defaults = {
        "name": "Leitstelle Test",
        "public_uri": "sip:psap@example.org",
        "greeting": "Emergency service, what happened?",
        "closing_text": "Goodbye.",
    }
    return Psap.objects.update_or_create(pk=1, defaults=defaults | values)[0]


def make_user(username: str, *roles: str) -> User:
    """Return a user in the groups of the roles, a call-taker when none is named."""
    user = User.objects.create_user(username, password="secret", first_name=username.title())
    user.groups.set(Group.objects.get_or_create(name=role)[0] for role in roles or [CALL_TAKER])
    return user


@transaction.atomic
def open_chat(*texts: str, **values: Any) -> Chat:
    """Open a ringing chat with some texts of its caller, five seconds apart."""
    unique_part = values.setdefault("unique_part", f"call{next(_numbers):06}")
    element = values.setdefault("element", "bcf.example.org")
    defaults = {
        "call_id": f"urn:emergency:uid:callid:{unique_part}:{element}",
        "service": "urn:service:sos",
        "caller_uri": "sip:anna@example.org",
        "display_name": "Anna",
        "language": "de",
        "target_uri": "sip:anna@example.org",
        "opened_at": OPENED,
        "ringing_since": OPENED,
        "last_sign_of_life": OPENED,
        "trunk": "default",
        "transport": "tcp",
        "peer": "127.0.0.1:50000",
        "local_tag": "tag",
        "head_hash": b"",
    }
    chat = Chat.objects.create(**defaults | values)
    chat.head_hash = genesis_hash(chat.pk)
    chat.save(update_fields=["head_hash"])
    append_event(
        chat_id=chat.pk,
        kind="chat-opened",
        at=chat.opened_at,
        actor=CALLER,
        data={"callId": chat.call_id, "service": chat.service},
    )
    for number, text in enumerate(texts, start=1):
        receive_message(
            chat, text, msg_id=number, at=chat.opened_at + timedelta(seconds=5 * number)
        )
    chat.refresh_from_db()
    transaction.on_commit(wake_readers)
    return chat


@transaction.atomic
def receive_message(
    chat: Chat,
    text: str,
    *,
    msg_id: int | None = None,
    at: datetime | None = None,
    msg_type: int = 259,
    parts: Sequence[bytes] = (),
    position: tuple[float, float] | None = None,
    additional: Sequence[tuple[str, dict[str, Any]]] = (),
) -> Message:
    """Put a message of the caller on the record, as the projector does."""
    at = at or OPENED
    message = Message.objects.create(
        chat=chat, direction="in", type=msg_type, msg_id=msg_id, text=text, status="received", at=at
    )
    for number, content in enumerate(parts):
        BodyPart.objects.create(
            message=message,
            position=number,
            content_type="text/plain",
            size=len(content),
            sha256=hashlib.sha256(content).digest(),
            content=content,
        )
    fixes = []
    if position is not None:
        fix = LocationFix.objects.create(
            chat=chat,
            message=message,
            shape="Circle",
            latitude=position[0],
            longitude=position[1],
            radius=20.0,
            method="GPS",
            at=at,
        )
        fixes.append((fix, at))
    for kind, data in additional:
        AdditionalData.objects.create(chat=chat, message=message, kind=kind, data=data)
    append_event(
        chat_id=chat.pk,
        kind="message-received",
        at=at,
        actor=CALLER,
        message_id=message.pk,
        data={
            "type": msg_type,
            "msgId": msg_id,
            "textSha256": text_digest(text),
            "parts": [hashlib.sha256(content).hexdigest() for content in parts],
            "fixes": len(fixes),
            **(
                {"readingsSha256": readings_digest(fixes, additional)}
                if fixes or additional
                else {}
            ),
        },
    )
    transaction.on_commit(wake_readers)
    return message
