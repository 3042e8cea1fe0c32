"""Leases: a chat belongs to a call-taker only as long as that desk shows signs of life."""

import time
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import QuerySet

from chats.models import Chat
from chats.services.chain import SYSTEM, append_event
from chats.services.errors import ChatBusy
from chats.services.locking import update_free
from chats.services.outbox import wake_readers
from psap.models import Psap, ServiceProcess, User

# Consoles that lost their web process need this long to come back and answer a ping.
GRACE_AFTER_RESTART = timedelta(seconds=15)
WEB_IS_DEAD_AFTER = timedelta(seconds=3)
# Seconds before chats that were held are tried again: a projection has one for an instant.
PAUSES = (0.05, 0.2, 0.5)


def lease_time() -> timedelta:
    """How long a desk may be silent, from the PSAP's configuration."""
    return timedelta(seconds=(Psap.objects.first() or Psap()).lease)


def renew_leases(*, call_taker: User, now: datetime) -> int:
    """Extend the leases of all open chats of a call-taker; returns how many.

    Chats held by something else are passed over and tried again, never waited for: who waits for
    one would hold those that it has already. Raises ChatBusy when one stays held.
    """
    mine = Chat.objects.filter(owner=call_taker, disposition=None)
    until = now + lease_time()
    renewed: set[int] = set()
    for pause in (0.0, *PAUSES):
        time.sleep(pause)
        renewed |= update_free(mine.exclude(pk__in=renewed), lease_until=until)
        if not mine.exclude(pk__in=renewed).exists():
            return len(renewed)
    raise ChatBusy


def expire_leases(*, now: datetime) -> int:
    """Let the chats of silent desks ring again; returns how many.

    Nothing expires while no web process has been up for 15 s: then it was us who were silent.
    """
    if not _consoles_could_renew(now):
        return 0
    expired = Chat.objects.filter(owner__isnull=False, disposition=None, lease_until__lt=now)
    return sum(_expire(expired, pk, now) for pk in expired.values_list("pk", flat=True))


def _consoles_could_renew(now: datetime) -> bool:
    return ServiceProcess.objects.filter(
        name="web", started_at__lte=now - GRACE_AFTER_RESTART, beat_at__gte=now - WEB_IS_DEAD_AFTER
    ).exists()


@transaction.atomic
def _expire(expired: "QuerySet[Chat]", pk: int, now: datetime) -> int:
    chats = expired.select_for_update(skip_locked=True, no_key=True, of=("self",))
    chat = chats.select_related("owner").filter(pk=pk).first()
    if chat is None or chat.owner is None:  # renewed, released or locked meanwhile
        return 0
    username = chat.owner.username
    chat.owner, chat.lease_until, chat.ringing_since = None, None, now
    chat.save(update_fields=["owner", "lease_until", "ringing_since"])
    append_event(
        chat_id=pk,
        kind="chat-released",
        at=now,
        actor=SYSTEM,
        data={"owner": username, "reason": "lease"},
    )
    transaction.on_commit(wake_readers)
    return 1
