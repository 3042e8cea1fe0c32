"""Deadlines of sessions, swept each second: redirects under way, tests that wait for a location."""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from django.db import OperationalError, transaction
from django.db.models import Exists, OuterRef, Q

from chats.models import (
    Chat,
    DeliveryStatus,
    LocationFix,
    OutboxEntry,
    Reference,
    ReferenceKind,
    ReferenceStatus,
    RelayStatus,
    Session,
)
from chats.services.chain import SYSTEM, append_event
from chats.services.message_types import START_REDIRECT, STOP
from chats.services.outbox import queue_message, wake_readers
from chats.services.relays import go_over, redirecting_stop, relays_since
from chats.services.take_back import reactivate
from psap.models import Psap

logger = logging.getLogger(__name__)

# An app that is there shows itself every 20 s (clause 6.2.5); after more it has gone.
QUIET = timedelta(seconds=25)
NO_ANSWER = "the target has not answered"
NOT_ACKNOWLEDGED = "the app has not acknowledged the redirect"
STILL_HERE = "the app is still heard here"
UNDER_WAY = (DeliveryStatus.QUEUED, DeliveryStatus.SENDING)

TestAnswer = Callable[[str, Sequence[LocationFix]], str]


def settle_due_sessions(
    *, now: datetime, listening_since: datetime, test_answer: TestAnswer
) -> int:
    """Decide what is due; returns how many chats changed.

    `listening_since` is when apps could be heard again: before it their silence says nothing.
    `test_answer` writes the answer to a test from the service and its positions.
    """
    fetching = Reference.objects.filter(
        chat=OuterRef("pk"), kind=ReferenceKind.LOCATION, status=ReferenceStatus.PENDING
    )
    due = Chat.objects.filter(
        Q(session_due__lte=now) | Q(session=Session.STOPPED, test=True) & ~Exists(fetching),
        session_due__isnull=False,
    )
    settled = 0
    for pk in due.values_list("pk", flat=True):
        try:
            settled += _settle(pk, now, listening_since, test_answer)
        except OperationalError:
            raise
        except Exception:  # one chat's trouble must not keep the others waiting
            logger.exception("the session of chat %d was not settled", pk)
    return settled


@transaction.atomic
def _settle(pk: int, now: datetime, listening_since: datetime, test_answer: TestAnswer) -> int:
    chats = Chat.objects.select_for_update(skip_locked=True, no_key=True)
    chat = chats.filter(pk=pk, session_due__isnull=False).first()
    if chat is None:  # settled meanwhile, or held by something else: in a second again
        return 0
    if chat.session == Session.STOPPED and chat.test:
        return _answer(chat, now, test_answer)
    if chat.session_due is None or chat.session_due > now:
        return 0
    if chat.session == Session.REDIRECTING:
        return _settle_redirecting(chat, chat.session_due, now, listening_since)
    if chat.session == Session.REDIRECTED:
        return _settle_redirected(chat, now, listening_since)
    chat.session_due = None
    chat.save(update_fields=["session_due"])
    return 1


def _answer(chat: Chat, now: datetime, test_answer: TestAnswer) -> int:
    fixes = list(LocationFix.objects.filter(chat=chat).order_by("pk"))
    chat.session_due = None
    chat.save(update_fields=["session_due"])
    text = test_answer(chat.service, fixes)
    queue_message(chat=chat, msg_type=STOP, text=text, author=None, now=now)
    append_event(chat_id=chat.pk, kind="test-answered", at=now, actor=SYSTEM, data={})
    return 1


def _settle_redirecting(chat: Chat, due: datetime, now: datetime, listening_since: datetime) -> int:
    """Decide whether the app has gone over, is still here, or may yet be either."""
    stop = redirecting_stop(chat)
    acknowledged = _acknowledged_at(stop.pk) if stop else None
    relays = relays_since(chat, stop.pk if stop else 0)
    asked = next((r for r in relays if r.message.type == START_REDIRECT), None)
    if asked is not None:
        waits = asked.status == RelayStatus.QUEUED
    else:
        waits = stop is not None and stop.status in UNDER_WAY
    if waits and _was_away(now, listening_since):
        return 0
    if asked is not None:
        cause = asked.cause if asked.status == RelayStatus.FAILED else NO_ANSWER
    elif acknowledged is None:
        cause = NOT_ACKNOWLEDGED
    elif chat.last_sign_of_life > due:
        cause = STILL_HERE
    else:
        quiet_since = max(chat.last_sign_of_life, listening_since)
        heard = chat.last_sign_of_life > acknowledged or listening_since > acknowledged
        if heard and now - quiet_since <= QUIET:
            return 0  # it has not been heard since it should have gone: its next sign decides
        go_over(chat=chat, now=now)
        return 1
    reactivate(chat=chat, cause=cause, actor=SYSTEM, now=now)
    return 1


def _settle_redirected(chat: Chat, now: datetime, listening_since: datetime) -> int:
    """Take back a chat whose target does not take what reaches us, or whose app never left."""
    stop = redirecting_stop(chat)
    relays = relays_since(chat, stop.pk if stop else 0)
    stuck = next((relay for relay in relays if relay.status != RelayStatus.RELAYED), None)
    gone = any(r.message.type in (START_REDIRECT, STOP) or r.message.text for r in relays)
    if stuck is None and gone:
        chat.session_due = None
        chat.save(update_fields=["session_due"])
        transaction.on_commit(wake_readers)
        return 1
    cause = STILL_HERE
    if stuck is not None:
        if stuck.status == RelayStatus.QUEUED and _was_away(now, listening_since):
            return 0
        cause = stuck.cause if stuck.status == RelayStatus.FAILED else NO_ANSWER
    reactivate(chat=chat, cause=cause or NO_ANSWER, actor=SYSTEM, now=now)
    return 1


def _was_away(now: datetime, listening_since: datetime) -> bool:
    """Whether nobody has had time yet to answer us since we came back: it is our delay, then."""
    psap = Psap.objects.first() or Psap()
    return now - listening_since < timedelta(seconds=psap.redirect_patience)


def _acknowledged_at(message_id: int) -> datetime | None:
    entry = OutboxEntry.objects.filter(
        message_id=message_id, message__status=DeliveryStatus.DELIVERED
    )
    return entry.values_list("tried_at", flat=True).first()
