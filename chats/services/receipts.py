"""Receipts: a command that a console repeats, after a lost answer, does nothing twice."""

import hashlib
import json
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from chats.models import CommandReceipt
from chats.services.locking import bounded_transaction
from psap.models import User

KEPT = timedelta(days=1)

Reply = dict[str, Any]


def run_once(
    *, user: User, command: Mapping[str, Any], now: datetime, action: Callable[[], Reply]
) -> Reply:
    """Run a command's action and keep its reply, or return the reply of the same command before.

    The same command: the same user, client id and content. The receipt is committed with what
    the action wrote. A refusal (ChatError) wrote nothing and leaves no receipt.
    """
    key = _key(command)
    with bounded_transaction():
        # Two windows may repeat one command at once: the second waits, then finds the receipt.
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, %s))", [key, user.pk])
        known = CommandReceipt.objects.filter(user=user, command_id=key).first()
        if known is not None:
            return dict(known.reply)
        reply = action()
        CommandReceipt.objects.create(user=user, command_id=key, reply=reply, at=now)
        return reply


def purge_receipts(*, now: datetime) -> int:
    """Forget receipts older than a day; returns how many."""
    deleted, _ = CommandReceipt.objects.filter(at__lt=now - KEPT).delete()
    return deleted


def _key(command: Mapping[str, Any]) -> str:
    content = json.dumps(command, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(content.encode()).hexdigest()
