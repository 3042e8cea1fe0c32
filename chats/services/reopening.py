"""A chat that was on its way to another PSAP is ours again (clauses 6.2.7, 6.3.3)."""

from datetime import datetime

from chats.models import Chat, Session
from chats.services.chain import append_event


def open_here_again(*, chat: Chat, actor: str, now: datetime) -> None:
    """Open a locked chat here again. Its owner keeps it.

    One that nobody has, or that was closed meanwhile, rings.
    """
    chat.session, chat.session_due = Session.OPEN, None
    chat.ended_by = chat.ended_at = None
    if chat.disposition is not None:
        chat.disposition = chat.closed_at = chat.owner = chat.lease_until = None
    if chat.owner_id is None and chat.ringing_since is None:
        chat.ringing_since = now
    chat.save(
        update_fields=[
            "session", "session_due", "ended_by", "ended_at", "disposition", "closed_at", "owner",
            "lease_until", "ringing_since",
        ]
    )  # fmt: skip
    append_event(chat_id=chat.pk, kind="session-reopened", at=now, actor=actor, data={})
