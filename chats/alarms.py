"""What is wrong with chats as a whole: alarms that the configuration's side cannot know."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.db import connection

from chats.models import SetAside
from psap.alarms import ALARM, WARNING, Alarm

OVERDUE_AFTER = timedelta(seconds=60)

_OLDEST_DUE = """
SELECT min(o.due_at) FROM chats_message m JOIN chats_outboxentry o ON o.message_id = m.id
WHERE m.status IN ('queued', 'sending')
"""


def outgoing_messages(now: datetime) -> Iterator[Alarm]:
    """Say that messages of ours have been due for more than a minute."""
    oldest = oldest_due()
    if oldest is not None and now - oldest > OVERDUE_AFTER:
        text = "Messages to callers have waited for more than a minute to be sent."
        yield Alarm("outbox-behind", WARNING, text, oldest)


def messages_on_no_chat(now: datetime) -> Iterator[Alarm]:
    """Say that there are messages which could be put on no chat."""
    first = SetAside.objects.order_by("at").values_list("at", flat=True).first()
    if first is not None:
        text = "Messages could be put on no chat. Read them on the status page."
        yield Alarm("messages-set-aside", ALARM, text, first)


def oldest_due() -> datetime | None:
    """Return since when the first of our messages on their way has been due."""
    with connection.cursor() as cursor:
        cursor.execute(_OLDEST_DUE)
        row = cursor.fetchone()
    return row[0] if row else None
