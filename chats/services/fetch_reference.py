"""Fetching what waits for a decision: a call-taker says *fetch anyway*, or asks once more."""

from datetime import datetime

from django.db import transaction

from chats.models import Reference, ReferenceStatus
from chats.services.chain import actor_of, append_event
from chats.services.errands import wake_errands
from chats.services.errors import ChatAlreadyClosed, ReferenceNotWaiting
from chats.services.locking import bounded_transaction, lock_own_chat
from psap.models import User


def fetch_reference(
    *, chat_id: int, reference_id: int, call_taker: User, now: datetime
) -> Reference:
    """Have a reference of one's own chat fetched: for the first time, anew, or after it failed.

    Whoever has an unlisted one fetched answers for it with their name, for its host in this chat.
    Raises ReferenceNotWaiting where it is unknown or under way, NotYourChat, ChatAlreadyClosed.
    """
    with bounded_transaction():
        chat = lock_own_chat(chat_id, call_taker)
        if chat.disposition is not None:
            raise ChatAlreadyClosed
        reference = Reference.objects.filter(chat=chat, pk=reference_id).first()
        if reference is None or reference.status == ReferenceStatus.PENDING:
            raise ReferenceNotWaiting
        if reference.status == ReferenceStatus.UNLISTED:
            reference.allowed_by = call_taker
        reference.status, reference.cause = ReferenceStatus.PENDING, ""
        reference.due_at, reference.attempts, reference.lease_until = now, 0, None
        reference.save(
            update_fields=["allowed_by", "status", "cause", "due_at", "attempts", "lease_until"]
        )
        append_event(
            chat_id=chat_id,
            kind="reference-allowed",
            at=now,
            actor=actor_of(call_taker.username),
            message_id=reference.message_id,
            data={"reference": str(reference.pk), "url": reference.url},
        )
        transaction.on_commit(wake_errands)
        return reference
