"""Relays: what reaches us for a chat that is elsewhere goes on, in order, as by a proxy.

A row each (chats/models/relay.py), claimed under a lease. A start|redirect/273 that its target
has taken ends the redirect; a message that the target does not take brings the chat back.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import QuerySet

from chats.models import Chat, Direction, Message, Relay, RelayStatus, Session
from chats.services.chain import SYSTEM, append_event
from chats.services.errands import storable_cause
from chats.services.identifiers import new_branch
from chats.services.message_types import HEARTBEATS, START_REDIRECT, STOP_REDIRECT
from chats.services.outbox import wake_readers

# Longer than Timer F (32 s) and a connection's set-up.
LEASE = timedelta(seconds=45)
MOST_AT_ONCE = 64

_CLAIM = """
WITH due AS (
    SELECT r.message_id FROM chats_relay r
    WHERE r.status = 'queued' AND r.due_at <= %(now)s
      AND (r.lease_until IS NULL OR r.lease_until < %(now)s)
      AND NOT EXISTS (
          SELECT FROM chats_relay e WHERE e.chat_id = r.chat_id AND e.status = 'queued'
            AND e.message_id < r.message_id)
    ORDER BY r.due_at, r.message_id LIMIT %(most)s FOR UPDATE OF r SKIP LOCKED
), claimed AS (
    UPDATE chats_relay r SET lease_until = %(until)s, attempts = r.attempts + 1
    FROM due WHERE r.message_id = due.message_id
    RETURNING r.message_id, r.chat_id, r.target, r.branch, r.attempts
)
SELECT k.message_id, k.chat_id, k.target, k.branch, k.attempts, c.session, c.trunk, j.raw,
    j.trusted, c.unique_part, c.transport, c.peer,
    ARRAY[c.target_uri, c.caller_uri, c.asserted_uri]
FROM claimed k JOIN chats_chat c ON c.id = k.chat_id JOIN chats_message m ON m.id = k.message_id
JOIN chats_journal j ON j.id = m.journal_id
ORDER BY k.message_id
"""


@dataclass(frozen=True, slots=True)
class ClaimedRelay:
    """One message on its way on: the bytes as they came, and whether their sender is trusted.

    `transport`, `peer` and `uris` are those of the chat's app.
    """

    message_id: int
    chat_id: int
    target: str
    branch: str
    attempts: int
    session: str
    trunk: str
    raw: bytes
    trusted: bool
    unique_part: str = ""
    transport: str = ""
    peer: str = ""
    uris: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class RelayOutcome:
    """What became of an attempt; `retry_at` set: again then, `anew` as a new transaction."""

    message_id: int
    chat_id: int
    status: RelayStatus
    sip_status: int | None
    cause: str
    at: datetime
    retry_at: datetime | None = None
    anew: bool = False


def claim_relays(*, now: datetime) -> list[ClaimedRelay]:
    """Take up what is due, in each chat the oldest alone."""
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, {"now": now, "until": now + LEASE, "most": MOST_AT_ONCE})
        rows = cursor.fetchall()
    return [ClaimedRelay(*row) for row in rows]


def free_relays() -> None:
    """Take up again what a crash has left claimed: the same bytes go out once more."""
    Relay.objects.filter(status=RelayStatus.QUEUED).update(lease_until=None)


@transaction.atomic
def record_relay(outcome: RelayOutcome) -> bool:
    """Put an attempt's outcome on the record; the chat follows it.

    False when somebody else holds the chat just now: nobody else's relays may wait for that.
    """
    chats = Chat.objects.select_for_update(no_key=True, skip_locked=True)
    chat = chats.filter(pk=outcome.chat_id).first()
    if chat is None:
        return False
    relay = Relay.objects.select_related("message").get(pk=outcome.message_id)
    if relay.status != RelayStatus.QUEUED:
        return True
    relay.lease_until = None
    relay.sip_status, relay.cause = outcome.sip_status, storable_cause(outcome.cause)
    if outcome.retry_at is not None:
        relay.due_at = outcome.retry_at
        relay.branch = new_branch() if outcome.anew else relay.branch
    else:
        relay.status = outcome.status
    relay.save()
    if outcome.retry_at is not None:
        return True
    relayed = relay.status == RelayStatus.RELAYED
    data = {"target": relay.target, "sipStatus": outcome.sip_status}
    append_event(
        chat_id=chat.pk,
        kind="message-relayed" if relayed else "relay-failed",
        at=outcome.at,
        actor=SYSTEM,
        message_id=relay.message_id,
        data=data if relayed else data | {"cause": relay.cause},
    )
    if relayed and relay.message.type == START_REDIRECT:
        if chat.session == Session.REDIRECTING:
            go_over(chat=chat, now=outcome.at)
        elif chat.session == Session.STOPPED:  # by the app meanwhile: the target is told
            relay_held(chat=chat, target=relay.target, after=relay.message_id, now=outcome.at)
    elif not relayed and chat.session in (Session.REDIRECTING, Session.REDIRECTED):
        chat.session_due = outcome.at
        chat.save(update_fields=["session_due"])
    transaction.on_commit(wake_readers)
    return True


def go_over(*, chat: Chat, now: datetime) -> None:
    """Note that a locked chat is with its target now; what it wrote meanwhile goes after it."""
    chat.session, chat.session_due, chat.ended_at = Session.REDIRECTED, None, now
    chat.save(update_fields=["session", "session_due", "ended_at"])
    append_event(
        chat_id=chat.pk,
        kind="chat-redirected",
        at=now,
        actor=SYSTEM,
        data={"target": chat.gone_to},
    )
    stop = redirecting_stop(chat)
    relay_held(chat=chat, target=chat.gone_to, after=stop.pk if stop else 0, now=now)
    transaction.on_commit(wake_readers)


def redirecting_stop(chat: Chat) -> Message | None:
    """Our latest stop|redirect/274 in a chat."""
    ours = Message.objects.filter(chat=chat, direction=Direction.OUT, type=STOP_REDIRECT)
    return ours.order_by("-pk").first()


def relays_since(chat: Chat, message_id: int) -> list[Relay]:
    """The chat's relays of messages after that one, newest first."""
    relays = Relay.objects.select_related("message").filter(chat=chat, message_id__gt=message_id)
    return list(relays.order_by("-message_id"))


def relay_held(*, chat: Chat, target: str, after: int, now: datetime) -> None:
    """Let what a locked chat's app wrote after the message `after` go on to the target, in order.

    Heartbeats that brought nothing stay here; wake gateways (wakeup.OUTBOX) after the commit.
    """
    held = Message.objects.filter(pk__gt=after).exclude(type__in=HEARTBEATS, text="")
    pass_on(held, chat=chat, target=target, now=now)


def pass_on(messages: "QuerySet[Message]", *, chat: Chat, target: str, now: datetime) -> None:
    """Let those of the messages go on that a locked chat's app wrote to us, in order, each once."""
    written = messages.filter(
        chat=chat, direction=Direction.IN, journal_id__isnull=False, relay=None
    )
    Relay.objects.bulk_create(
        Relay(message=message, chat=chat, target=target, branch=new_branch(), due_at=now)
        for message in written.order_by("pk")
    )
